#!/usr/bin/env bash
# Puts figures into the documents: bench/report.sh memory|node|peers|quality|server FIGURES.json [--check]
#
# Installs matplotlib, which draws the charts, into build/charts, and tests the charts.
set -euo pipefail
bench=$(realpath "$(dirname "$0")")
python=$("$bench/venv.sh" "$bench/../build/charts/venv" "$bench/requirements.txt")
"$python" "$bench/../tests/charts_test.py" > /dev/null
exec "$python" "$bench/$1/report.py" "${@:2}"
