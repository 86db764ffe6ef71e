#!/usr/bin/env bash
# Converts the real model: scripts/models/model.sh DTYPE... leaves build/models/all-MiniLM-L6-v2-DTYPE.safetensors.
# A file newer than the program is kept.
set -euo pipefail
cd "$(dirname "$0")/../.."

source=$(scripts/models/fetch.sh model)
for dtype in "$@"; do
  model=build/models/all-MiniLM-L6-v2-$dtype.safetensors
  if [ ! "$model" -nt build/thimble ]; then
    build/thimble convert "$source" "$model" --dtype "$dtype" --name all-MiniLM-L6-v2
  fi
done
