#!/usr/bin/env bash
# Configures and builds one preset: scripts/build.sh PRESET [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."

preset=$1
shift
scripts/need.sh cmake
if command -v ninja > /dev/null; then export CMAKE_GENERATOR=Ninja; fi
# What was compiled before, in any folder of the build, is not compiled again.
if command -v ccache > /dev/null; then
  cache="env;CCACHE_DIR=${CCACHE_DIR:-$PWD/build/ccache};CCACHE_MAXSIZE=1G;CCACHE_DEPEND=1;ccache"
  export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER:-$cache}
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! cmake --preset "$preset" > "$log"; then
  cat "$log"
  echo "build: \"make install-deps\" installs what building and testing need" >&2
  exit 1
fi
cmake --build --preset "$preset" --parallel "$(nproc)" ${1:+--target "$@"}
