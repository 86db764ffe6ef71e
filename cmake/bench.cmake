# Benchmarks: bench/x.cc becomes bench_x.

file(GLOB bench_sources CONFIGURE_DEPENDS bench/*.cc)
foreach(source ${bench_sources})
  get_filename_component(name ${source} NAME_WE)
  add_executable(bench_${name} ${source})
  target_include_directories(bench_${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(bench_${name} PRIVATE thimble_flags thimble thimble_program nlohmann_json::nlohmann_json)
endforeach()
if(TARGET bench_shapes)
  target_link_libraries(bench_shapes PRIVATE thimble_test_model)
endif()
if(TARGET bench_cold_start)
  target_compile_definitions(bench_cold_start PRIVATE THIMBLE_CLI="$<TARGET_FILE:thimble_cli>"
                                                      THIMBLE_EMPTY="$<TARGET_FILE:bench_empty>")
  add_dependencies(bench_cold_start thimble_cli bench_empty)
endif()
