# Cross compiling with zig: THIMBLE_ZIG_BIN is a folder with cc, c++, ar, ranlib and dlltool, THIMBLE_ZIG_TARGET what it is for.
# The headers of libraries come from links in THIMBLE_CROSS_INCLUDE, because those of this system must stay out of sight.

set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES THIMBLE_ZIG_BIN THIMBLE_ZIG_TARGET)
string(REGEX MATCH "^[a-z0-9_]+" CMAKE_SYSTEM_PROCESSOR "${THIMBLE_ZIG_TARGET}")
set(link_flags "-s -Wl,--gc-sections")
if(THIMBLE_ZIG_TARGET MATCHES "linux")
  set(CMAKE_SYSTEM_NAME Linux)
elseif(THIMBLE_ZIG_TARGET MATCHES "macos")
  set(CMAKE_SYSTEM_NAME Darwin)
  set(link_flags "-s -Wl,-dead_strip -Wl,-undefined,dynamic_lookup")  # Of the addon, node has the rest.
else()
  set(CMAKE_SYSTEM_NAME Windows)
endif()
foreach(language C CXX)
  set(CMAKE_${language}_COMPILER_TARGET ${THIMBLE_ZIG_TARGET})
endforeach()
set(CMAKE_C_COMPILER ${THIMBLE_ZIG_BIN}/cc)
set(CMAKE_CXX_COMPILER ${THIMBLE_ZIG_BIN}/c++)
set(CMAKE_AR ${THIMBLE_ZIG_BIN}/ar)
set(CMAKE_RANLIB ${THIMBLE_ZIG_BIN}/ranlib)
if(THIMBLE_ZIG_TARGET MATCHES "windows")
  set(CMAKE_RC_COMPILER true)  # Asked for, and not used.
endif()
foreach(kind EXE MODULE SHARED)
  set(CMAKE_${kind}_LINKER_FLAGS_INIT ${link_flags})
endforeach()
set(CMAKE_INSTALL_NAME_TOOL true)  # Asked for, and not used.
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE NEVER)
