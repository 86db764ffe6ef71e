# Finds the sources of layers: every .cc of a folder but the tests beside them.

function(thimble_sources variable)
  set(found "")
  foreach(folder ${ARGN})
    file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cc)
    list(FILTER files EXCLUDE REGEX "_test\\.cc$")
    list(APPEND found ${files})
  endforeach()
  set(${variable} ${found} PARENT_SCOPE)
endfunction()
