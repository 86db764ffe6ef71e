#!/usr/bin/env bash
# Format and naming: clang-format on every source, clang-tidy on every one that is compiled here. With --format, the
# first alone.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/need.sh clang-format-19
folders=(include src tests bench examples bindings)
find "${folders[@]}" -name node_modules -prune -o -name '*.h' -print0 -o -name '*.cc' -print0 \
  | xargs -0 clang-format-19 --dry-run -Werror
if [ "${1:-}" = --format ]; then exit 0; fi

scripts/need.sh clang-tidy-19 cmake
cmake --preset dev > /dev/null  # Which compiles each file alone.
find src tests bench bindings -name node_modules -prune -o -path tests/consumer -prune -o -name '*_darwin.cc' -o \
  -name '*_windows.cc' -o -name '*.cc' -print0 \
  | xargs -0 -n 1 -P "$(nproc)" clang-tidy-19 --quiet -p build-dev --warnings-as-errors='*' 2> /dev/null
echo "lint: clean"
