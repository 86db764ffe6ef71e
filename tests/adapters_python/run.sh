#!/usr/bin/env bash
# Runs the adapters of the Python package with the frameworks that they are for: tests/adapters_python/run.sh [FOLDER]
# puts the results as JUnit XML into FOLDER; with --install it only gets what is installed for them. Needs build/thimble,
# build/make_test_model and build/libthimble_c.so.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$PWD/build/adapters_python
mkdir -p "$folder/home"

# The second list asks for torch, gigabytes that nothing here uses.
python=$(tests/support/venv.sh "$folder/python" tests/adapters_python/requirements{,-alone}.txt)
if [ "${1:-}" = --install ]; then exit; fi
logs=$(realpath "${1:-build}")

rm -rf "$folder/model"
mkdir "$folder/model"
build/make_test_model "$folder/model"

# Neither proxies nor keys nor settings of the user reach the frameworks, and they report nothing to their makers.
exec env -i PATH="$PATH" HOME="$folder/home" NO_PROXY=127.0.0.1 PYTHONPATH="$PWD/bindings/python" \
  THIMBLE_LIBRARY="$PWD/build/libthimble_c.so" THIMBLE_CLI="$PWD/build/thimble" THIMBLE_MODEL="$folder/model/q8.safetensors" \
  THIMBLE_BUILD="$PWD/build" \
  HF_HUB_OFFLINE=1 LITELLM_LOCAL_MODEL_COST_MAP=True ANONYMIZED_TELEMETRY=False HAYSTACK_TELEMETRY_ENABLED=False \
  DSPY_CACHEDIR="$folder/home/dspy" \
  "$python" -m pytest --quiet --tb=short -p no:cacheprovider -W ignore::DeprecationWarning \
  --junit-xml="$logs/adapters-python.xml" tests/adapters_python
