# THIMBLE_COMPACT: programs for packages, where bytes count.

# What a text or the rounding of a conversion waits for. The scalar kernels are what the others are checked against, and run
# on next to no machine.
set(THIMBLE_FAST_SOURCES "src/(kernels/([^s]|sse)|model/(enc|head|prog|sched)|text/(bpe_|lat|pairs|step|tokenizer|uni|win|wor)|\
runtime/native|convert/(calibrator|forward|gptq|matrix_writer|moments|quantize)).*\\.cc$")

# Compiles a target's sources for size, but for the fast ones.
function(thimble_compact target)
  get_target_property(fast ${target} SOURCES)
  list(FILTER fast INCLUDE REGEX ${THIMBLE_FAST_SOURCES})
  set_property(SOURCE ${fast} APPEND PROPERTY COMPILE_OPTIONS -O3)
  set(size -Oz)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12)
    set(size -Os)
  endif()
  # Sections let the linker drop what nothing calls.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${size}> -ffunction-sections -fdata-sections)
endfunction()
