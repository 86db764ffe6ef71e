# The command line.

if(NOT THIMBLE_CROSS_INCLUDE)
  find_package(CLI11 2.1 REQUIRED)
endif()

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
target_link_libraries(thimble_cli PRIVATE thimble_flags thimble_hub thimble_convert thimble thimble_program CLI11::CLI11
                                          nlohmann_json::nlohmann_json)
install(TARGETS thimble_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
