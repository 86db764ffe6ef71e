#!/usr/bin/env bash
# Builds the core and an example with each of the compilers and embeds a text, which must give one result for all:
# scripts/release/compilers.sh [--tools] [COMPILER...]; without names, those of this machine that thimble is meant for. With
# --tools the converter, the hub, the server and the command line too. Little optimised, to be quick.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools=OFF
if [ "${1:-}" = --tools ]; then tools=ON; shift; fi
compilers=("$@")
if [ ${#compilers[@]} -eq 0 ]; then
  for name in g++-{12..16} clang++-{14..22}; do
    if command -v "$name" > /dev/null; then compilers+=("$name"); fi
  done
fi
if command -v ninja > /dev/null; then export CMAKE_GENERATOR=Ninja; fi
scripts/need.sh cmake

model=build/compilers/q8.safetensors
if [ ! -e $model ]; then
  scripts/build.sh release make_test_model
  mkdir -p build/compilers
  build/make_test_model build/compilers
fi
results=()
for compiler in "${compilers[@]}"; do
  build=build-compilers/$compiler
  echo "== $("$compiler" --version | head -n 1)"
  cmake -S . -B "$build" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS=-O1 \
    -DCMAKE_COMPILE_WARNING_AS_ERROR=ON -DTHIMBLE_TOOLS=$tools -DTHIMBLE_DEVELOPER=OFF > /dev/null
  cmake --build "$build" --parallel "$(nproc)"
  results+=("$("$build/example_embed" $model "a short text" "another text, with more words")")
  echo "${results[-1]}"
done
if [ "$(printf '%s\n' "${results[@]}" | sort -u | wc -l)" != 1 ]; then
  echo "compilers: the results differ" >&2
  exit 1
fi
