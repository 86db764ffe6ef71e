# What runs under an emulator of another processor: the tests of the kernels, and a program that embeds lines. There is
# no GoogleTest of that processor, so that its source is compiled with them.

enable_testing()
include(GoogleTest)
set(gtest_source /usr/src/googletest/googletest)
add_library(cross_gtest STATIC ${gtest_source}/src/gtest-all.cc ${gtest_source}/src/gtest_main.cc)
target_compile_options(cross_gtest PRIVATE -O1)
target_include_directories(cross_gtest SYSTEM PUBLIC ${gtest_source}/include PRIVATE ${gtest_source})

file(GLOB sources CONFIGURE_DEPENDS src/kernels/*_test.cc)
add_executable(kernels_test ${sources})
target_link_libraries(kernels_test PRIVATE thimble_flags thimble cross_gtest)
gtest_discover_tests(kernels_test DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300)

add_executable(embed_lines tests/embed/embed_lines.cc)
target_link_libraries(embed_lines PRIVATE thimble)
