# The server, of which only the command line knows. Boost's headers, and nothing of it to link.

if(NOT THIMBLE_CROSS_INCLUDE)
  find_path(BOOST_INCLUDE_DIR boost/beast/version.hpp REQUIRED)
endif()
thimble_sources(server_sources src/server)
add_library(thimble_server STATIC ${server_sources})
target_compile_definitions(thimble_server PRIVATE BOOST_ASIO_NO_DEPRECATED)
target_compile_options(thimble_server PRIVATE -ffunction-sections -fdata-sections)
target_link_libraries(thimble_server PUBLIC thimble_flags thimble PRIVATE ${CMAKE_DL_LIBS})
if(BOOST_INCLUDE_DIR)
  target_include_directories(thimble_server SYSTEM PRIVATE ${BOOST_INCLUDE_DIR})
endif()
