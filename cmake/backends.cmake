# Backends: what embeds in this process, and clients of providers.

include(cmake/dialects.cmake)
thimble_dialects(${PROJECT_BINARY_DIR}/generated/backends/dialects.inc)
thimble_sources(backends_sources src/backends)
add_library(thimble_backends STATIC ${backends_sources})
add_library(thimble::backends ALIAS thimble_backends)
set_target_properties(thimble_backends PROPERTIES EXPORT_NAME backends)
target_include_directories(thimble_backends PRIVATE $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/generated>)
target_compile_options(thimble_backends PRIVATE -ffunction-sections -fdata-sections)
target_link_libraries(thimble_backends PRIVATE $<BUILD_INTERFACE:thimble_flags> thimble_net PUBLIC thimble)
if(NOT THIMBLE_CROSS_INCLUDE)
  install(TARGETS thimble_backends EXPORT thimbleTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
