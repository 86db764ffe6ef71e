#!/usr/bin/env bash
# Gets llama.cpp with the binary that a package brings for this machine into build/llama, and prints that folder. Needs
# node and npm. Fast when it is there. "bench/peers/llama.sh avx2" prints a second folder, build/llama-avx2: llama.cpp loads
# the best library of kernels that it finds, and there it finds only the one for AVX2, without AVX-VNNI.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=build/llama
version=3.22.1
package=@node-llama-cpp/linux-$(node -p process.arch)
mkdir -p "$folder"
cp bench/peers/*.mjs "$folder"
# Without the optional packages, of which most are for graphics cards.
if [ "$(cat "$folder/installed" 2> /dev/null)" != "$version" ]; then
  echo '{"private": true}' > "$folder/package.json"
  npm install --prefix "$folder" --ignore-scripts --omit=optional --no-audit --no-fund --loglevel=error \
    "node-llama-cpp@$version" "$package@$version" >&2
  echo "$version" > "$folder/installed"
fi
if [ "${1:-}" = avx2 ]; then
  held=$folder-avx2
  rm -rf "$held"
  cp -al "$folder" "$held"
  find "$held/node_modules/$package" -name 'libggml-cpu-*' ! -name 'libggml-cpu-haswell.so' -delete
  folder=$held
fi
echo "$folder"
