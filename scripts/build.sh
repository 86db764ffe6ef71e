#!/usr/bin/env bash
# Configures and builds one preset: scripts/build.sh PRESET [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."

preset=$1
shift
if command -v ninja > /dev/null; then export CMAKE_GENERATOR=Ninja; fi
cmake --preset "$preset" > "/tmp/thimble-cmake-$$.log" || { cat "/tmp/thimble-cmake-$$.log"; exit 1; }
rm -f "/tmp/thimble-cmake-$$.log"
cmake --build --preset "$preset" --parallel "$(nproc)" ${1:+--target "$@"}
