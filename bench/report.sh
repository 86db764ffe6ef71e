#!/usr/bin/env bash
# Puts figures into the documents: bench/report.sh memory|node|peers|quality|server FIGURES.json [--check]
#
# Installs matplotlib, which draws the charts, into build/charts, and tests the charts.
set -euo pipefail
bench=$(realpath "$(dirname "$0")")
python=$("$bench/venv.sh" "$bench/../build/charts/venv" "$bench/requirements.txt")
tested=$("$python" "$bench/../tests/bench/charts_test.py" 2>&1) || { echo "$tested" >&2; exit 1; }
exec "$python" "$bench/$1/report.py" "${@:2}"
