# The C interface, a shared library with all of thimble inside, for bindings of other languages.

thimble_sources(c_sources src/c)
if(WIN32)  # Without the command line, of which it needs this.
  list(APPEND c_sources ${PROJECT_SOURCE_DIR}/src/cli/info_values.cc)
endif()
add_library(thimble_c SHARED ${c_sources})
target_sources(thimble_c PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include
                                FILES ${PROJECT_SOURCE_DIR}/include/thimble/thimble_c.h)
set_target_properties(thimble_c PROPERTIES EXPORT_NAME c LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}
                                           RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
target_compile_definitions(thimble_c PRIVATE THIMBLE_VERSION="${PROJECT_VERSION}" THIMBLE_C_BUILD)
target_compile_options(thimble_c PRIVATE -ffunction-sections -fdata-sections)
target_link_libraries(thimble_c PRIVATE $<BUILD_INTERFACE:thimble_flags>)
if(TARGET thimble_commands)
  target_link_libraries(thimble_c PRIVATE $<BUILD_INTERFACE:thimble_commands> $<BUILD_INTERFACE:thimble_program>)
endif()
target_link_libraries(thimble_c PRIVATE $<BUILD_INTERFACE:thimble_hub> $<BUILD_INTERFACE:thimble>
                                        $<BUILD_INTERFACE:nlohmann_json::nlohmann_json>)
if(WIN32)
  set_target_properties(thimble_c PROPERTIES PREFIX "")  # Whatever the compiler: bindings load it by name.
endif()
if(NOT APPLE AND NOT WIN32)
  # Threads of the process may run its code as long as the process lives. Only functions of C are visible.
  file(WRITE ${PROJECT_BINARY_DIR}/c_exports.map "{ global: thimble_*; local: *; };\n")
  target_link_options(thimble_c PRIVATE LINKER:-z,nodelete
                                        LINKER:--version-script=${PROJECT_BINARY_DIR}/c_exports.map)
endif()
add_library(thimble::c ALIAS thimble_c)
