# Tests: one program for the unit tests of each layer, one for the integration tests, and the scripts.

find_package(GTest 1.12 REQUIRED)
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
include(GoogleTest)

# Models made of random numbers, for tests that need a file and not its meaning.
add_library(thimble_test_model STATIC tests/test_model.cc)
target_include_directories(thimble_test_model PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(thimble_test_model PUBLIC thimble_flags thimble_convert thimble
                                         PRIVATE nlohmann_json::nlohmann_json)
add_executable(make_test_model tests/make_test_model.cc)
target_link_libraries(make_test_model PRIVATE thimble_test_model)

function(thimble_test name)
  if(NOT ARGN)
    return()
  endif()
  add_executable(${name} ${ARGN})
  target_compile_definitions(${name} PRIVATE THIMBLE_FIXTURES="${PROJECT_SOURCE_DIR}/tests/fixtures"
                                             THIMBLE_CLI="$<TARGET_FILE:thimble_cli>")
  target_link_libraries(${name} PRIVATE thimble_test_model thimble_backends thimble_hub nlohmann_json::nlohmann_json GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 900)
endfunction()

set(layers base json format text kernels model store runtime convert net hub backends cli)
if(THIMBLE_SERVER)
  list(APPEND layers server)
endif()
foreach(layer ${layers})
  file(GLOB sources CONFIGURE_DEPENDS src/${layer}/*_test.cc)
  thimble_test(${layer}_test ${sources})
endforeach()
file(GLOB sources CONFIGURE_DEPENDS tests/*_test.cc)
# A program of its own, because it replaces what the others need whole.
list(FILTER sources EXCLUDE REGEX "/allocation_test\\.cc$")
thimble_test(integration_test ${sources})
thimble_test(allocation_test tests/allocation_test.cc)
target_link_options(allocation_test PRIVATE -Wl,--wrap=mmap -Wl,--wrap=pthread_create)
target_link_libraries(cli_test PRIVATE thimble_commands)
if(THIMBLE_SERVER)
  target_link_libraries(server_test PRIVATE thimble_server)
endif()
# It is slow in any case, and takes ten times as long to optimise as the kernels that it is made of.
set_source_files_properties(src/kernels/emulated_test.cc PROPERTIES COMPILE_OPTIONS -O0)

# Python tests get what they need by environment.
file(GLOB python_tests CONFIGURE_DEPENDS tests/*_test.py)
foreach(script ${python_tests})
  get_filename_component(name ${script} NAME_WE)
  add_test(NAME ${name} COMMAND Python3::Interpreter ${script} -v)
  set_tests_properties(
    ${name} PROPERTIES TIMEOUT 1200 COST 100 ENVIRONMENT
                       "THIMBLE_CLI=$<TARGET_FILE:thimble_cli>;THIMBLE_MAKE_TEST_MODEL=$<TARGET_FILE:make_test_model>;\
THIMBLE_BUILD=${PROJECT_BINARY_DIR};THIMBLE_CXX=${CMAKE_CXX_COMPILER};THIMBLE_CXX_FLAGS=${CMAKE_CXX_FLAGS};\
THIMBLE_CMAKE=${CMAKE_COMMAND};PYTHONDONTWRITEBYTECODE=1")
endforeach()

add_test(NAME public_headers_compile_alone COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target
                                                   all_verify_interface_header_sets)

include(cmake/fuzz.cmake)
add_executable(trust_soak tests/trust/soak.cc)
target_link_libraries(trust_soak PRIVATE thimble_flags thimble)
