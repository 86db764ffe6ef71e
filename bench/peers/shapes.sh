#!/usr/bin/env bash
# thimble beside its peers on random weights with the shapes of other models: bench/peers/shapes.sh prepare|run [OPTION]...
#
# prepare builds thimble, installs the peers as run.sh does, and makes the models in build/bench-peers/shapes (5 GB), which
# takes about 30 minutes the first time. run measures and puts the figures of all shapes into docs/peers.md; it takes about
# 8 minutes and wants an idle machine. Its options are those of shapes.py: --rounds N, --only SHAPE.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=build/bench-peers
source=$(scripts/models/fetch.sh model)
case ${1:-} in
  prepare)
    scripts/build.sh release thimble_cli bench_peer
    python=$(bench/venv.sh $work/venv bench/peers/requirements.txt embed-anything==0.7.1)
    "$python" bench/peers/prepare_shapes.py $work/shapes --thimble build/thimble --tokenizer "$source"
    ;;
  run)
    python3 bench/peers/shapes.py $work/shapes --tokenizer "$source/tokenizer.json" --python $work/venv/bin/python "${@:2}"
    ;;
  *)
    echo "usage: bench/peers/shapes.sh prepare|run [OPTION]..." >&2
    exit 2
    ;;
esac
