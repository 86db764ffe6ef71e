#!/usr/bin/env bash
# thimble beside its peers in one run: bench/peers/run.sh DATA [OPTION]...
#
# DATA is a folder with stsb/stsb-en-{test,train}.csv and ir/scifact/corpus.jsonl, or empty: then texts are made up. The
# options are those of compare.py: --quick, --rounds N, --threads N..., --only TEXT, --isa avx2. Leaves build/peers.json, or
# build/peers-avx2.json, and puts a whole run into the documents. The first run fetches the peers (10 minutes, 9 GB of
# disk); a run takes about 40 minutes, with --quick 8. Figures to be published want an idle machine.
set -euo pipefail
cd "$(dirname "$0")/../.."

data=()
if [ -n "${1:-}" ]; then data=(--data "$1"); fi
shift $(($# > 0))
isa=$(grep -oP -- '--isa \K\S+' <<< "$*" || true)
result=build/peers${isa:+-$isa}.json

scripts/setup_node.sh --check
scripts/build.sh release thimble_cli bench_peer
scripts/models/model.sh q8 q6 q4 fp32
source=$(scripts/models/fetch.sh model)
node=$(bench/peers/fetch.sh)
peers=(--node "$node")
if llama=$(bench/peers/llama.sh ${isa:+"$isa"}); then peers+=(--llama "$llama"); fi

# What is prepared depends on the versions of the engines. embed-anything asks for an older onnxruntime than fastembed
# does; what is measured of it does not use one.
work=build/bench-peers
if ! cmp -s bench/peers/requirements.txt $work/venv/installed.txt; then rm -rf $work; fi
if python=$(bench/venv.sh $work/venv bench/peers/requirements.txt embed-anything==0.7.1); then
  peers+=(--python "$python")
  "$python" bench/peers/prepare.py $work --model "$source" --onnx "$node/models/Xenova/all-MiniLM-L6-v2/onnx" "${data[@]}"
fi

python3 bench/peers/compare.py "$result" --tokenizer "$source/tokenizer.json" "${data[@]}" "${peers[@]}" "$@"
python3 bench/peers/report.py --print "$result"
if [[ " $* " != *" --only"* && " $* " != *" --quick"* && " $* " != *" --threads"* ]]; then
  bench/report.sh peers "$result"
fi
