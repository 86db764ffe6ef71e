#!/usr/bin/env bash
# For packages.sh, wheels.sh and sizes.sh, which source it: what zig's compiler builds for each platform. `platforms` is what
# the caller was given; all when that is nothing.

declare -A targets=(
  [linux-x64-gnu]=x86_64-linux-gnu.2.28
  [linux-x64-musl]=x86_64-linux-musl
  [linux-arm64-gnu]=aarch64-linux-gnu.2.28
  [linux-arm64-musl]=aarch64-linux-musl
  [darwin-x64]=x86_64-macos.12.0
  [darwin-arm64]=aarch64-macos.12.0
  [win32-x64]=x86_64-windows-gnu
)
# Of wheels.
declare -A tags=(
  [linux-x64-gnu]=manylinux_2_28_x86_64
  [linux-x64-musl]=musllinux_1_2_x86_64
  [linux-arm64-gnu]=manylinux_2_28_aarch64
  [linux-arm64-musl]=musllinux_1_2_aarch64
  [darwin-x64]=macosx_12_0_x86_64
  [darwin-arm64]=macosx_12_0_arm64
  [win32-x64]=win_amd64
)
all_platforms=(linux-x64-gnu linux-x64-musl linux-arm64-gnu linux-arm64-musl darwin-x64 darwin-arm64 win32-x64)
if [ ${#platforms[@]} -eq 0 ]; then platforms=("${all_platforms[@]}"); fi

tools=$(scripts/release/zig.sh)
if command -v ninja > /dev/null; then export CMAKE_GENERATOR=Ninja; fi
export ZIG_GLOBAL_CACHE_DIR=$tools/cache

# library_of PLATFORM: the file of the C interface.
library_of() {
  case $1 in
    darwin-*) echo libthimble_c.dylib ;;
    win32-*) echo thimble_c.dll ;;
    *) echo libthimble_c.so ;;
  esac
}

# utf8proc: this system's archive where it fits, else the source inside a crate.
utf8proc_source() {
  local source=$tools/utf8proc-sys
  if [ ! -d "$source" ]; then
    command -v cargo > /dev/null || { echo "native.sh: other processors and systems need cargo" >&2; exit 1; }
    scripts/models/fetch.sh crate utf8proc-sys 0.1.2 "$source" > /dev/null
  fi
  echo "$source/utf8proc"
}

# build_native PLATFORM TARGET...: builds them in build-PLATFORM.
build_native() {
  local platform=$1 target=${targets[$1]:?no such platform: $1} build=build-$1 log=build/packages/$1.log
  local options=() with_tools=ON
  shift
  case $platform in
    linux-x64-*) options+=("-DUTF8PROC_LIBRARY=$(find /usr/lib -name libutf8proc.a)" -DUTF8PROC_INCLUDE_DIR=/usr/include) ;;
    win32-*) with_tools=OFF ;;
    *) options+=("-DTHIMBLE_UTF8PROC_SOURCE=$(utf8proc_source)") ;;
  esac
  mkdir -p build/packages
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_COMPILE_WARNING_AS_ERROR=ON \
    -DCMAKE_TOOLCHAIN_FILE=cmake/zig.cmake -DTHIMBLE_ZIG_BIN="$tools/bin" -DTHIMBLE_ZIG_TARGET="$target" \
    -DTHIMBLE_CROSS_INCLUDE="$tools/include" -DTHIMBLE_DEVELOPER=OFF -DTHIMBLE_EXAMPLES=OFF -DTHIMBLE_NODE=ON \
    -DCMAKE_UNITY_BUILD=ON -DTHIMBLE_COMPACT=ON -DTHIMBLE_SERVER=OFF -DTHIMBLE_TOOLS=$with_tools "${options[@]}" > "$log" 2>&1 \
    && cmake --build "$build" --target "$@" --parallel "$(nproc)" >> "$log" 2>&1 \
    || { tail -n 40 "$log" >&2; exit 1; }
}
