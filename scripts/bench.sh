#!/usr/bin/env bash
# Measures: the forward pass against the machine's floor, and the start of the command line.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh
scripts/build.sh release thimble_cli bench_forward bench_cold_start
scripts/model.sh q8 q6 q4
models=build/models/all-MiniLM-L6-v2
build/bench_forward "$models"-{q8,q6,q4}.safetensors
build/bench_cold_start "$models-q8.safetensors"
