# Fuzz targets: a plain program that runs their corpora, and with THIMBLE_FUZZ one for libFuzzer.

set(fuzz_sources tests/fuzz/common.cc tests/fuzz/model.cc tests/fuzz/source.cc tests/fuzz/wire.cc tests/fuzz/kernels.cc)
add_library(thimble_fuzz_targets STATIC ${fuzz_sources})
target_compile_definitions(thimble_fuzz_targets PRIVATE THIMBLE_FIXTURES="${PROJECT_SOURCE_DIR}/tests/fixtures")
target_link_libraries(thimble_fuzz_targets PUBLIC thimble_test_model thimble_hub thimble_backends
                                                  nlohmann_json::nlohmann_json)
if(THIMBLE_FUZZ)  # The rest of the command line takes minutes to build with sanitizers.
  target_sources(thimble_fuzz_targets PRIVATE src/cli/input.cc src/cli/json_text.cc src/cli/options.cc src/cli/output.cc
                                              src/cli/progress.cc)
  target_link_libraries(thimble_fuzz_targets PUBLIC CLI11::CLI11)
else()
  target_link_libraries(thimble_fuzz_targets PUBLIC thimble_commands)
endif()
if(THIMBLE_SERVER)
  target_sources(thimble_fuzz_targets PRIVATE tests/fuzz/server.cc)
  target_compile_definitions(thimble_fuzz_targets PRIVATE THIMBLE_FUZZ_SERVER)
  target_link_libraries(thimble_fuzz_targets PUBLIC thimble_server)
  target_include_directories(thimble_fuzz_targets SYSTEM PRIVATE ${BOOST_INCLUDE_DIR})
endif()

add_executable(fuzz_replay tests/fuzz/replay.cc)
target_link_libraries(fuzz_replay PRIVATE thimble_fuzz_targets)
add_dependencies(test_programs fuzz_replay)
# Under a sanitizer each run takes ten times as long.
set(mutations 300)
if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  set(mutations 50)
endif()
add_test(NAME fuzz_replay COMMAND fuzz_replay ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus ${mutations})
set_tests_properties(fuzz_replay PROPERTIES TIMEOUT 300 COST 50 LABELS "hostile")

if(THIMBLE_FUZZ)
  add_executable(thimble_fuzz tests/fuzz/libfuzzer.cc)
  target_link_libraries(thimble_fuzz PRIVATE thimble_fuzz_targets)
  target_link_options(thimble_fuzz PRIVATE -fsanitize=fuzzer)
endif()
