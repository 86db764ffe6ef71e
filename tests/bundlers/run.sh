#!/usr/bin/env bash
# Runs the packed package in the bundlers and test runners of tests/bundlers: tests/bundlers/run.sh [FOLDER [TEST...]] puts
# the results as JUnit XML into FOLDER; TEST is bundlers, next or runners, all without one. With --install it only gets what
# is installed for them. Needs build/packages and build/models.
set -euo pipefail
cd "$(dirname "$0")/../.."

scripts/setup_node.sh --check
folder=$PWD/build/bundlers
mkdir -p "$folder"

# What is installed is kept as long as the list is the same.
if ! cmp -s tests/bundlers/package.json "$folder/installed.json"; then
  rm -rf "$folder/node_modules"
  cp tests/bundlers/{package.json,.npmrc} "$folder"
  # No scripts: the programs are packages.
  npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error
  cp tests/bundlers/package.json "$folder/installed.json"
fi
if [ "${1:-}" = --install ]; then exit; fi
logs=$(realpath "${1:-build}")
shift || true
if [ $# -eq 0 ]; then set -- bundlers next runners; fi
# Modules are looked for beside the file that imports them.
cp tests/bundlers/*js "$folder"

# The package lies in the folder of the program alone, as a user has it.
rm -rf "$folder/app"
mkdir -p "$folder/app"
echo '{ "private": true }' > "$folder/app/package.json"
models=$PWD/build/models
native=linux-$(node -p process.arch)-gnu
npm install --prefix "$folder/app" --no-audit --no-fund --loglevel=error --no-save \
  build/packages/thimble-[0-9]*.tgz build/packages/thimble-"$native"-[0-9]*.tgz

cd "$folder"
env -u THIMBLE_BACKEND -u THIMBLE_NODE_ADDON -u THIMBLE_HOME NO_COLOR=1 NEXT_TELEMETRY_DISABLED=1 \
  THIMBLE_APP="$folder/app" THIMBLE_MODEL="$models/all-MiniLM-L6-v2-q8.safetensors" \
  node --test --test-concurrency=1 --test-reporter=spec --test-reporter-destination=stdout --test-reporter=junit \
  --test-reporter-destination="$logs/bundlers.xml" "${@/%/.test.mjs}"
