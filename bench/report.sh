#!/usr/bin/env bash
# Puts figures into the documents: bench/report.sh memory|node|peers|quality|server FIGURES.json [--check]
#
# Installs matplotlib, which draws the charts, into build/charts.
set -euo pipefail
folder=$(realpath "$(dirname "$0")")
python=$("$folder/venv.sh" "$folder/../build/charts/venv" "$folder/requirements.txt")
exec "$python" "$folder/$1/report.py" "${@:2}"
