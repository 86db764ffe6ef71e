#!/usr/bin/env bash
# Compares with vectors and token ids computed by others: tests/parity/run.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -z "${1:-}" ]; then
  echo "usage: make parity VECTORS=FOLDER" >&2
  exit 2
fi
scripts/build.sh release thimble_cli
scripts/models/model.sh fp32
python3 tests/parity/tokenizer.py build/thimble build/models/all-MiniLM-L6-v2-fp32.safetensors \
  "$1"/oracle_bert-uncased.json.gz "$1"/oracle_codepoints_bert-uncased.json.gz
known=(gte-small bge-small-en-v1.5 e5-small-v2 paraphrase-MiniLM-L3-v2)
for name in all-MiniLM-L6-v2 "${known[@]}"; do scripts/models/fetch.sh known "$name"; done
for name in "${known[@]}"; do
  build/thimble convert "build/models/known/$name" "build/models/$name-fp32.safetensors" --dtype fp32
done
PYTHONPATH=tests/support THIMBLE_CLI=build/thimble THIMBLE_KNOWN_MODELS=build/models/known \
  python3 tests/convert/known_models_test.py
python3 tests/parity/vectors.py build/thimble build/models "$1"
