# Backends: what embeds in this process, and clients of providers.

include(cmake/dialects.cmake)
thimble_dialects(${PROJECT_BINARY_DIR}/generated/backends/dialects.inc)
thimble_sources(backends_sources src/backends)
add_library(thimble_backends STATIC ${backends_sources})
target_sources(thimble_backends PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include
                                       FILES ${PROJECT_SOURCE_DIR}/include/thimble/backend.h)
target_include_directories(thimble_backends PRIVATE $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/generated>)
target_compile_options(thimble_backends PRIVATE -ffunction-sections -fdata-sections)
target_link_libraries(thimble_backends PRIVATE $<BUILD_INTERFACE:thimble_flags> thimble_net PUBLIC thimble)
