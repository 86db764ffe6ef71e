#!/usr/bin/env bash
# thimble serve beside its peers in one run: scripts/bench_server.sh [OPTION]...
#
# The options are those of bench/server/load.py: --seconds N, --rounds N, --only NAME. Leaves build/server.json, and puts a
# whole run into docs/server-bench.md. Needs node and npm for two of the peers. The first run fetches the peers
# (8 GB of disk); a run takes about 20 minutes. Figures to be published want an idle machine.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/need.sh wrk python3
scripts/build.sh release thimble_cli
scripts/model.sh q8
source=$(scripts/fetch_model.sh)

work=build/bench-server
venv=$work/venv
peers=()
if node=$(scripts/peers.sh); then
  cp bench/server/peer_server.mjs "$node"
  peers+=(--node "$node")
fi
if llama=$(scripts/llama.sh); then
  cp bench/server/peer_server.mjs "$llama"
  peers+=(--llama "$llama")
fi
if ! cmp -s bench/server/requirements.txt "$venv/installed.txt"; then
  echo "bench-server: installing the peers in Python into $venv"
  rm -rf "$work"
  python3 -m venv --without-pip "$venv"  # Which Debian has in a package of its own.
  if python3 -m pip --python "$venv/bin/python" install --quiet --disable-pip-version-check \
    -r bench/server/requirements.txt; then
    cp bench/server/requirements.txt "$venv/installed.txt"
  fi
fi
if [ -f "$venv/installed.txt" ]; then
  peers+=(--python "$venv/bin/python")
  "$venv/bin/python" bench/server/prepare.py "$work" --model "$source" \
    --onnx build/peers/models/Xenova/all-MiniLM-L6-v2/onnx
fi

python3 bench/server/load.py build/server.json --tokenizer "$source/tokenizer.json" --work "$work" "${peers[@]}" "$@"
python3 scripts/server_report.py --print build/server.json
if [[ " $* " != *" --only"* && " $* " != *" --seconds"* ]]; then
  python3 scripts/server_report.py build/server.json
fi
