#!/usr/bin/env bash
# Gets the peers in Node.js with their models into FOLDER (build/peers if not given), and prints it. Needs node and npm.
# Fast when all is there.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=${1:-build/peers}
for program in node npm; do
  if ! command -v "$program" > /dev/null; then
    echo "peers: $program is not installed; the peers are Node.js packages" >&2
    exit 1
  fi
done
mkdir -p "$folder"
cp bench/peers/*.mjs "$folder"
if ! cmp -s bench/peers/package.json "$folder/installed.json"; then
  cp bench/peers/package.json "$folder"
  npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  cp bench/peers/package.json "$folder/installed.json"
fi
scripts/models/fetch.sh quantized "$folder/models/Xenova/all-MiniLM-L6-v2" > /dev/null
echo "$folder"
