#!/usr/bin/env bash
# The Node.js package of this checkout.
#
#   scripts/node.sh modules            installs the packages that building and testing it need, unless they are there
#   scripts/node.sh build              builds what it loads: the addon and the command line
#   scripts/node.sh test [JUNIT_FILE]  tests it; with build/models and build/packages also on the real model and as it is
#                                      installed
set -euo pipefail
cd "$(dirname "$0")/.."
modules=bindings/node/node_modules/.package-lock.json

install_modules() {
  scripts/need.sh npm
  if [ -e $modules ] && [ ! bindings/node/package.json -nt $modules ]; then return; fi
  # No scripts: some of the packages would download programs of their own.
  (cd bindings/node && npm install --ignore-scripts --no-audit --no-fund --loglevel=error > /dev/null)
  touch $modules
}

build() {
  install_modules
  scripts/build.sh node thimble_node thimble_cli make_test_model
}

run_tests() {
  scripts/setup_node.sh --check
  build > /dev/null
  if [ -f build/models/all-MiniLM-L6-v2-q8.safetensors ]; then export THIMBLE_REAL_MODEL=$PWD/build/models; fi
  if [ -d build/packages ]; then export THIMBLE_NODE_PACKAGES=$PWD/build/packages; fi
  # Bun's program is a package for each processor; this one asks for no new instructions.
  local bun=
  if [ "$(uname -m)" = x86_64 ]; then
    bun=$PWD/build/bun/node_modules/@oven/bun-linux-x64-baseline/bin/bun
    if [ ! -x "$bun" ]; then
      mkdir -p build/bun
      echo '{}' > build/bun/package.json
      npm install --prefix build/bun --ignore-scripts --no-audit --no-fund --loglevel=error \
        @oven/bun-linux-x64-baseline@1.4.5
    fi
  fi
  local reporters=() bun_reporters=()
  if [ $# -gt 0 ]; then
    reporters=(--test-reporter=junit "--test-reporter-destination=$1")
    bun_reporters=(--reporter=junit "--reporter-outfile=${1%.xml}-bun.xml")
  fi
  cd bindings/node
  unset THIMBLE_DOWNLOAD THIMBLE_HOME THIMBLE_BACKEND THIMBLE_THREADS THIMBLE_MAX_MEMORY THIMBLE_NODE_ADDON THIMBLE_CLI
  # One file after the other: some of them measure.
  node --test --test-concurrency=1 --test-reporter=spec --test-reporter-destination=stdout "${reporters[@]}" test/*.test.mjs
  if [ -n "$bun" ]; then
    # What needs node's own programs and worker threads is left out.
    "$bun" test "${bun_reporters[@]}" ./test/{backends,backends_face,dimensions,embedder,embedding_function,errors,half,pool,tensor,tokenizer,transformers}.test.mjs
  fi
}

case ${1:-} in
  modules) install_modules ;;
  build) build ;;
  test) run_tests "${@:2}" ;;
  *)
    grep '^#   ' "$0" >&2
    exit 2
    ;;
esac
