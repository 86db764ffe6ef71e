#!/usr/bin/env bash
# Builds the root file system of the container image into build/container/rootfs: the command line, linked statically
# with musl, and the model all-MiniLM-L6-v2 as q8. Fails if they are too large. With --check (root only), also runs it
# in a chroot without anything else, as a container would: scripts/release/container.sh [--check]
set -euo pipefail
cd "$(dirname "$0")/../.."

most_bytes=30000000  # Of the image.
scripts/need.sh cmake python3
tools=$(scripts/release/zig.sh)
export ZIG_GLOBAL_CACHE_DIR=$tools/cache
if command -v ninja > /dev/null; then export CMAKE_GENERATOR=Ninja; fi

build=build-container
log=$build/build.log
mkdir -p "$build"
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_COMPILE_WARNING_AS_ERROR=ON \
  -DCMAKE_TOOLCHAIN_FILE=cmake/zig.cmake -DTHIMBLE_ZIG_BIN="$tools/bin" \
  -DTHIMBLE_ZIG_TARGET="$(uname -m)-linux-musl" -DTHIMBLE_CROSS_INCLUDE="$tools/include" -DTHIMBLE_DEVELOPER=OFF \
  -DTHIMBLE_EXAMPLES=OFF -DTHIMBLE_COMPACT=ON -DTHIMBLE_SERVER=ON \
  -DUTF8PROC_LIBRARY="$(find /usr/lib -name libutf8proc.a)" -DUTF8PROC_INCLUDE_DIR=/usr/include > "$log" 2>&1 \
  && cmake --build "$build" --target thimble_cli --parallel "$(nproc)" >> "$log" 2>&1 \
  || { tail -n 40 "$log" >&2; exit 1; }

rootfs=build/container/rootfs
rm -rf "$rootfs"
mkdir -p "$rootfs/models/sentence-transformers"
cp "$build/thimble" LICENSE NOTICE "$rootfs"
"$build/thimble" convert "$(scripts/models/fetch.sh model)" \
  "$rootfs/models/sentence-transformers/all-MiniLM-L6-v2-q8.safetensors" --dtype q8 --name all-MiniLM-L6-v2
bytes=$(du -sb "$rootfs" | cut -f 1)
echo "$rootfs: $bytes bytes, of which the program $(stat -c %s "$rootfs/thimble")"
if [ "$bytes" -ge $most_bytes ]; then
  echo "container: an image must stay below $most_bytes bytes" >&2
  exit 1
fi
if [ "${1:-}" = --check ]; then python3 docker/check.py "$rootfs"; fi
