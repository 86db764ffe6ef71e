#!/usr/bin/env bash
# Measures: the forward pass against the floor of every instruction set that runs here, one text on two threads, and the
# start of the command line.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/build.sh release thimble_cli bench_forward bench_threads bench_cold_start bench_shapes
scripts/models/model.sh q8 q6 q4 fp16 fp32
models=build/models/all-MiniLM-L6-v2
build/bench_forward "$models"-{q8,q6,q4,fp16,fp32}.safetensors
# Random weights with the shapes of other models: times do not depend on values.
mkdir -p build/shapes
for shape in multilingual-e5-small bge-base-en-v1.5 all-mpnet-base-v2 bge-m3-6-layers ms-marco-MiniLM-L6-v2; do
  if [ ! -f build/shapes/$shape-q8.safetensors ]; then build/bench_shapes build/shapes $shape q8; fi
  build/bench_forward build/shapes/$shape-q8.safetensors
done
build/bench_threads "$models-q8.safetensors"
build/bench_cold_start "$models-q8.safetensors"
