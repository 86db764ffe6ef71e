#!/usr/bin/env bash
# The Python package of this checkout.
#
#   scripts/python.sh build               builds what it loads: the library; and what its tests need
#   scripts/python.sh test [JUNIT_FILE]   tests it and checks its types; with build/models also on the real model
#   scripts/python.sh compare [PYTHON]    asks sentence-transformers what the tests expect; PYTHON has it and pytest, by
#                                         default an environment with torch, gigabytes, that is made at the first time
#   scripts/python.sh record [PYTHON]     keeps that in bindings/python/tests/sentence_transformers.json
#   scripts/python.sh install             installs it as a user does, from source into a new environment, and runs it
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$PWD/build/python
requirements=bindings/python/requirements-test.txt

build() { scripts/build.sh release thimble_c thimble_cli make_test_model; }

# What is installed is kept as long as the list is the same.
make_environment() {
  if cmp -s $requirements "$folder/requirements.txt"; then return; fi
  rm -rf "$folder/venv"
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r $requirements
  cp $requirements "$folder"
}

# Settings of the user do not reach the package.
clean() {
  env -u PYTHONPATH -u THIMBLE_LIBRARY -u THIMBLE_DOWNLOAD -u THIMBLE_HOME -u THIMBLE_BACKEND -u THIMBLE_THREADS \
    -u THIMBLE_MAX_MEMORY -u THIMBLE_CACHE -u THIMBLE_CLI PYTHONDONTWRITEBYTECODE=1 "$@"
}

settings=(PYTHONPATH="$PWD/bindings/python:$PWD/tests/support" THIMBLE_LIBRARY="$PWD/build/libthimble_c.so"
  THIMBLE_CLI="$PWD/build/thimble" THIMBLE_MAKE_TEST_MODEL="$PWD/build/make_test_model" THIMBLE_BUILD="$PWD/build")

ask_reference() {
  local mode=$1 python
  build > /dev/null
  if [ $# -gt 1 ]; then
    python=$(realpath -s "$2")
  else
    python=$(bench/venv.sh "$folder/compare" bindings/python/requirements-compare.txt)
  fi
  cd bindings/python
  clean "${settings[@]}" THIMBLE_TESTS_REFERENCE="$mode" "$python" -m pytest --quiet --tb=short -p no:cacheprovider tests
}

run_tests() {
  local junit=()
  if [ $# -gt 0 ]; then junit=("--junit-xml=$(realpath -m "$1")"); fi
  build > /dev/null
  make_environment
  if [ -f build/models/all-MiniLM-L6-v2-q8.safetensors ]; then settings+=(THIMBLE_REAL_MODEL="$PWD/build/models"); fi
  cd bindings/python
  clean "${settings[@]}" "$folder/venv/bin/python" -m pytest --quiet --tb=short -p no:cacheprovider "${junit[@]}" tests
  "$folder/venv/bin/python" -m mypy --cache-dir="$folder/mypy"
  PYRIGHT_PYTHON_IGNORE_WARNINGS=1 "$folder/venv/bin/python" -m pyright --pythonpath "$folder/venv/bin/python"
}

install_package() {
  mkdir -p "$folder"
  rm -rf "$folder/installed"
  python3 -m venv "$folder/installed"
  # The library is compiled once more, for size; ccache knows it from the second time on.
  if command -v ccache > /dev/null; then
    export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_DIR=${CCACHE_DIR:-$PWD/build/ccache} CCACHE_DEPEND=1
  fi
  "$folder/installed/bin/python" -m pip install --quiet --disable-pip-version-check ./bindings/python
  (
    cd "$folder"
    clean THIMBLE_BACKEND=mock installed/bin/python -c 'import thimble; print(thimble.Embedder("any").encode("a short text").shape)'
    clean installed/bin/thimble --version
    clean installed/bin/python -m thimble --version
  )
}

mkdir -p "$folder"
case ${1:-} in
  build) build ;;
  test) run_tests "${@:2}" ;;
  compare | record) ask_reference "$@" ;;
  install) install_package ;;
  *)
    grep '^#   ' "$0" >&2
    exit 2
    ;;
esac
