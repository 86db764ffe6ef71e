# Makes a string of src/backends/dialects.json: thimble_dialects(FILE) writes the C++ that src/backends/table.cc includes.

function(thimble_dialects file)
  set(source ${PROJECT_SOURCE_DIR}/src/backends/dialects.json)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(READ ${source} json)
  file(CONFIGURE OUTPUT ${file} @ONLY CONTENT "// Made of src/backends/dialects.json.\nR\"json(${json})json\"\n")
endfunction()
