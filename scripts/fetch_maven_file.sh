#!/usr/bin/env bash
# Takes files out of a jar: scripts/fetch_maven_file.sh GROUP:ARTIFACT:VERSION (FILE TARGET SHA256)... Fast when they are
# there. Needs mvn.
set -euo pipefail

artifact=$1
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
mvn --quiet --batch-mode dependency:copy "-Dartifact=$artifact" "-DoutputDirectory=$download" >&2
python3 -m zipfile -e "$download"/*.jar "$download"
for ((i = 0; i < ${#files[@]}; i += 3)); do
  mkdir -p "$(dirname "${files[i + 1]}")"
  mv "$download/${files[i]}" "${files[i + 1]}"
done
if ! verified; then
  echo "fetch_maven_file: the files of $artifact are not the ones expected (SHA-256)" >&2
  exit 1
fi
