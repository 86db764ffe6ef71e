#!/usr/bin/env bash
# Makes a virtual environment and prints its python: tests/support/venv.sh FOLDER REQUIREMENTS [REQUIREMENTS]
#
# Packages of the last list are installed without what they depend on. Fast as long as the lists are the same.
set -euo pipefail

uv=0.13.9
venv=$1 lists=("${@:2}")
if ! cat "${lists[@]}" | cmp -s - "$venv/installed.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  # Which takes seconds where pip takes minutes.
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$uv" >&2
  install=("$venv/bin/uv" pip install --quiet --python "$venv/bin/python")
  "${install[@]}" -r "${lists[0]}" >&2
  if [ $# -gt 2 ]; then "${install[@]}" --no-deps -r "${lists[1]}" >&2; fi
  cat "${lists[@]}" > "$venv/installed.txt"
fi
echo "$venv/bin/python"
