#!/usr/bin/env bash
# Runs published packages that use transformers.js on thimble, which one npm override puts in its place, and compares what
# they compute with tests/swap/goldens.json: tests/swap/run.sh [FOLDER] puts the results as JUnit XML into FOLDER. Needs
# build/packages, build/models and build/thimble's fp32 model. `tests/swap/run.sh --peer` runs the same tests on
# transformers.js itself, and `--goldens` writes the goldens with it.
set -euo pipefail
cd "$(dirname "$0")/../.."

scripts/setup_node.sh --check
scripts/node.sh modules
root=$PWD
folder=$root/build/swap
tests=$root/tests/swap
mode=thimble
logs=build
case ${1:-} in
  --peer | --goldens) mode=${1#--} ;;
  ?*) logs=$1 ;;
esac
logs=$(realpath "$logs")
source=$root/$(scripts/models/fetch.sh onnx)
mkdir -p "$folder/home"

# The published packages, from tarballs of this checkout where thimble's are meant. What is installed from the registry is
# kept as long as the list is the same.
version=$(cat VERSION)
platform=linux-$(node -p process.arch)-gnu
if ! cmp -s "$tests/package.json" "$folder/installed.json"; then rm -rf "$folder/node_modules"; fi
rm -rf "$folder/node_modules"/{.package-lock.json,thimble,@thimble,@huggingface/transformers,@xenova/transformers}
node -e '
  const [, from, to, packages, version, platform] = process.argv;
  const manifest = JSON.parse(require("fs").readFileSync(from, "utf8"));
  const tarball = (name) => `file:${packages}/thimble${name}-${version}.tgz`;
  Object.assign(manifest.dependencies, { thimble: tarball(""), [`@thimble/${platform}`]: tarball(`-${platform}`) });
  for (const [name, wanted] of Object.entries(manifest.dependencies)) {
    if (`${name}@${wanted}`.includes("@thimble/transformers@")) manifest.dependencies[name] = tarball("-transformers");
  }
  require("fs").writeFileSync(to, JSON.stringify(manifest, null, 2) + "\n");
' "$tests/package.json" "$folder/package.json" "$root/build/packages" "$version" "$platform"
# Peers are those of the list, because some of these packages name dozens. Nothing optional and no scripts: those are
# programs and databases, which are not needed to embed.
printf 'package-lock=false\nlegacy-peer-deps=true\n' > "$folder/.npmrc"
npm install --prefix "$folder" --ignore-scripts --omit=optional --no-audit --no-fund --loglevel=error
cp "$tests/package.json" "$folder/installed.json"

if [ "$mode" != thimble ]; then
  peers=$root/$(bench/peers/fetch.sh)
  rm -rf "$folder-peer"
  mkdir "$folder-peer"
  cp -al "$folder/node_modules" "$folder-peer"
  rm -rf "$folder-peer/node_modules/@huggingface/transformers"
  ln -s "$peers/node_modules/@huggingface/transformers" "$folder-peer/node_modules/@huggingface"
  ln -sfn "$folder-peer/models" "$peers/node_modules/@huggingface/transformers/models"
  folder=$folder-peer
  mkdir "$folder/home"
  export SWAP_DEVICE=cpu
fi

# Modules are looked for beside the file that imports them.
cp "$tests"/*.mjs "$tests/goldens.json" docs/migrate.md "$folder"
# thimble's folder of models; where code with a cache of its own finds the model, as transformers.js keeps it; and a folder
# that is a model.
rm -rf "$folder"/{thimble,models,my-model}
mkdir -p "$folder/thimble" "$folder/models/Xenova"
for dtype in fp32 q8; do ln -s "$root/build/models/all-MiniLM-L6-v2-$dtype.safetensors" "$folder/thimble"; done
cp -rs "$source" "$folder/models/Xenova/all-MiniLM-L6-v2"
cp -rs "$source" "$folder/my-model"

cd "$folder"
run() {
  env -i PATH="$PATH" HOME="$folder/home" THIMBLE_HOME="$folder/thimble" THIMBLE_NODE="$root/bindings/node" HF_HUB_OFFLINE=1 \
    ${SWAP_DEVICE:+SWAP_DEVICE="$SWAP_DEVICE"} "$@"
}
case $mode in
  goldens) run node make_goldens.mjs "$tests/goldens.json" ;;
  peer) run node --test swap.test.mjs ;;
  thimble)
    run node --test --test-concurrency=1 --test-reporter=spec --test-reporter-destination=stdout --test-reporter=junit \
      --test-reporter-destination="$logs/swap.xml" swap.test.mjs migrate.test.mjs
    ;;
esac
