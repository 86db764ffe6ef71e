#!/usr/bin/env bash
# Fails, and says what installs them, unless all programs are there: scripts/need.sh PROGRAM...
set -euo pipefail

missing=()
for program in "$@"; do
  if ! command -v "$program" > /dev/null; then missing+=("$program"); fi
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "not found: ${missing[*]}; \"make install-deps\" installs what building and testing need" >&2
  exit 1
fi
