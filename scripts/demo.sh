#!/usr/bin/env bash
# The whole way on a bare machine: install, build, get the real model, convert it, embed with it.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh build
scripts/models/fetch.sh model > /dev/null &
scripts/build.sh release thimble_cli bench_cold_start
wait $!
scripts/models/model.sh q8 q4

lines=build/models/demo.txt
cat > "$lines" << 'END'
The cat sleeps on the warm window sill.
A kitten naps in the sun.
The central bank raised interest rates again.
Mortgage costs are going up this year.
How do I reset my password?
The train to the coast leaves at noon.
END

for dtype in q8 q4; do
  model=build/models/all-MiniLM-L6-v2-$dtype.safetensors
  echo
  echo "== $model, $(stat -c %s "$model") bytes"
  echo "thimble embed \"a short text\":"
  build/thimble embed -m "$model" "a short text" | cut -c 1-72 | sed 's/$/.../'
  echo "thimble similar \"borrowing money becomes expensive\":"
  build/thimble similar -m "$model" --top 3 "borrowing money becomes expensive" "$lines"
  build/bench_cold_start "$model" 50 || [ $? -eq 1 ]  # A limit exceeded fails the benchmark, not the demo.
done
