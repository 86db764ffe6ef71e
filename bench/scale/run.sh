#!/usr/bin/env bash
# The sizing model of docs/scale.md from figures of this machine: bench/scale/run.sh DATA [OPTION]...
#
# The options are those of scale.py's table: --texts N, --cores N..., --efficiency X, --core-hour, --storage-month and --transfer
# PRICE. Prints the tables; leaves build/scale.json. DATA may be empty: then texts are made up. Figures want an idle machine.
set -euo pipefail
cd "$(dirname "$0")/../.."

data=()
if [ -n "${1:-}" ]; then data=(--data "$1"); fi
shift $(($# > 0))
scripts/build.sh release thimble_cli thimble_c
scripts/models/model.sh q8
python=$(bench/venv.sh build/scale-venv bench/scale/requirements.txt)
PYTHONPATH=bindings/python THIMBLE_LIBRARY=$PWD/build/libthimble_c.so \
  "$python" bench/scale/scale.py measure build/scale.json build/models/all-MiniLM-L6-v2-q8.safetensors "${data[@]}"
"$python" bench/scale/scale.py table build/scale.json "$@"
