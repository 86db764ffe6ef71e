#!/usr/bin/env bash
# thimble beside its peers on random weights with the shapes of other models: bench/peers/shapes.sh [OPTION]...
#
# The options are those of shapes.py: --rounds N, --only SHAPE. Leaves the models in build/bench-peers/shapes (4 GB) and puts
# a run of all shapes into docs/peers.md. The first run installs the peers as run.sh does and makes the models, which takes
# about 30 minutes; a run takes 6, and figures to be published want an idle machine.
set -euo pipefail
cd "$(dirname "$0")/../.."

scripts/build.sh release thimble_cli bench_peer
source=$(scripts/models/fetch.sh model)
work=build/bench-peers
python=$(bench/venv.sh $work/venv bench/peers/requirements.txt embed-anything==0.7.1)
"$python" bench/peers/prepare_shapes.py $work/shapes --thimble build/thimble --tokenizer "$source"
python3 bench/peers/shapes.py $work/shapes --tokenizer "$source/tokenizer.json" --python "$python" "$@"
