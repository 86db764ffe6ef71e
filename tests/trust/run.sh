#!/usr/bin/env bash
# Tries to break thimble, and writes docs/trust.md: tests/trust/run.sh
#
#   PART=fuzz|faults|kill|soak   only this part, several separated by blanks
#   MINUTES=30                   of each fuzz target
#   MOST=60                      calls of a kind that fail in turn, for each command
#   ERRORS=9                     errors that each of them fails with
#   ROUNDS=200                   of kill -9, for each command
#   TEXTS=1000000                of the soak
#   NODE=0                       soaks without Node.js
#   PAGE=0                       leaves docs/trust.md as it is
#
# Ends with an error when it found anything; build/trust/found has what shows it again.
set -euo pipefail
cd "$(dirname "$0")/../.."

parts=${PART:-fuzz faults kill soak}
has() { [[ " $parts " == *" $1 "* ]]; }
for part in $parts; do
  case $part in
    fuzz | faults | kill | soak) ;;
    *) echo "trust: no such part: $part" >&2; exit 2 ;;
  esac
done

packages=()
if has fuzz; then packages+=(clang-19 libclang-rt-19-dev llvm-19); fi
if has faults; then packages+=(strace); fi
if [ ${#packages[@]} -gt 0 ]; then scripts/setup.sh with "${packages[@]}"; fi

scripts/build.sh release thimble_cli make_test_model fuzz_replay trust_soak
export THIMBLE_CLI=$PWD/build/thimble THIMBLE_MAKE_TEST_MODEL=$PWD/build/make_test_model
export THIMBLE_SOAK=$PWD/build/trust_soak THIMBLE_REPLAY=$PWD/build/fuzz_replay THIMBLE_FUZZ=$PWD/build-fuzz/thimble_fuzz
export THIMBLE_TRUST=$PWD/build/trust PYTHONDONTWRITEBYTECODE=1
mkdir -p "$THIMBLE_TRUST"

failed=0
if has fuzz; then
  scripts/build.sh fuzz thimble_fuzz
  python3 tests/trust/fuzz.py --minutes "${MINUTES:-30}" || failed=1
fi
if has faults; then python3 tests/trust/faults.py --most "${MOST:-60}" --errors "${ERRORS:-9}" || failed=1; fi
if has kill; then python3 tests/trust/kill.py --rounds "${ROUNDS:-200}" || failed=1; fi
if has soak; then
  node=0
  if [ "${NODE:-1}" != 0 ] && command -v node > /dev/null; then
    scripts/node.sh build > /dev/null
    node=1
  fi
  python3 tests/trust/soak.py --texts "${TEXTS:-1000000}" --node $node || failed=1
fi

# The command as it was given.
command="make trust"
for name in PART MINUTES MOST ERRORS ROUNDS TEXTS NODE; do
  if [ -n "${!name:-}" ]; then command+=" $name=\"${!name}\""; fi
done
if [ "${PAGE:-1}" != 0 ]; then python3 tests/trust/page.py "$command"; fi
if [ $failed -ne 0 ]; then
  echo "trust: something was found; build/trust/found shows it again" >&2
  exit 1
fi
echo "trust: nothing found"
