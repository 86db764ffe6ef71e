#!/usr/bin/env bash
# How close each dtype comes to fp32: scripts/bench_quality.sh FILE, a csv of s1,s2,score or one text a line.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${1:-}" ]; then
  echo "usage: make bench-quality DATA=FILE" >&2
  exit 2
fi
scripts/setup.sh
scripts/build.sh release thimble_cli bench_quality
scripts/model.sh fp32 fp16 q8 q6 q4 q4-small
models=build/models/all-MiniLM-L6-v2
build/bench_quality "$1" "$models"-{fp32,fp16,q8,q6,q4,q4-small}.safetensors
