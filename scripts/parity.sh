#!/usr/bin/env bash
# Compares with vectors and token ids computed by others: scripts/parity.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${1:-}" ]; then
  echo "usage: make parity VECTORS=FOLDER" >&2
  exit 2
fi
scripts/setup.sh
scripts/build.sh release thimble_cli
scripts/model.sh fp32
python3 scripts/tokenizer_parity.py build/thimble build/models/all-MiniLM-L6-v2-fp32.safetensors \
  "$1"/oracle_bert-uncased.json.gz "$1"/oracle_codepoints_bert-uncased.json.gz
python3 scripts/vector_parity.py build/thimble build/models/all-MiniLM-L6-v2-fp32.safetensors "$1"
