#!/usr/bin/env bash
# Tests the Node.js package: scripts/node_test.sh [JUNIT_FILE]. With build/models and build/packages also on the real
# model and as it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/node_build.sh > /dev/null
if [ -f build/models/all-MiniLM-L6-v2-q8.safetensors ]; then export THIMBLE_REAL_MODEL=$PWD/build/models; fi
if [ -d build/packages ]; then export THIMBLE_NODE_PACKAGES=$PWD/build/packages; fi
cd bindings/node
unset THIMBLE_HOME THIMBLE_BACKEND THIMBLE_THREADS THIMBLE_MAX_MEMORY THIMBLE_NODE_ADDON THIMBLE_CLI
reporters=()
if [ $# -gt 0 ]; then reporters=(--test-reporter=junit "--test-reporter-destination=$1"); fi
# One file after the other: some of them measure.
node --test --test-concurrency=1 --test-reporter=spec --test-reporter-destination=stdout "${reporters[@]}" test/*.test.mjs
