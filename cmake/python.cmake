# What scikit-build-core puts into a wheel (bindings/python/pyproject.toml): the library beside the Python files.
install(TARGETS thimble_c LIBRARY DESTINATION thimble COMPONENT python NAMELINK_SKIP
                          RUNTIME DESTINATION thimble COMPONENT python)
install(FILES LICENSE NOTICE DESTINATION thimble COMPONENT python)
