#!/usr/bin/env bash
# Builds what the Node.js package loads from a checkout: the addon and the command line.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/node_modules.sh
scripts/build.sh node thimble_node thimble_cli make_test_model
