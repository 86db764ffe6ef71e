# Tests: one program for the unit tests of each room, one for the integration tests, and the scripts. Their labels:
#   a room of src/ or a folder of tests/, such as convert or server
#   unit, integration, python   how it is written
#   threads                     what depends on threads or forks, for ThreadSanitizer
#   bits, memory                results that a sanitizer does not change, and figures that it does
#   model                       needs models that scripts/models/ gets; skipped without them
# What has none of bits, memory, bench, docs, package and model runs with AddressSanitizer.

find_package(GTest 1.12 REQUIRED)
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
include(GoogleTest)

# Models made of random numbers, for tests that need a file and not its meaning.
add_library(thimble_test_model STATIC tests/support/files.cc tests/support/test_model.cc)
target_include_directories(thimble_test_model PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(thimble_test_model PUBLIC thimble_flags thimble_convert thimble
                                         PRIVATE nlohmann_json::nlohmann_json)
# All that ctest runs but what is measured.
add_custom_target(test_programs)
add_executable(make_test_model tests/support/make_test_model.cc)
target_link_libraries(make_test_model PRIVATE thimble_test_model)
add_dependencies(test_programs thimble_cli make_test_model)

# thimble_test(NAME LABELS SOURCE...)
set(label_calls "include(${PROJECT_SOURCE_DIR}/cmake/labels.cmake)\n")
function(thimble_test name labels)
  if(NOT ARGN)
    return()
  endif()
  add_executable(${name} ${ARGN})
  target_compile_definitions(${name} PRIVATE THIMBLE_FIXTURES="${PROJECT_SOURCE_DIR}/tests/fixtures"
                                             THIMBLE_CLI="$<TARGET_FILE:thimble_cli>")
  target_link_libraries(${name} PRIVATE thimble_test_model thimble_bulk thimble_backends thimble_hub nlohmann_json::nlohmann_json GTest::gtest_main)
  add_dependencies(test_programs ${name})
  # Assertions take longer to optimise than to check, and most of a test's source is headers. The preset dev compiles
  # files alone, so that one that was changed is soon built.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  if(NOT CMAKE_BUILD_TYPE STREQUAL Debug)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON)
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 400)
  set(label_calls "${label_calls}thimble_label(${name} ${labels})\n" PARENT_SCOPE)
endfunction()

set(rooms base json format text kernels model store cache runtime bulk convert net hub backends sync cli)
if(THIMBLE_SERVER)
  list(APPEND rooms server)
endif()
foreach(room ${rooms})
  file(GLOB sources CONFIGURE_DEPENDS src/${room}/*_test.cc)
  thimble_test(${room}_test "unit;${room}" ${sources})
endforeach()
file(GLOB sources CONFIGURE_DEPENDS tests/*/*_test.cc)
# A program of its own, because it replaces what the others need whole.
list(FILTER sources EXCLUDE REGEX "/allocation_test\\.cc$")
thimble_test(integration_test integration ${sources})
thimble_test(allocation_test "integration;hostile" tests/hostile/allocation_test.cc)
target_link_options(allocation_test PRIVATE -Wl,--wrap=mmap -Wl,--wrap=pthread_create)
target_link_libraries(cli_test PRIVATE thimble_commands)
target_link_libraries(sync_test PRIVATE thimble_sync)
if(THIMBLE_SERVER)
  target_link_libraries(server_test PRIVATE thimble_server)
endif()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/labels.cmake CONTENT "${label_calls}")
set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${PROJECT_BINARY_DIR}/labels.cmake)
# It is slow in any case, and takes ten times as long to optimise as the kernels that it is made of.
set_source_files_properties(src/kernels/emulated_test.cc PROPERTIES COMPILE_OPTIONS -O0)

# Python tests get what they need by environment. The longest begin first.
set(longest hub_test exhaustion_test cli_test isa_test trust_test)
set(bits isa_test folders_test rerankers_test)
set(model real_model_test known_models_test)
file(GLOB python_tests CONFIGURE_DEPENDS tests/*/*_test.py)
list(FILTER python_tests EXCLUDE REGEX "/(adapters_python|clients|fleets)/")  # The run.sh of each folder runs them.
foreach(script ${python_tests})
  get_filename_component(name ${script} NAME_WE)
  get_filename_component(folder ${script} DIRECTORY)
  get_filename_component(labels ${folder} NAME)
  list(APPEND labels python)
  foreach(label bits model)
    if(name IN_LIST ${label})
      list(APPEND labels ${label})
    endif()
  endforeach()
  set(cost 100)
  if(name IN_LIST longest)
    set(cost 200)
  endif()
  add_test(NAME ${name} COMMAND Python3::Interpreter ${script} -v)
  set_tests_properties(
    ${name} PROPERTIES TIMEOUT 1200 COST ${cost} LABELS "${labels}" ENVIRONMENT
                       "THIMBLE_CLI=$<TARGET_FILE:thimble_cli>;THIMBLE_MAKE_TEST_MODEL=$<TARGET_FILE:make_test_model>;\
THIMBLE_BUILD=${PROJECT_BINARY_DIR};THIMBLE_CXX=${CMAKE_CXX_COMPILER};THIMBLE_CXX_FLAGS=${CMAKE_CXX_FLAGS};\
THIMBLE_CMAKE=${CMAKE_COMMAND};PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/support;PYTHONDONTWRITEBYTECODE=1")
endforeach()

add_test(NAME public_headers_compile_alone COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target
                                                   all_verify_interface_header_sets)
set_tests_properties(public_headers_compile_alone PROPERTIES LABELS package)

include(cmake/fuzz.cmake)
add_executable(trust_soak tests/trust/soak.cc)
target_link_libraries(trust_soak PRIVATE thimble_flags thimble)
