#!/usr/bin/env bash
# thimble serve beside its peers in one run: bench/server/run.sh [OPTION]...
#
# The options are those of load.py: --seconds N, --rounds N, --only NAME. Leaves build/server.json, and puts a whole run into
# docs/server-bench.md. Needs node and npm for two of the peers. The first run fetches the peers (8 GB of disk); a run takes
# about 20 minutes. Figures to be published want an idle machine.
set -euo pipefail
cd "$(dirname "$0")/../.."

scripts/need.sh wrk python3
scripts/build.sh release thimble_cli
scripts/models/model.sh q8
source=$(scripts/models/fetch.sh model)

peers=()
if node=$(bench/peers/fetch.sh); then
  cp bench/server/peer_server.mjs "$node"
  peers+=(--node "$node")
fi
if llama=$(bench/peers/llama.sh); then
  cp bench/server/peer_server.mjs "$llama"
  peers+=(--llama "$llama")
fi
# What is prepared depends on the versions of the engines.
work=build/bench-server
if ! cmp -s bench/server/requirements.txt $work/venv/installed.txt; then rm -rf $work; fi
if python=$(bench/venv.sh $work/venv bench/server/requirements.txt); then
  peers+=(--python "$python")
  "$python" bench/server/prepare.py $work --model "$source" --onnx build/peers/models/Xenova/all-MiniLM-L6-v2/onnx
fi

python3 bench/server/load.py build/server.json --tokenizer "$source/tokenizer.json" --work $work "${peers[@]}" "$@"
python3 bench/server/report.py --print build/server.json
if [[ " $* " != *" --only"* && " $* " != *" --seconds"* ]]; then
  python3 bench/server/report.py build/server.json
fi
