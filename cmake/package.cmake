# What applications link and find_package(thimble) finds: thimble::thimble, and with THIMBLE_TOOLS thimble::hub,
# thimble::convert, thimble::backends, thimble::bulk and thimble::c. They are the static libraries; or with BUILD_SHARED_LIBS
# one shared library of all that is built.

include(CMakePackageConfigHelpers)

set(parts thimble)
set(public_parts hub backends convert bulk)
foreach(part hub backends convert net bulk)
  if(TARGET thimble_${part})
    list(APPEND parts thimble_${part})
  else()
    list(REMOVE_ITEM public_parts ${part})
  endif()
endforeach()

if(NOT BUILD_SHARED_LIBS)
  add_library(thimble::thimble ALIAS thimble)
  foreach(part ${public_parts})
    add_library(thimble::${part} ALIAS thimble_${part})
  endforeach()
  foreach(part ${parts})
    string(REPLACE thimble_ "" name ${part})
    set_target_properties(${part} PROPERTIES EXPORT_NAME ${name})
  endforeach()
  set(installed ${parts})
else()
  if(WIN32)
    message(FATAL_ERROR "BUILD_SHARED_LIBS: thimble is no DLL; leave it off and link the static library")
  endif()
  # While the major version is 0, minor versions change the interface.
  set(interface ${PROJECT_VERSION_MAJOR})
  if(interface EQUAL 0)
    string(APPEND interface .${PROJECT_VERSION_MINOR})
  endif()
  add_library(thimble_shared SHARED)
  foreach(part ${parts})
    target_sources(thimble_shared PRIVATE $<TARGET_OBJECTS:${part}>)
    get_target_property(headers ${part} HEADER_SET)
    if(headers)
      target_sources(thimble_shared PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${headers})
    endif()
  endforeach()
  set_target_properties(thimble_shared PROPERTIES OUTPUT_NAME thimble EXPORT_NAME thimble LINKER_LANGUAGE CXX
                                                  VERSION ${PROJECT_VERSION} SOVERSION ${interface}
                                                  LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
  target_compile_features(thimble_shared PUBLIC cxx_std_20)
  target_compile_definitions(thimble_shared INTERFACE THIMBLE_SHARED)
  target_link_libraries(thimble_shared PUBLIC Threads::Threads PRIVATE ${CMAKE_DL_LIBS})
  if(TARGET thimble_convert)
    target_link_libraries(thimble_shared PRIVATE $<BUILD_INTERFACE:${UTF8PROC_LIBRARY}>)
  endif()
  if(NOT APPLE)
    # Templates of the C++ library are visible whatever the compiler is told, so that the linker hides what is not ours.
    configure_file(cmake/exports.map.in ${PROJECT_BINARY_DIR}/exports.map @ONLY)
    target_link_options(thimble_shared PRIVATE LINKER:--version-script=${PROJECT_BINARY_DIR}/exports.map
                                               LINKER:--gc-sections LINKER:-Bsymbolic LINKER:--no-undefined)
    set_target_properties(thimble_shared PROPERTIES LINK_DEPENDS ${PROJECT_BINARY_DIR}/exports.map)
  endif()
  add_library(thimble::thimble ALIAS thimble_shared)
  set(installed thimble_shared)
  foreach(part ${public_parts})
    add_library(thimble_shared_${part} INTERFACE)
    target_link_libraries(thimble_shared_${part} INTERFACE thimble_shared)
    set_target_properties(thimble_shared_${part} PROPERTIES EXPORT_NAME ${part})
    add_library(thimble::${part} ALIAS thimble_shared_${part})
    list(APPEND installed thimble_shared_${part})
  endforeach()
endif()

if(TARGET thimble_c)
  list(APPEND installed thimble_c)
endif()

# A library for another system is not installed on this one.
if(THIMBLE_CROSS_INCLUDE)
  return()
endif()
install(TARGETS ${installed} EXPORT thimbleTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} FILE_SET HEADERS)
install(EXPORT thimbleTargets NAMESPACE thimble:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/thimble)
configure_package_config_file(cmake/thimbleConfig.cmake.in ${PROJECT_BINARY_DIR}/thimbleConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/thimble)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/thimbleConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/thimbleConfig.cmake ${PROJECT_BINARY_DIR}/thimbleConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/thimble)
install(FILES LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR})
