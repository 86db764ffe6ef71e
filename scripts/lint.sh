#!/usr/bin/env bash
# Format and naming: clang-format on every source, clang-tidy on every one that is compiled here.
set -euo pipefail
cd "$(dirname "$0")/.."

git ls-files -z '*.h' '*.cc' | xargs -0 clang-format-19 --dry-run -Werror
git ls-files -z '*.cc' ':!examples' ':!tests/consumer' ':!*_darwin.cc' ':!*_windows.cc' \
  | xargs -0 -n 1 -P "$(nproc)" clang-tidy-19 --quiet -p build --warnings-as-errors='*' 2> /dev/null
echo "lint: clean"
