#!/usr/bin/env bash
# Measures memory: thimble, the peers where npm is, thimble's bounds, the start of a process, and a million texts. Leaves
# build/memory.json, and puts a run with the peers into the documents.
set -euo pipefail
cd "$(dirname "$0")/../.."

scripts/build.sh release
scripts/models/model.sh fp32 fp16 q8 q6 q4 q4-small
models=$PWD/build/models
python3 tests/support/memory_texts.py build/memory-texts

echo "== the table: thimble memory, bench/memory/peers.py"
build/thimble memory --folder "$models" --json > build/memory.json
if command -v npm > /dev/null; then
  python3 bench/memory/peers.py "$(bench/peers/fetch.sh)" build/memory-texts build/memory.json
  bench/report.sh memory build/memory.json
else
  echo "npm is not installed: the peers are not measured"
fi
python3 bench/memory/report.py --print build/memory.json

echo "== the bounds: tests/memory/memory_bounds_test.py, tests/memory/pressure_test.py"
export THIMBLE_CLI=$PWD/build/thimble THIMBLE_BUILD=$PWD/build THIMBLE_MAKE_TEST_MODEL=$PWD/build/make_test_model \
  PYTHONPATH=$PWD/tests/support
THIMBLE_REAL_MODEL=$models python3 tests/memory/memory_bounds_test.py -v
THIMBLE_REAL_MODEL=$models python3 tests/memory/pressure_test.py -v

echo "== start to first vector, and loading again"
for dtype in q8 q4; do
  build/bench_cold_start "$models/all-MiniLM-L6-v2-$dtype.safetensors"
  build/bench_memory "$models/all-MiniLM-L6-v2-$dtype.safetensors" build/memory-texts
done

echo "== a million texts (about 10 minutes)"
build/bench_memory "$models/all-MiniLM-L6-v2-q8.safetensors" build/memory-texts 0 "${MANY:-1000000}"
