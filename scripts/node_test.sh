#!/usr/bin/env bash
# Tests the Node.js package: scripts/node_test.sh [JUNIT_FILE]. With build/models and build/packages also on the real
# model and as it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup_node.sh --check
scripts/node_build.sh > /dev/null
if [ -f build/models/all-MiniLM-L6-v2-q8.safetensors ]; then export THIMBLE_REAL_MODEL=$PWD/build/models; fi
if [ -d build/packages ]; then export THIMBLE_NODE_PACKAGES=$PWD/build/packages; fi
# Bun's program is a package for each processor; this one asks for no new instructions.
if [ "$(uname -m)" = x86_64 ]; then
  bun=$PWD/build/bun/node_modules/@oven/bun-linux-x64-baseline/bin/bun
  if [ ! -x "$bun" ]; then
    mkdir -p build/bun
    echo '{}' > build/bun/package.json
    npm install --prefix build/bun --ignore-scripts --no-audit --no-fund --loglevel=error @oven/bun-linux-x64-baseline@1.4.5
  fi
fi
cd bindings/node
unset THIMBLE_DOWNLOAD THIMBLE_HOME THIMBLE_BACKEND THIMBLE_THREADS THIMBLE_MAX_MEMORY THIMBLE_NODE_ADDON THIMBLE_CLI
reporters=()
bun_reporters=()
if [ $# -gt 0 ]; then
  reporters=(--test-reporter=junit "--test-reporter-destination=$1")
  bun_reporters=(--reporter=junit "--reporter-outfile=${1%.xml}-bun.xml")
fi
# One file after the other: some of them measure.
node --test --test-concurrency=1 --test-reporter=spec --test-reporter-destination=stdout "${reporters[@]}" test/*.test.mjs

if [ -n "${bun:-}" ]; then
  # What needs node's own programs and worker threads is left out.
  "$bun" test "${bun_reporters[@]}" ./test/{backends,backends_face,embedder,embedding_function,errors,pool,tensor,tokenizer,transformers}.test.mjs
fi
