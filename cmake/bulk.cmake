# Jobs over files of texts.

thimble_sources(bulk_sources src/bulk)
add_library(thimble_bulk STATIC ${bulk_sources})
target_sources(thimble_bulk PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include
                                   FILES ${PROJECT_SOURCE_DIR}/include/thimble/bulk.h)
target_compile_definitions(thimble_bulk PRIVATE THIMBLE_VERSION="${PROJECT_VERSION}")
target_compile_options(thimble_bulk PRIVATE -ffunction-sections -fdata-sections)
target_link_libraries(thimble_bulk PRIVATE $<BUILD_INTERFACE:thimble_flags> PUBLIC thimble)
