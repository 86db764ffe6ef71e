# THIMBLE_COMPACT: programs for packages, where bytes count.

# Compiles a target's sources for size, but for those that a text or the rounding of a conversion waits for. The scalar
# kernels are what they are checked against, and run on next to no machine. The others can be compiled several at once.
function(thimble_compact target)
  get_target_property(sources ${target} SOURCES)
  set(fast ${sources})
  list(FILTER fast INCLUDE REGEX "src/kernels/([^s]|sse)|src/model/(enc|head|prog|sched)|src/text/(bpe_|lat|pairs|step|tokenizer|uni|win|wor)|src/runtime/native|src/convert/(calibrator|forward|gptq|matrix_writer|moments|quantize)")
  list(FILTER fast INCLUDE REGEX "\\.cc$")
  set_property(SOURCE ${fast} APPEND PROPERTY COMPILE_OPTIONS -O3)
  # Sections let the linker drop what nothing calls.
  set(size -Oz)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12)
    set(size -Os)
  endif()
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${size}> -ffunction-sections -fdata-sections)
endfunction()
