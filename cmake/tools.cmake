# The converter and the command line.

if(NOT THIMBLE_CROSS_INCLUDE)
  find_package(CLI11 2.1 REQUIRED)
endif()
if(THIMBLE_UTF8PROC_SOURCE)
  enable_language(C)
  add_library(utf8proc STATIC ${THIMBLE_UTF8PROC_SOURCE}/utf8proc.c)
  target_compile_definitions(utf8proc PUBLIC UTF8PROC_STATIC)
  set(UTF8PROC_LIBRARY utf8proc)
  set(UTF8PROC_INCLUDE_DIR ${THIMBLE_UTF8PROC_SOURCE})
else()
  find_path(UTF8PROC_INCLUDE_DIR utf8proc.h REQUIRED)
  # The archive first: another shared library would slow every start of the command line.
  find_library(UTF8PROC_LIBRARY NAMES libutf8proc.a utf8proc REQUIRED)
endif()

thimble_sources(convert_sources src/convert)
add_library(thimble_convert STATIC ${convert_sources})
target_link_libraries(thimble_convert PRIVATE thimble_flags nlohmann_json::nlohmann_json ${UTF8PROC_LIBRARY}
                                      PUBLIC thimble)
target_include_directories(thimble_convert SYSTEM PRIVATE ${UTF8PROC_INCLUDE_DIR})

# Programs whose start is measured: the C++ runtime inside, only libc shared, unused sections dropped.
add_library(thimble_program INTERFACE)
if(NOT THIMBLE_CROSS_INCLUDE)  # Which always does so.
  target_link_options(thimble_program INTERFACE -static-libstdc++ -static-libgcc -Wl,--gc-sections -Wl,--as-needed
                                                -Wl,-O1 -Wl,-z,now -Wl,--exclude-libs,ALL)
endif()

thimble_sources(cli_sources src/cli)
add_executable(thimble_cli ${cli_sources})
set_target_properties(thimble_cli PROPERTIES OUTPUT_NAME thimble)
target_compile_definitions(thimble_cli PRIVATE THIMBLE_VERSION="${PROJECT_VERSION}")
target_link_libraries(thimble_cli PRIVATE thimble_flags thimble_convert thimble thimble_program CLI11::CLI11
                                          nlohmann_json::nlohmann_json)
install(TARGETS thimble_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
