# The C interface, a shared library with all of thimble inside, for bindings of other languages.

thimble_sources(c_sources src/c)
if(WIN32)  # Without the command line, of which it needs this.
  list(APPEND c_sources ${PROJECT_SOURCE_DIR}/src/cli/info_values.cc)
endif()
add_library(thimble_c SHARED ${c_sources})
set_target_properties(thimble_c PROPERTIES OUTPUT_NAME thimble_c C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden
                                           LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}
                                           RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
target_compile_definitions(thimble_c PRIVATE THIMBLE_VERSION="${PROJECT_VERSION}" THIMBLE_C_BUILD)
target_compile_options(thimble_c PRIVATE -ffunction-sections -fdata-sections)
target_link_libraries(thimble_c PRIVATE thimble_flags)
if(TARGET thimble_commands)
  target_link_libraries(thimble_c PRIVATE thimble_commands thimble_program)
endif()
target_link_libraries(thimble_c PRIVATE thimble_hub thimble nlohmann_json::nlohmann_json)
if(NOT APPLE AND NOT WIN32)
  # Threads of the process may run its code as long as the process lives.
  target_link_options(thimble_c PRIVATE LINKER:-z,nodelete LINKER:--exclude-libs,ALL)
endif()
