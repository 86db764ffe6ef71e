#!/usr/bin/env bash
# Installs the official clients that thimble serve is tested with, from npm and PyPI, into build/clients unless they are
# there, and prints that folder. tests/server_clients_test.py runs them: THIMBLE_CLIENTS=$PWD/build/clients.
set -euo pipefail
cd "$(dirname "$0")/.."

node=(openai@6.49.0 ollama@0.6.4 cohere-ai@8.1.0 voyageai@0.4.0 @langchain/openai@1.5.8 @langchain/core@1.4.0
  llamaindex@0.12.1 @llamaindex/openai@0.4.22 ai@6.0.326 @ai-sdk/openai@3.0.141 @ai-sdk/openai-compatible@2.0.92
  @huggingface/inference@4.13.30)
python=(openai==3.57.0 ollama==0.6.3 cohere==7.3.1 voyageai==0.5.0 langchain-openai==1.7.4 huggingface_hub==2.4.0
  chromadb==1.5.9)

folder=build/clients
echo "$folder"
if [ "$folder/complete" -nt scripts/server_clients.sh ]; then exit 0; fi
scripts/need.sh npm >&2
rm -rf "$folder"
mkdir -p "$folder"
{
  echo '{"private": true}' > "$folder/package.json"
  # No scripts: some of the packages would download programs of their own.
  npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error "${node[@]}"
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${python[@]}"
} >&2
touch "$folder/complete"
