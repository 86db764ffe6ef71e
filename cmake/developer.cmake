# Everything beside the core: converter, command line, tests and benchmarks.
find_library(UTF8PROC_LIBRARY utf8proc REQUIRED)
find_path(UTF8PROC_INCLUDE utf8proc.h REQUIRED)

thimble_library(thimble_convert convert)
target_include_directories(thimble_convert PRIVATE ${UTF8PROC_INCLUDE})
target_link_libraries(thimble_convert PRIVATE nlohmann_json::nlohmann_json PUBLIC thimble ${UTF8PROC_LIBRARY})

file(GLOB cli_sources CONFIGURE_DEPENDS src/cli/*.cc)
if(cli_sources)
  find_package(CLI11 REQUIRED)
  add_executable(thimble_cli ${cli_sources})
  set_target_properties(thimble_cli PROPERTIES OUTPUT_NAME thimble)
  target_compile_definitions(thimble_cli PRIVATE THIMBLE_VERSION="${PROJECT_VERSION}")
  target_link_libraries(thimble_cli PRIVATE thimble_flags thimble thimble_convert nlohmann_json::nlohmann_json CLI11::CLI11)
  # The C++ run-time inside and only what is used: a short process spends its time on embedding, not on linking.
  target_link_options(thimble_cli PRIVATE -Wl,--gc-sections)
  if(NOT THIMBLE_SANITIZE)
    target_link_options(thimble_cli PRIVATE -static-libstdc++ -static-libgcc)
  endif()
endif()

enable_testing()
find_package(GTest REQUIRED)
include(GoogleTest)

file(GLOB helper_sources CONFIGURE_DEPENDS tests/test_model*.cc)
list(FILTER helper_sources EXCLUDE REGEX "_test\\.cc$")
file(GLOB test_sources CONFIGURE_DEPENDS src/*/*_test.cc tests/*_test.cc)
if(test_sources)
  add_executable(thimble_tests ${test_sources} ${helper_sources})
  target_include_directories(thimble_tests PRIVATE ${PROJECT_SOURCE_DIR} ${UTF8PROC_INCLUDE})
  target_compile_definitions(thimble_tests PRIVATE THIMBLE_FIXTURES="${PROJECT_SOURCE_DIR}/tests/fixtures")
  target_link_libraries(thimble_tests PRIVATE thimble_flags thimble thimble_convert nlohmann_json::nlohmann_json
                        GTest::gtest GTest::gtest_main)
  gtest_discover_tests(thimble_tests DISCOVERY_TIMEOUT 60)
endif()

file(GLOB bench_sources CONFIGURE_DEPENDS bench/*.cc)
foreach(source ${bench_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(bench_${name} ${source})
  target_link_libraries(bench_${name} PRIVATE thimble_flags thimble nlohmann_json::nlohmann_json)
endforeach()
