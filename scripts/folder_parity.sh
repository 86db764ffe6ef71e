#!/usr/bin/env bash
# Compares folders saved by several versions of sentence-transformers with their vectors: make parity-folders
# Installs into build/folders, once: torch and all it needs for every version (6 GB, five minutes on two cores, most of it the
# GPU libraries that torch does not load without), and 5 to 170 MB for each version.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/need.sh cmake g++ python3
scripts/build.sh release thimble_cli

place=build/folders
newest=6.2.0
base=$place/base
if [ ! -e "$base/installed" ]; then
  echo "folder_parity: installing torch and sentence-transformers $newest into $base"
  python3 -m venv "$base"
  "$base/bin/pip" install --quiet "sentence-transformers==$newest" "transformers==5.24.*" onnx onnxruntime
  touch "$base/installed"
fi

# Versions beside the newest one, each a folder that comes before the packages of the venv.
install() {
  local version=$1
  shift
  if [ ! -e "$place/$version/installed" ]; then
    echo "folder_parity: installing sentence-transformers $version"
    "$base/bin/pip" install --quiet --no-deps --target "$place/$version" "sentence-transformers==$version" "$@"
    touch "$place/$version/installed"
  fi
}
install 5.4.1
install 5.3.0
install 5.1.2 "transformers==4.57.*" "huggingface-hub==0.36.*" "tokenizers==0.22.*" requests urllib3 certifi idna \
  charset-normalizer

export HF_HUB_OFFLINE=1
failed=0 passed=0
for version in 5.1.2 5.3.0 5.4.1 "$newest"; do
  cases=$place/cases-$version
  rm -rf "$cases"
  mkdir "$cases"
  PYTHONPATH=$place/$version "$base/bin/python" -W ignore tests/folders/make_folders.py "$cases"
  if [ "$version" != "$newest" ]; then "$base/bin/python" -W ignore tests/folders/make_folders.py "$cases" --read-again; fi
  echo "== saved by sentence-transformers $version"
  python3 tests/folders/parity.py --thimble build/thimble --cases "$cases" | tee "$cases/report.txt" || true
  read -r ok _ bad _ < <(tail -n 1 "$cases/report.txt")
  passed=$((passed + ok)) failed=$((failed + bad))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
