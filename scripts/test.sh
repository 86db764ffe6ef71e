#!/usr/bin/env bash
# Checks everything: release, sanitizers, no exceptions, the second compiler, format, and the real model. Tests run in the
# foreground; downloads and builds that they do not wait for run at the same time with what they leave of the processors.
# Each stage has a log in build/test-logs, shown if it fails. The table at the end compares seconds with the budget on two
# idle cores: more is a warning.
set -euo pipefail
cd "$(dirname "$0")/.."

logs=$PWD/build/test-logs
# make demo has the rest of 25 minutes.
declare -A budget=([set-up]=45 [aarch64]=70 [shared]=60 [release]=120 [tests]=330 [python]=90 [install]=120 [clients]=40
  [adapters]=120 [fleets]=330 [node]=100 [bundlers]=60 [swap]=40 [asan]=200 [tsan]=30)
total=1900

# One test more than there are processors, because that of the hub mostly waits.
run_tests() {
  ctest --preset "$1" --parallel $(($(nproc) + 1)) --output-junit "$logs/$1.xml"
}

do_set-up() {
  scripts/setup.sh
  scripts/setup_node.sh
}

# What later stages would wait for.
do_fetch() {
  scripts/release/zig.sh
  scripts/node.sh modules
  scripts/models/fetch.sh onnx
  scripts/models/fetch.sh known gte-small
}

# "make lint" runs clang-tidy too, which takes many minutes.
do_format() { scripts/lint.sh --format; }

# Cross-built, and run by an emulator of the processor.
do_aarch64() {
  scripts/build.sh aarch64
  run_tests aarch64
}

do_shared() { scripts/build.sh shared; }

do_release() {
  scripts/build.sh release
  scripts/models/model.sh fp32 fp16 q8 q6 q4 q4-small
  for dtype in fp32 fp16 q8 q6 q4 q4-small; do
    build/example_embed "build/models/all-MiniLM-L6-v2-$dtype.safetensors" "The cat sleeps." "A kitten naps."
  done
}

# With all that tests need: what is not there is a failure, not a skip. The same holds for those of Node.js.
do_tests() { run_tests complete; }

do_python() { scripts/python.sh test "$logs/python.xml"; }
do_install() { scripts/python.sh install; }
do_adapters() { tests/adapters_python/run.sh "$logs"; }
do_fleets() { tests/fleets/run.sh "$logs"; }

do_clients() { tests/clients/run.sh "$logs"; }

# The second compiler is the one that builds the packages.
do_packages() {
  local platform
  platform=linux-$(node -p process.arch)-gnu
  scripts/release/packages.sh "$platform"
  scripts/release/wheels.sh "$platform"
}

do_node() { THIMBLE_REQUIRE=1 scripts/node.sh test "$logs/node.xml"; }

do_bundlers() { tests/bundlers/run.sh "$logs"; }

do_swap() { tests/swap/run.sh "$logs"; }

do_noexcept() {
  scripts/build.sh noexcept
  build-noexcept/example_embed build/models/all-MiniLM-L6-v2-q8.safetensors "The cat sleeps." "A kitten naps."
}

do_asan-build() { scripts/build.sh asan; }
do_asan() { run_tests asan; }
do_tsan-build() { scripts/build.sh tsan; }
do_tsan() { run_tests tsan; }

# Runs a stage, and adds its name, exit code and seconds to a file.
stage() {
  local begin=$SECONDS code
  set +e
  (set -e; "do_$1") > "$logs/$1.log" 2>&1
  code=$?
  set -e
  if [ $code -eq 0 ]; then
    echo "== $1: $((SECONDS - begin)) s ($(date +%T))"
    grep -hE '^[0-9]+% tests passed|^[0-9]+ passed in|^. (pass|fail) |(tgz|whl): [0-9]+ bytes' "$logs/$1.log" || true
  else
    echo "== $1: failed ($(date +%T)), $logs/$1.log:"
    grep -vE '^ *([0-9]+/[0-9]+ .* Passed |Start +[0-9]+: )|^\[[0-9]+/[0-9]+\] ' "$logs/$1.log" || true
  fi
  echo "$1 $code $((SECONDS - begin))" >> "$logs/stages"
  if [ $code -ne 0 ]; then exit 1; fi
}

# Waits until a stage of the other lane has ended.
await() {
  until grep -q "^$1 " "$logs/stages"; do
    # The one in the background may have failed before.
    if [ "$lane" != $$ ] && ! kill -0 "$lane" 2> /dev/null && ! grep -q "^$1 " "$logs/stages"; then exit 1; fi
    sleep 0.5
  done
  if ! grep -q "^$1 0 " "$logs/stages"; then exit 1; fi
}

end() {
  local code=$?
  trap - EXIT
  if [ -n "${lane:-}" ]; then kill -- "-$lane" 2> /dev/null || true; fi
  python3 scripts/count_tests.py "$logs" || true
  echo "seconds of each stage, and its budget:"
  while read -r name _ seconds; do
    printf '  %-12s %5d %5s%s\n' "$name" "$seconds" "${budget[$name]:-}" \
      "$(if [ "$seconds" -gt "${budget[$name]:-$seconds}" ]; then echo '  over budget'; fi)"
  done < "$logs/stages"
  printf '  %-12s %5d %5d%s\n' all "$SECONDS" "$total" "$(if [ "$SECONDS" -gt "$total" ]; then echo '  over budget'; fi)"
  exit "$code"
}

rm -rf "$logs"
mkdir -p "$logs"
touch "$logs/stages"
trap end EXIT
stage set-up

# A process group of its own, to be ended whole.
set -m
(
  lane=$$
  renice -n 19 -p "$BASHPID" > /dev/null
  stage fetch
  stage format
  await release
  for name in packages noexcept asan-build tsan-build; do stage "$name"; done
) &
lane=$!
set +m

for name in aarch64 shared release; do stage "$name"; done
await fetch
for name in tests python install clients adapters fleets; do stage "$name"; done
await packages
for name in node bundlers swap; do stage "$name"; done
await noexcept
for name in asan tsan; do
  await "$name-build"
  stage "$name"
done
await format
