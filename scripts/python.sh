#!/usr/bin/env bash
# The Python package of this checkout.
#
#   scripts/python.sh build               builds what it loads: the library; and what its tests need
#   scripts/python.sh environment         installs what testing it needs
#   scripts/python.sh test [JUNIT_FILE]   tests it and checks its types; with build/models also on the real model
#   scripts/python.sh free-threaded       tests it in a Python without the GIL, built from Debian's source at the first time
#   scripts/python.sh compare [PYTHON]    asks sentence-transformers what the tests expect; PYTHON has it and pytest, by
#                                         default an environment with torch, gigabytes, that is made at the first time
#   scripts/python.sh record [PYTHON]     keeps that in bindings/python/tests/sentence_transformers.json
#   scripts/python.sh install             installs it as a user does, from source into a new environment, and runs it
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$PWD/build/python

build() { scripts/build.sh release thimble_c thimble_cli make_test_model; }

make_environment() { tests/support/venv.sh "$folder/venv" bindings/python/requirements-test.txt > /dev/null; }

# Settings of the user do not reach the package.
clean() {
  env -u PYTHONPATH -u THIMBLE_LIBRARY -u THIMBLE_DOWNLOAD -u THIMBLE_HOME -u THIMBLE_BACKEND -u THIMBLE_THREADS \
    -u THIMBLE_MAX_MEMORY -u THIMBLE_CACHE -u THIMBLE_CLI PYTHONPYCACHEPREFIX="$folder/bytecode" "$@"
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

# make_free_threaded FOLDER: no registry has such a Python; Debian has the source.
make_free_threaded() {
  local apt=$1/apt mirror options
  scripts/setup.sh with gcc make xz-utils libffi-dev libsqlite3-dev zlib1g-dev
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$1/source"
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' | head -n 1)
  echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" > "$apt/sources.list"
  options=(-qq -o "Dir::State=$apt" -o "Dir::Cache=$apt" -o Dir::State::status=/dev/null -o APT::Sandbox::User=root
    -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null)
  apt-get "${options[@]}" update
  (cd "$apt" && apt-get "${options[@]}" source --download-only python3.13)
  tar -C "$1/source" --strip-components=1 -xf "$apt"/python3.13_*.orig.tar.xz
  (
    cd "$1/source"
    ./configure -q --disable-gil --without-ensurepip --prefix="$1"
    make -s -j"$(nproc)"
    make -s install
  ) > "$1/log" 2>&1
  grep -E '^(numpy|pytest)=' bindings/python/requirements-test.txt > "$1/requirements.txt"
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --only-binary=:all: --python-version 3.13 \
    --abi cp313t --target "$1/lib/python3.13t/site-packages" -r "$1/requirements.txt"
}

test_free_threaded() {
  local root=$folder/free-threaded
  build > /dev/null
  if ! "$root/bin/python3" -c 'import numpy, pytest' 2> /dev/null; then make_free_threaded "$root"; fi
  if [ -f build/models/all-MiniLM-L6-v2-q8.safetensors ]; then settings+=(THIMBLE_REAL_MODEL="$PWD/build/models"); fi
  cd bindings/python
  clean "${settings[@]}" PYTHON_GIL=0 "$root/bin/python3" -m pytest --quiet --tb=short -p no:cacheprovider tests
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
  environment) make_environment ;;
  test) run_tests "${@:2}" ;;
  compare | record) ask_reference "$@" ;;
  free-threaded) test_free_threaded ;;
  install) install_package ;;
  *)
    grep '^#   ' "$0" >&2
    exit 2
    ;;
esac
