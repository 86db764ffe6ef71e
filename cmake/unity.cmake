# Presets with CMAKE_UNITY_BUILD, and packages, compile several files of a room at once, which saves most of the time that
# reading headers takes; dev and "make lint" compile each alone, which shows that each includes what it needs. Alone in any
# case are kernels, each of which takes as long as a batch, files with a name in their unnamed namespace that others of their
# room have too, and in what is shipped those that a text waits for: beside others a compiler inlines less.

set(CMAKE_UNITY_BUILD_BATCH_SIZE 12)
file(GLOB kernel_sources ${PROJECT_SOURCE_DIR}/src/kernels/*.cc)
file(GLOB name_sources ${PROJECT_SOURCE_DIR}/src/convert/names/*.cc)
set_source_files_properties(
  ${kernel_sources} ${name_sources}
  src/backends/address.cc src/backends/registry.cc src/cli/process_plan.cc
  src/convert/modules.cc src/convert/onnx_file.cc src/convert/onnx_head.cc src/convert/onnx_layers.cc
  src/convert/onnx_ops.cc src/convert/onnx_picks.cc src/convert/onnx_shapes.cc src/convert/source.cc src/convert/torch_state_dict.cc
  src/convert/zip_file.cc src/server/fields.cc src/server/problem.cc
  src/convert/convert_test.cc src/convert/onnx_test.cc src/convert/tokenizer_folder_test.cc
  src/convert/tokenizer_kind_test.cc src/convert/torch_file_test.cc tests/convert/receipt_test.cc
  tests/embed/tokens_test.cc tests/fuzz/source.cc tests/hostile/hostile_test.cc
  PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
if(CMAKE_BUILD_TYPE STREQUAL Release AND NOT CMAKE_CROSSCOMPILING)
  file(GLOB_RECURSE fast_sources ${PROJECT_SOURCE_DIR}/src/*.cc)
  list(FILTER fast_sources INCLUDE REGEX ${THIMBLE_FAST_SOURCES})
  list(FILTER fast_sources EXCLUDE REGEX "_test\\.cc$")
  set_source_files_properties(${fast_sources} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endif()
