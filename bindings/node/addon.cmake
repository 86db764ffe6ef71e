# The addon of the Node.js package. Its headers come from npm packages, so that nothing else has to be downloaded.

set(node_modules ${PROJECT_SOURCE_DIR}/bindings/node/node_modules)
set(node_headers ${node_modules}/node-api-headers/include ${node_modules}/node-addon-api)
foreach(folder ${node_headers})
  if(NOT EXISTS ${folder})
    message(FATAL_ERROR "${folder} is missing: run npm install --ignore-scripts in bindings/node")
  endif()
endforeach()

file(GLOB addon_sources CONFIGURE_DEPENDS bindings/node/src/*.cc)
# zig's linker fails on the bundles that a MODULE is on macOS; node loads either.
set(addon_kind MODULE)
if(APPLE OR THIMBLE_LAUNCHER)  # Then the command line links it.
  set(addon_kind SHARED)
endif()
add_library(thimble_node ${addon_kind} ${addon_sources})
set_target_properties(thimble_node PROPERTIES OUTPUT_NAME thimble PREFIX "" SUFFIX .node CXX_VISIBILITY_PRESET hidden
                                              LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
target_compile_definitions(thimble_node PRIVATE THIMBLE_VERSION="${PROJECT_VERSION}" NAPI_VERSION=8
                                                NAPI_DISABLE_CPP_EXCEPTIONS NODE_ADDON_API_DISABLE_DEPRECATED
                                                # A worker that is being terminated refuses exceptions.
                                                NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS)
target_include_directories(thimble_node SYSTEM PRIVATE ${node_headers})
target_link_libraries(thimble_node PRIVATE thimble_flags thimble_hub thimble)
# Node.js unloads an addon with the last worker that loaded it, and threads of the process run its code longer. On
# macOS and Windows the addon calls KeepLoaded().
if(NOT APPLE AND NOT WIN32)
  target_link_options(thimble_node PRIVATE LINKER:-z,nodelete)
  if(BUILD_SHARED_LIBS)  # The parts that it links show the public interface then.
    target_link_options(thimble_node PRIVATE LINKER:--exclude-libs,ALL)
  endif()
endif()
if(THIMBLE_LAUNCHER)
  target_link_libraries(thimble_node PRIVATE thimble_commands)
  # In the command line there is no node, and what is weak may be missing.
  target_compile_definitions(thimble_node PRIVATE [[NAPI_EXTERN=__attribute__((weak,visibility("default")))]])
  # zig takes no library of this ending by its path.
  add_dependencies(thimble_cli thimble_node)
  target_link_options(thimble_cli PRIVATE -L${PROJECT_BINARY_DIR})
  target_link_libraries(thimble_cli PRIVATE -l:thimble.node)
  set(origin $ORIGIN)
  if(APPLE)
    set(origin @loader_path)
  endif()
  set_target_properties(thimble_cli PROPERTIES BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH ${origin})
endif()
if(WIN32)
  # Elsewhere what node has is found when the addon is loaded; here a library names it.
  execute_process(COMMAND ${THIMBLE_ZIG_BIN}/dlltool -m i386:x86-64 -d ${node_modules}/node-api-headers/def/node_api.def
                          -l ${PROJECT_BINARY_DIR}/node_api.lib COMMAND_ERROR_IS_FATAL ANY)
  target_link_libraries(thimble_node PRIVATE ${PROJECT_BINARY_DIR}/node_api.lib)
endif()
