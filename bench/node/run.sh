#!/usr/bin/env bash
# Compares thimble as npm installs it with the peers, and puts the figures into docs/node.md. About 10 minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."

scripts/setup_node.sh --check
scripts/build.sh release thimble_cli
scripts/models/model.sh fp32 fp16 q8 q4
platform=linux-$(node -p process.arch)-gnu
scripts/release/packages.sh "$platform"
peers=$(bench/peers/fetch.sh)

folder=$PWD/build/compare
rm -rf "$folder"
mkdir -p "$folder"
echo '{}' > "$folder/package.json"
npm install --prefix "$folder" --no-audit --no-fund --loglevel=error build/packages/thimble-[0-9]*.tgz \
  build/packages/thimble-"$platform"-*.tgz > "$folder/install.log"

# tfjs-node gets its library by a download when it is installed, which is not to be had here.
tfjs=$PWD/build/tfjs-node
mkdir -p "$tfjs"
echo '{}' > "$tfjs/package.json"
npm install --prefix "$tfjs" --ignore-scripts --no-audit --no-fund --loglevel=error @tensorflow/tfjs-node@4.22.0 \
  > "$tfjs/install.log" 2>&1 || true
reason=$(cd "$tfjs" && node -e '
  try { require("@tensorflow/tfjs-node"); console.log("it could be loaded and is not measured."); }
  catch (error) { console.log("without the download that its install script makes, it fails with \"" +
    error.message.split("\n")[0].replace(process.cwd(), ".") + "\""); }' 2> "$tfjs/load.log" | tail -n 1)

node bench/node/compare.mjs "$peers" "$folder/node_modules/thimble" "$PWD/build/models" > build/node-compare.json.part
REASON=$reason node -e '
  const fs = require("fs");
  const result = JSON.parse(fs.readFileSync("build/node-compare.json.part", "utf8"));
  fs.writeFileSync("build/node-compare.json", JSON.stringify({ ...result, tfjs_node: process.env.REASON }, null, 1) + "\n");'
bench/report.sh node build/node-compare.json
sed -n '/<!-- compare -->/,/<!-- \/compare -->/p' docs/node.md
