#!/usr/bin/env bash
# Measures memory: the table of thimble memory (with the peers where npm is), its bounds, the start of a process, and a
# million texts. Leaves build/memory.json, which scripts/memory_report.py puts into the documents.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh release
scripts/model.sh fp32 fp16 q8 q6 q4 q4-small
models=$PWD/build/models
peers=()
if command -v npm > /dev/null; then
  THIMBLE_PEERS=$(scripts/peers.sh)
  export THIMBLE_PEERS
  peers=(--peers)
else
  echo "npm is not installed: the peers are not measured"
fi

echo "== the table: thimble memory ${peers[*]}"
build/thimble memory --folder "$models" "${peers[@]}" --json > build/memory.json
python3 scripts/memory_report.py --print build/memory.json

echo "== the bounds: tests/memory_bounds_test.py, tests/pressure_test.py"
export THIMBLE_CLI=$PWD/build/thimble THIMBLE_BUILD=$PWD/build THIMBLE_MAKE_TEST_MODEL=$PWD/build/make_test_model
THIMBLE_REAL_MODEL=$models python3 tests/memory_bounds_test.py -v
THIMBLE_REAL_MODEL=$models python3 tests/pressure_test.py -v

echo "== start to first vector, and loading again"
for dtype in q8 q4; do build/bench_cold_start "$models/all-MiniLM-L6-v2-$dtype.safetensors"; done
python3 tests/memory_texts.py build/memory-texts
for dtype in q8 q4; do build/bench_memory "$models/all-MiniLM-L6-v2-$dtype.safetensors" build/memory-texts; done

echo "== a million texts (about 10 minutes)"
build/bench_memory "$models/all-MiniLM-L6-v2-q8.safetensors" build/memory-texts 0 "${MANY:-1000000}"
