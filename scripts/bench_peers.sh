#!/usr/bin/env bash
# thimble beside its peers in one run: scripts/bench_peers.sh DATA [OPTION]...
#
# DATA is a folder with stsb/stsb-en-{test,train}.csv and ir/scifact/corpus.jsonl, or empty: then texts are made up. The
# options are those of bench/peers/compare.py: --quick, --rounds N, --threads N..., --only TEXT, --isa avx2. Leaves
# build/peers.json, or build/peers-avx2.json, and puts a whole run into the documents. The first run fetches the peers (10
# minutes, 9 GB of disk); a run takes about 40 minutes, with --quick 8. Figures to be published want an idle machine.
set -euo pipefail
cd "$(dirname "$0")/.."

data=()
if [ -n "${1:-}" ]; then data=(--data "$1"); fi
shift $(($# > 0))
isa=$(grep -oP -- '--isa \K\S+' <<< "$*" || true)
result=build/peers${isa:+-$isa}.json

scripts/setup_node.sh --check
scripts/build.sh release thimble_cli bench_peer
scripts/model.sh q8 q6 q4 fp32
source=$(scripts/fetch_model.sh)
node=$(scripts/peers.sh)
peers=(--node "$node")
if llama=$(scripts/llama.sh ${isa:+"$isa"}); then peers+=(--llama "$llama"); fi

work=build/bench-peers
venv=$work/venv
if ! cmp -s bench/peers/requirements.txt "$venv/installed.txt"; then
  echo "bench-peers: installing the peers in Python into $venv"
  rm -rf "$work"
  python3 -m venv --without-pip "$venv"  # Which Debian has in a package of its own.
  pip=(python3 -m pip --python "$venv/bin/python" install --quiet --disable-pip-version-check)
  # embed-anything asks for an older onnxruntime than fastembed does; what is measured of it does not use one.
  if "${pip[@]}" -r bench/peers/requirements.txt && "${pip[@]}" --no-deps embed-anything==0.7.1; then
    cp bench/peers/requirements.txt "$venv/installed.txt"
  fi
fi
if [ -f "$venv/installed.txt" ]; then
  peers+=(--python "$venv/bin/python")
  "$venv/bin/python" bench/peers/prepare.py "$work" --model "$source" \
    --onnx "$node/models/Xenova/all-MiniLM-L6-v2/onnx" "${data[@]}"
fi

python3 bench/peers/compare.py "$result" --tokenizer "$source/tokenizer.json" "${data[@]}" "${peers[@]}" "$@"
python3 scripts/peers_report.py --print "$result"
if [[ " $* " != *" --only"* && " $* " != *" --quick"* && " $* " != *" --threads"* ]]; then
  python3 scripts/peers_report.py "$result"
fi
