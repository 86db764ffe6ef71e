# THIMBLE_COMPACT: programs for packages, where bytes count.

# Compiles a target's sources for size, but for those that a text or the rounding of a conversion waits for. The scalar
# kernels are what they are checked against, and run on next to no machine.
function(thimble_compact target)
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources EXCLUDE REGEX "src/kernels/([^s]|sse)|src/model/(enc|head|prog|sched)|src/text/(bpe_|lat|pairs|step|tokenizer|uni|win|wor)|src/runtime/native")
  list(FILTER sources EXCLUDE REGEX "src/convert/(calibrator|forward|gptq|matrix_writer|moments|quantize)")
  list(FILTER sources INCLUDE REGEX "\\.cc$")
  set_property(SOURCE ${sources} APPEND PROPERTY COMPILE_OPTIONS -Oz)
  # Sections let the linker drop what nothing calls.
  target_compile_options(${target} PRIVATE -ffunction-sections -fdata-sections)
endfunction()
