#!/usr/bin/env bash
# Checks everything: release, sanitizers, no exceptions, the second compiler, format, and the real model. Three lanes run at the
# same time: tests; builds, with what tests leave of the processors; and downloads. A stage begins when those that it needs
# have ended. Each has a log in build/test-logs, shown if it fails, and its end if the run is stopped. The table at the end
# has the seconds and those of the processors, and compares the first with the budget: more is a warning.
set -euo pipefail
cd "$(dirname "$0")/.."

logs=$PWD/build/test-logs
downloads=(tools zig modules onnx environments)
builds=(packages asan-build noexcept tsan-build install adapters format)
# With nothing else to do, the lane of tests takes what is left of the builds.
tests=(release models aarch64 shared tests python clients fleets node bundlers swap tsan asan)

declare -A needs=([tools]= [zig]=tools [modules]=tools [onnx]=modules [environments]=tools
  [packages]="release zig modules" [asan-build]=release [noexcept]=models [tsan-build]=release [install]="release tools"
  [adapters]="release environments" [format]="release tools"
  [release]= [models]="release onnx" [aarch64]="release tools" [shared]=release [tests]="models aarch64 shared"
  [python]="models environments" [clients]="release environments" [fleets]="models environments"
  [node]="models packages" [bundlers]="models packages environments" [swap]="models packages" [tsan]=tsan-build
  [asan]=asan-build)
# Seconds that stages took beside the other lanes, on two cores that did nothing else, and a tenth more.
declare -A budget=([set-up]=45 [release]=240 [models]=55 [aarch64]=120 [environments]=320 [shared]=160 [tests]=1050
  [python]=80 [clients]=35 [fleets]=370)
total=3000

# One test more than there are processors, because that of the hub mostly waits.
run_tests() {
  ctest --preset "$1" --parallel $(($(nproc) + 1)) --output-junit "$logs/$1.xml"
}

do_set-up() { scripts/setup.sh build; }

do_tools() {
  scripts/setup.sh
  scripts/setup_node.sh
}
do_zig() { scripts/release/zig.sh; }
do_modules() { scripts/node.sh modules; }
do_onnx() {
  scripts/models/fetch.sh onnx
  scripts/models/fetch.sh known gte-small
}
do_environments() {
  scripts/python.sh environment
  for name in clients bundlers adapters_python fleets; do "tests/$name/run.sh" --install; done
}

# "make lint" runs clang-tidy too, which takes many minutes.
do_format() { scripts/lint.sh --format; }

# Cross-built, and run by an emulator of the processor.
do_aarch64() {
  scripts/build.sh aarch64
  run_tests aarch64
}

do_shared() { scripts/build.sh shared; }

do_release() { scripts/build.sh release; }

do_models() {
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

# Runs a stage, and adds its name, exit code, seconds, and seconds of processors to a file.
stage() {
  local begin=$SECONDS code cpu TIMEFORMAT='%0U %0S'
  set +e
  cpu=$({ time { (set -e; "do_$1") > "$logs/$1.log" 2>&1; } } 2>&1)
  code=$?
  set -e
  if [ $code -eq 0 ]; then
    echo "== $1: $((SECONDS - begin)) s ($(date +%T))"
    grep -hE '^[0-9]+% tests passed|^[0-9]+ passed in|^. (pass|fail) |(tgz|whl): [0-9]+ bytes' "$logs/$1.log" || true
  else
    echo "== $1: failed ($(date +%T)), $logs/$1.log:"
    grep -vE '^ *([0-9]+/[0-9]+ .* Passed |Start +[0-9]+: )|^\[[0-9]+/[0-9]+\] ' "$logs/$1.log" || true
  fi
  echo "$1 $code $((SECONDS - begin)) $((${cpu% *} + ${cpu#* }))" >> "$logs/stages"
  if [ $code -ne 0 ]; then exit 1; fi
}

# Runs stages, always the first whose needs are met, but those that another lane has begun.
run_lane() {
  local left=("$@") waiting name need next ended failed=$'\n[^ ]+ [^0]'
  while [ ${#left[@]} -gt 0 ]; do
    ended=$'\n'$(< "$logs/stages")
    if [[ $ended =~ $failed ]]; then exit 1; fi
    next= waiting=()
    for name in "${left[@]}"; do
      if [ -z "$next" ]; then
        next=$name
        for need in ${needs[$name]}; do
          if [[ $ended != *$'\n'"$need 0 "* ]]; then next=; fi
        done
      fi
      if [ "$name" != "$next" ]; then waiting+=("$name"); fi
    done
    if [ -n "$next" ]; then
      if mkdir "$logs/$next.begun" 2> /dev/null; then stage "$next"; fi
      left=("${waiting[@]}")
    else
      sleep 0.5
    fi
  done
}

end() {
  local code=$?
  trap - EXIT
  for lane in "${lanes[@]}"; do kill -- "-$lane" 2> /dev/null || true; done
  for log in "$logs"/*.log; do
    name=$(basename "$log" .log)
    if ! grep -q "^$name " "$logs/stages"; then
      echo "== $name: not ended, $log:"
      tail -n 8 "$log"
    fi
  done
  python3 scripts/count_tests.py "$logs" || true
  echo "seconds of each stage, of processors, and its budget:"
  while read -r name _ seconds cpu; do
    printf '  %-12s %5d %5d %5s%s\n' "$name" "$seconds" "$cpu" "${budget[$name]:-}" \
      "$(if [ "$seconds" -gt "${budget[$name]:-$seconds}" ]; then echo '  over budget'; fi)"
  done < "$logs/stages"
  printf '  %-12s %5d %5s %5d%s\n' all "$SECONDS" "" "$total" "$(if [ "$SECONDS" -gt "$total" ]; then echo '  over budget'; fi)"
  exit "$code"
}

rm -rf "$logs"
mkdir -p "$logs"
touch "$logs/stages"
lanes=()
trap end EXIT
trap 'exit 143' TERM
stage set-up

# NICENESS STAGE...
start_lane() {
  (
    renice -n "$1" -p "$BASHPID" > /dev/null
    run_lane "${@:2}"
  ) < /dev/null &
  lanes+=($!)
}

# Process groups of their own, to be ended whole.
set -m
start_lane 5 "${downloads[@]}"
start_lane 19 "${builds[@]}"
start_lane 0 "${tests[@]}" "${builds[@]}"
set +m
for _ in "${lanes[@]}"; do wait -n; done
