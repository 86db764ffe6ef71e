#!/usr/bin/env bash
# Prints the table of bytes of docs/node.md: what packages.sh and wheels.sh left, and what they packed:
# scripts/release/sizes.sh [PLATFORM...]; all platforms without one.
set -euo pipefail
cd "$(dirname "$0")/../.."

platforms=("$@")
source scripts/release/native.sh
version=$(cat VERSION)

bytes() {
  if [ -e "$1" ]; then stat -c %s "$1" | sed -E ':more; s/([0-9])([0-9]{3})(,|$)/\1,\2\3/; t more'; else echo -; fi
}

echo "| platform | npm package | its addon | wheel | its library |"
echo "|---|---|---|---|---|"
for platform in "${platforms[@]}"; do
  echo "| $platform | $(bytes "build/packages/thimble-$platform-$version.tgz") | $(bytes "build-$platform/thimble.node") |" \
    "$(bytes "build/wheels/thimble-$version-py3-none-${tags[$platform]}.whl") | $(bytes "build-$platform/$(library_of "$platform")") |"
done
