#!/usr/bin/env bash
# Makes a virtual environment and prints its python: bench/venv.sh FOLDER REQUIREMENTS [PACKAGE...]
#
# The packages named last are installed without what they depend on. Fast as long as the requirements are the same.
set -euo pipefail

venv=$1 requirements=$2
if ! cmp -s "$requirements" "$venv/installed.txt"; then
  echo "installing $requirements into $venv" >&2
  python3 -m venv --clear --without-pip "$venv"  # Debian has its pip in a package of its own.
  pip=(python3 -m pip --python "$venv/bin/python" install --quiet --disable-pip-version-check)
  "${pip[@]}" -r "$requirements" >&2
  if [ $# -gt 2 ]; then "${pip[@]}" --no-deps "${@:3}" >&2; fi
  cp "$requirements" "$venv/installed.txt"
fi
echo "$venv/bin/python"
