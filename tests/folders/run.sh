#!/usr/bin/env bash
# Compares folders saved by several versions of sentence-transformers, and exports by optimum, with their vectors:
# make parity-folders. Installs into build/folders, once: torch and all it needs for every version (6 GB, five minutes on
# two cores, most of it the GPU libraries that torch does not load without), and 5 to 180 MB for each version.
set -euo pipefail
cd "$(dirname "$0")/../.."

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

# Packages beside those of the newest version, in a folder that comes before the packages of the venv.
install() {
  local name=$1
  shift
  if [ ! -e "$place/$name/installed" ]; then
    echo "folder_parity: installing $*"
    "$base/bin/pip" install --quiet --no-deps --target "$place/$name" "$@"
    touch "$place/$name/installed"
  fi
}
# With transformers 4, which is all that optimum knows.
old=("sentence-transformers==5.1.2" "transformers==4.57.*" "huggingface-hub==0.36.*" "tokenizers==0.22.*" requests urllib3
  certifi idna pillow charset-normalizer)
install 5.4.1 "sentence-transformers==5.4.1"
install 5.3.0 "sentence-transformers==5.3.0"
install 5.1.2 "${old[@]}"
install 3.4.1 "sentence-transformers==3.4.1" "${old[@]:1}"
install optimum "${old[@]}" "optimum==2.3.*" "optimum-onnx==0.1.*" onnxscript onnx_ir ml_dtypes

export HF_HUB_OFFLINE=1
failed=0 passed=0
compare() {
  echo "== $2"
  python3 tests/folders/parity.py --thimble build/thimble --cases "$1" | tee "$1/report.txt" || true
  read -r ok _ bad _ < <(tail -n 1 "$1/report.txt")
  passed=$((passed + ok)) failed=$((failed + bad))
}
for version in 3.4.1 5.1.2 5.3.0 5.4.1 "$newest"; do
  cases=$place/cases-$version
  rm -rf "$cases"
  mkdir "$cases"
  PYTHONPATH=$place/$version "$base/bin/python" -W ignore tests/folders/make_folders.py "$cases"
  if [ "$version" != "$newest" ]; then "$base/bin/python" -W ignore tests/folders/make_folders.py "$cases" --read-again; fi
  compare "$cases" "saved by sentence-transformers $version"
done
cases=$place/cases-optimum
rm -rf "$cases"
mkdir "$cases"
PYTHONPATH=$place/optimum "$base/bin/python" -W ignore tests/folders/make_exports.py "$cases"
compare "$cases" "exported by optimum"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
