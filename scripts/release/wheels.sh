#!/usr/bin/env bash
# Builds the wheels of the Python package with zig's compiler: scripts/release/wheels.sh [PLATFORM...]; all platforms without
# one. Leaves build/wheels/*.whl, each for every Python from 3.9 on. That of this machine is installed and tried.
set -euo pipefail
cd "$(dirname "$0")/../.."

platforms=("$@")
source scripts/release/native.sh
most_bytes=4000000

wheels=$PWD/build/wheels
mkdir -p "$wheels"

# try_wheel WHEEL: installs it, and compares a vector with that of the command line of the build.
try_wheel() {
  local python=${THIMBLE_TRY_PYTHON:-python3} venv=$wheels/venv
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$1"
  env -u PYTHONPATH -u THIMBLE_LIBRARY "$venv/bin/python" - << 'END'
import subprocess
import sys

import thimble

vector = thimble.Embedder("mock").encode("a short text")
said = subprocess.run([sys.executable, "-m", "thimble", "--version"], check=True, capture_output=True, text=True).stdout
assert said == f"thimble {thimble.__version__}\n", said
print(f"Python {sys.version.split()[0]}: {said.strip()}, {vector.shape[0]} dimensions")
END
}

here=linux-$(case $(uname -m) in x86_64) echo x64 ;; aarch64) echo arm64 ;; esac)-gnu
for platform in "${platforms[@]}"; do
  build_native "$platform" thimble_c
  wheel=$(python3 scripts/release/wheel.py "${tags[$platform]}" "build-$platform/$(library_of "$platform")" "$wheels")
  bytes=$(stat -c %s "$wheel")
  echo "$wheel: $bytes bytes"
  if [ "$bytes" -ge $most_bytes ]; then echo "wheels: a wheel must stay below $most_bytes bytes" >&2; exit 1; fi
  if [ "$platform" = "$here" ]; then try_wheel "$wheel"; fi
done
