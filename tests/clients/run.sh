#!/usr/bin/env bash
# Runs the clients of other services, from npm and the Python index, against thimble serve: tests/clients/run.sh
# [FOLDER] puts the results as JUnit XML into FOLDER; with --install it only gets what is installed for them. Needs
# build/thimble and build/make_test_model.
set -euo pipefail
cd "$(dirname "$0")/../.."

scripts/setup_node.sh --check
folder=$PWD/build/clients
mkdir -p "$folder/home"

python=$(tests/support/venv.sh "$folder/python" tests/clients/requirements.txt)
# What is installed is kept as long as the list is the same.
if ! cmp -s tests/clients/package.json "$folder/installed.json"; then
  rm -rf "$folder/node_modules"
  cp tests/clients/{package.json,.npmrc} "$folder"
  # No scripts and nothing optional: those are programs, of which none is needed.
  npm install --prefix "$folder" --ignore-scripts --omit=optional --no-audit --no-fund --loglevel=error
  cp tests/clients/package.json "$folder/installed.json"
fi
if [ "${1:-}" = --install ]; then exit; fi
logs=$(realpath "${1:-build}")
# Modules are looked for beside the file that imports them.
cp tests/clients/clients.test.mjs "$folder"

rm -rf "$folder/model"
mkdir "$folder/model"
build/make_test_model "$folder/model"
key=key-of-the-clients
echo "$key" > "$folder/keys.txt"
# In the foreground a signal is handed on once: the second one would end the server at once.
env -u THIMBLE_API_KEYS timeout --foreground --kill-after=10 300 build/thimble serve --listen 127.0.0.1:0 \
  -m "$folder/model/q8.safetensors" -m "$folder/model/reranker-q8.safetensors" --api-key-file "$folder/keys.txt" 2> "$folder/server.log" &
server=$!
trap 'kill "$server" 2> /dev/null || true' EXIT
url=
for ((i = 0; i < 300 && ${#url} == 0; ++i)); do
  sleep 0.1
  url=$(sed -n 's/.*"event":"listening","text":"\([^"]*\)".*/\1/p' "$folder/server.log")
done
if [ -z "$url" ]; then cat "$folder/server.log" >&2; exit 1; fi

# Neither proxies nor keys nor settings of the user reach the clients.
run() {
  env -i PATH="$PATH" HOME="$folder/home" NO_PROXY=127.0.0.1 THIMBLE_CLI="$PWD/build/thimble" \
    THIMBLE_MODEL="$folder/model/q8.safetensors" THIMBLE_URL="$url" THIMBLE_KEY="$key" "$@"
}
failed=0
run "$python" -m pytest --quiet --tb=short -p no:cacheprovider -W ignore::DeprecationWarning \
  --junit-xml="$logs/clients-python.xml" tests/clients/clients_test.py || failed=1
run node --test --test-reporter=spec --test-reporter-destination=stdout --test-reporter=junit \
  --test-reporter-destination="$logs/clients-node.xml" "$folder/clients.test.mjs" || failed=1

kill "$server"
trap - EXIT
wait "$server" || { echo "server_clients: thimble serve ended with $?" >&2; failed=1; }
if grep -F "$key" "$folder/server.log" >&2; then failed=1; fi
exit "$failed"
