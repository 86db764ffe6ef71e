#!/usr/bin/env bash
# Checks everything: release, sanitizers, no exceptions, the second compiler, format, and the real model.
set -euo pipefail
cd "$(dirname "$0")/.."

stage() {
  echo
  echo "== $* ($(date +%T))"
}
logs=build/test-logs
# ctest's results go to a file, so that they can be counted at the end. One test more than there are processors, because
# that of the hub mostly waits.
run_tests() {
  local name=$1 folder=$2
  shift 2
  ctest --test-dir "$folder" --output-on-failure --output-junit "$PWD/$logs/$name.xml" \
    --parallel $(($(nproc) + 1)) "$@" \
    > "$logs/$name.log" 2>&1 || failed=1
  if [ -n "${failed:-}" ]; then grep -vE '^ +(Start +)?[0-9]+(/[0-9]+)?.*(Start|Passed)' "$logs/$name.log" || true; fi
  grep -E 'tests passed|No tests|Total Test time' "$logs/$name.log" || true
  if [ -n "${failed:-}" ]; then exit 1; fi
}

stage set-up
scripts/setup.sh
scripts/setup_node.sh
rm -rf "$logs"
mkdir -p "$logs"
trap 'python3 scripts/count_tests.py "$logs"' EXIT

# Cross-built, and run by an emulator of the processor.
stage aarch64
scripts/build.sh aarch64 kernels_test embed_lines
run_tests aarch64 build-aarch64

stage shared
scripts/build.sh shared

stage release
scripts/build.sh release
scripts/models/model.sh fp32 fp16 q8 q6 q4 q4-small
onnx=$PWD/$(scripts/models/fetch.sh onnx)
scripts/models/fetch.sh known gte-small
# For this stage alone: the sanitizers below would take many minutes for real models and for emulation.
THIMBLE_REAL_MODEL=$PWD/build/models THIMBLE_REAL_ONNX=$onnx THIMBLE_KNOWN_MODELS=$PWD/build/models/known \
  THIMBLE_CROSS_BUILD=$PWD/build-aarch64 THIMBLE_SHARED_BUILD=$PWD/build-shared run_tests release build
for dtype in fp32 fp16 q8 q6 q4 q4-small; do
  build/example_embed "build/models/all-MiniLM-L6-v2-$dtype.safetensors" "The cat sleeps." "A kitten naps."
done

stage clients
tests/clients/run.sh "$logs" > "$logs/clients.log" 2>&1 || { cat "$logs/clients.log"; exit 1; }
grep -E '(passed|pass) ' "$logs/clients.log"

# The second compiler is the one that builds the packages.
stage node
scripts/release/packages.sh "linux-$(node -p process.arch)-gnu"
scripts/node.sh test "$PWD/$logs/node.xml" > "$logs/node.log" 2>&1 || { cat "$logs/node.log"; exit 1; }
grep -E '^. (pass|fail) ' "$logs/node.log"

stage bundlers
tests/bundlers/run.sh "$logs" > "$logs/bundlers.log" 2>&1 || { cat "$logs/bundlers.log"; exit 1; }
grep -E '^. (pass|fail) ' "$logs/bundlers.log"

stage swap
tests/swap/run.sh "$logs" > "$logs/swap.log" 2>&1 || { cat "$logs/swap.log"; exit 1; }
grep -E '^. (pass|fail) ' "$logs/swap.log"

stage noexcept
scripts/build.sh noexcept
build-noexcept/example_embed build/models/all-MiniLM-L6-v2-q8.safetensors "The cat sleeps." "A kitten naps."

stage asan
scripts/build.sh asan
# Bits and accuracy, which a sanitizer does not change, are compared above; other tests here run the same code. So is what
# is installed, and the scripts of comparisons.
run_tests asan build-asan \
  -E '^(isa|folders|package|peers)_test$|^WideModel|VectorsAreCloseToTheFp32Model|^public_headers'

stage tsan
scripts/build.sh tsan base_test runtime_test integration_test
run_tests tsan build-tsan -R 'Thread|Fork|Concurren|Team|Pool' -E 'Pooling|PoolTo'

# "make lint" runs clang-tidy too, which takes many minutes.
stage format
scripts/lint.sh --format
