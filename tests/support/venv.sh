#!/usr/bin/env bash
# Makes a virtual environment and prints its python: tests/support/venv.sh FOLDER REQUIREMENTS [REQUIREMENTS]
#
# Packages of the last list are installed without what they depend on. Fast as long as the lists are the same. Nothing is
# compiled to bytecode: who runs it often lets it write some.
set -euo pipefail

cd "$(dirname "$0")/../.."
version=0.13.9
uv=build/uv-$version/bin/uv
venv=$1 lists=("${@:2}")
if ! cat "${lists[@]}" | cmp -s - "$venv/installed.txt"; then
  rm -rf "$venv"
  # Which takes seconds where pip takes minutes.
  if [ ! -x "$uv" ]; then
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "build/uv-$version" \
      "uv==$version" >&2
  fi
  "$uv" venv --quiet --python python3 "$venv"
  install=("$uv" pip install --quiet --python "$venv/bin/python")
  "${install[@]}" -r "${lists[0]}" >&2
  if [ $# -gt 2 ]; then "${install[@]}" --no-deps -r "${lists[1]}" >&2; fi
  cat "${lists[@]}" > "$venv/installed.txt"
fi
echo "$venv/bin/python"
