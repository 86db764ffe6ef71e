# Read by ctest: gives the tests of GoogleTest their labels: those of their program, and these by their names.

set(label_threads "Thread|Fork|Concurren|Team|Pool")
set(label_not_threads "Pooling|PoolTo")
# Of the dtypes, fp32, q8, q4-small and a q4 with biases of distance have all loops between them.
set(label_bits "^WideModel\\.|VectorsAreCloseToTheFp32Model|EveryInstructionSetGivesTheSameBits|OnEveryInstructionSet\
|EveryKind\\..*/(fp16|q6|q4|fp32_mpnet|q8_mpnet)( |$)|^ReceiptTest\\.WordsOfALargeVocabulary|SizesAreThoseOfTheirFiles")
set(label_memory "^Memory[./]|^Convert\\.Takes")

# thimble_label(PROGRAM LABEL...)
function(thimble_label program)
  foreach(test IN LISTS ${program}_TESTS)
    set(labels ${ARGN})
    foreach(label threads bits memory)
      if(test MATCHES "${label_${label}}" AND NOT (label_not_${label} AND test MATCHES "${label_not_${label}}"))
        list(APPEND labels ${label})
      endif()
    endforeach()
    set_tests_properties("${test}" PROPERTIES LABELS "${labels}")
  endforeach()
endfunction()
