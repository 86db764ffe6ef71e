# The converter and the network, and the hub on top of them.

if(WIN32)
  add_library(thimble_hub STATIC src/hub/hub_windows.cc)
  target_link_libraries(thimble_hub PRIVATE thimble_flags PUBLIC thimble)
  return()
endif()

if(THIMBLE_UTF8PROC_SOURCE)
  enable_language(C)
  # Those of zig for musl are archives, which would end up inside shared libraries.
  set(CMAKE_C_IMPLICIT_LINK_LIBRARIES)
  add_library(utf8proc STATIC ${THIMBLE_UTF8PROC_SOURCE}/utf8proc.c)
  target_compile_definitions(utf8proc PUBLIC UTF8PROC_STATIC)
  set(UTF8PROC_LIBRARY utf8proc)
  set(UTF8PROC_INCLUDE_DIR ${THIMBLE_UTF8PROC_SOURCE})
else()
  find_path(UTF8PROC_INCLUDE_DIR utf8proc.h REQUIRED)
  # The archive first: another shared library would slow every start of the command line.
  find_library(UTF8PROC_LIBRARY NAMES libutf8proc.a utf8proc REQUIRED)
endif()

if(NOT THIMBLE_CROSS_INCLUDE)
  find_path(PROTOZERO_INCLUDE_DIR protozero/pbf_reader.hpp REQUIRED)
endif()

thimble_sources(convert_sources src/convert src/convert/names)
add_library(thimble_convert STATIC ${convert_sources})
target_sources(thimble_convert PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include
                                      FILES ${PROJECT_SOURCE_DIR}/include/thimble/convert.h)
target_compile_options(thimble_convert PRIVATE -ffunction-sections -fdata-sections)
target_link_libraries(thimble_convert PRIVATE $<BUILD_INTERFACE:thimble_flags> ${UTF8PROC_LIBRARY} PUBLIC thimble)
target_include_directories(thimble_convert SYSTEM PRIVATE ${UTF8PROC_INCLUDE_DIR} ${PROTOZERO_INCLUDE_DIR})

# libcurl's headers alone: it is loaded when it is first needed.
if(NOT THIMBLE_CROSS_INCLUDE)
  find_path(CURL_INCLUDE_DIR curl/curl.h REQUIRED)
endif()
thimble_sources(net_sources src/net)
add_library(thimble_net STATIC ${net_sources})
target_compile_definitions(thimble_net PRIVATE THIMBLE_VERSION="${PROJECT_VERSION}")
target_compile_options(thimble_net PRIVATE -ffunction-sections -fdata-sections)
target_link_libraries(thimble_net PRIVATE $<BUILD_INTERFACE:thimble_flags> ${CMAKE_DL_LIBS} PUBLIC thimble)
if(CURL_INCLUDE_DIR)
  target_include_directories(thimble_net SYSTEM PUBLIC $<BUILD_INTERFACE:${CURL_INCLUDE_DIR}>)
endif()

thimble_sources(hub_sources src/hub)
add_library(thimble_hub STATIC ${hub_sources})
target_sources(thimble_hub PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include
                                  FILES ${PROJECT_SOURCE_DIR}/include/thimble/hub.h)
target_compile_options(thimble_hub PRIVATE -ffunction-sections -fdata-sections)
target_link_libraries(thimble_hub PRIVATE $<BUILD_INTERFACE:thimble_flags> thimble_convert thimble_net PUBLIC thimble)
