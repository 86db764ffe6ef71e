#!/usr/bin/env bash
# Runs examples/fleets on the engines of this machine, with workers that are killed, and measures the memory of workers:
# tests/fleets/run.sh [FOLDER] puts the results as JUnit XML into FOLDER; with --install it only gets what is installed for
# them. Needs build/thimble, build/make_test_model, build/libthimble_c.so and Java for Spark, which it installs if it is
# missing.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$PWD/build/fleets
mkdir -p "$folder/home"
if ! command -v java > /dev/null; then scripts/setup.sh with default-jre-headless; fi

python=$(tests/support/venv.sh "$folder/python" tests/fleets/requirements.txt)
if [ "${1:-}" = --install ]; then exit; fi
logs=$(realpath "${1:-build}")
scripts/models/model.sh q8

# Neither proxies nor settings of the user reach the engines. Ray's workers would wait for whatever else runs here (nice 15).
env -i PATH="$PATH" HOME="$folder/home" ${JAVA_HOME:+JAVA_HOME="$JAVA_HOME"} NO_PROXY=127.0.0.1,localhost \
  PYTHONPATH="$PWD/bindings/python:$PWD/tests/fleets:$PWD/tests/support" THIMBLE_LIBRARY="$PWD/build/libthimble_c.so" \
  THIMBLE_CLI="$PWD/build/thimble" THIMBLE_MAKE_TEST_MODEL="$PWD/build/make_test_model" \
  THIMBLE_MODEL="$PWD/build/models/all-MiniLM-L6-v2-q8.safetensors" RAY_USAGE_STATS_ENABLED=0 RAY_worker_niceness=0 \
  PYSPARK_PYTHON="$python" SPARK_LOCAL_IP=127.0.0.1 PYTHONPYCACHEPREFIX="$folder/bytecode" \
  "$python" -m pytest --quiet --tb=short -s -p no:cacheprovider -W ignore::DeprecationWarning \
  --junit-xml="$logs/fleets.xml" tests/fleets/fleets_test.py
