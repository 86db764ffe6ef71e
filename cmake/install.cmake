# Installs the core and its headers as the package thimble, target thimble::thimble.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

install(TARGETS thimble EXPORT thimble-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/thimble DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT thimble-targets NAMESPACE thimble:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/thimble)
file(WRITE ${PROJECT_BINARY_DIR}/thimble-config.cmake
     "include(CMakeFindDependencyMacro)\nfind_dependency(Threads)\n"
     "include(\${CMAKE_CURRENT_LIST_DIR}/thimble-targets.cmake)\n")
write_basic_package_version_file(${PROJECT_BINARY_DIR}/thimble-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/thimble-config.cmake ${PROJECT_BINARY_DIR}/thimble-config-version.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/thimble)
