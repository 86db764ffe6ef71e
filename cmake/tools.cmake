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

# Folders of documents, their stores, and comparisons of vector spaces. SQLite is loaded when it is first needed.
thimble_sources(sync_sources src/sync)
add_library(thimble_sync STATIC ${sync_sources})
target_compile_definitions(thimble_sync PRIVATE THIMBLE_VERSION="${PROJECT_VERSION}")
target_compile_options(thimble_sync PRIVATE -ffunction-sections -fdata-sections)
target_link_libraries(thimble_sync PRIVATE thimble_flags ${CMAKE_DL_LIBS} PUBLIC thimble)

# All but main(), so that the tests of it compile nothing again.
thimble_sources(cli_sources src/cli)
list(FILTER cli_sources EXCLUDE REGEX "/main\\.cc$")
if(THIMBLE_SERVER)
  include(cmake/server.cmake)
else()
  list(FILTER cli_sources EXCLUDE REGEX "/serve\\.cc$")
endif()
add_library(thimble_commands OBJECT ${cli_sources})
# Each command has its kExamples, also where several are compiled at once.
set_target_properties(thimble_commands PROPERTIES UNITY_BUILD_UNIQUE_ID THIMBLE_FILE
                                                  UNITY_BUILD_CODE_BEFORE_INCLUDE "#define kExamples THIMBLE_FILE")
target_compile_definitions(thimble_commands PUBLIC THIMBLE_VERSION="${PROJECT_VERSION}")
target_link_libraries(thimble_commands PUBLIC thimble_flags thimble_bulk thimble_sync thimble_backends thimble_hub
                                              thimble_convert thimble
                                              CLI11::CLI11
                                              nlohmann_json::nlohmann_json)

add_executable(thimble_cli src/cli/main.cc)
set_target_properties(thimble_cli PROPERTIES OUTPUT_NAME thimble)
# With musl the program is static, and needs nothing of the system.
set(THIMBLE_LAUNCHER OFF)
if(THIMBLE_COMPACT AND THIMBLE_NODE AND NOT THIMBLE_ZIG_TARGET MATCHES "musl")
  set(THIMBLE_LAUNCHER ON)
  # The package has the code once: the addon beside the program has the commands (bindings/node/addon.cmake).
  target_compile_definitions(thimble_commands PRIVATE THIMBLE_PROGRAM_EXPORT)
  target_link_libraries(thimble_cli PRIVATE thimble_flags)
else()
  target_link_libraries(thimble_cli PRIVATE thimble_commands thimble_program)
endif()
if(THIMBLE_SERVER)
  target_compile_definitions(thimble_commands PRIVATE THIMBLE_SERVER)
  target_link_libraries(thimble_commands PUBLIC thimble_server)
endif()
install(TARGETS thimble_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
