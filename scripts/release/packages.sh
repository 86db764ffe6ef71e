#!/usr/bin/env bash
# Builds the npm packages with zig's compiler: scripts/release/packages.sh [PLATFORM...]; all platforms without one.
# Leaves build/packages/*.tgz: thimble, @thimble/transformers, and one per platform with the addon and, but for Windows,
# the command line, whose code is in the addon but for musl.
set -euo pipefail
cd "$(dirname "$0")/../.."

platforms=("$@")
source scripts/release/native.sh

version=$(cat VERSION)
packages=$PWD/build/packages

pack() {
  local folder=$1 tarball
  cp LICENSE NOTICE "$folder"
  tarball=$packages/$(cd "$packages" && npm pack --silent --ignore-scripts "$folder")
  # npm's own level costs 6 % more.
  "$tools/venv/bin/python" -c 'import gzip, sys, zopfli.gzip
data = gzip.open(sys.argv[1]).read()
open(sys.argv[1] + ".part", "wb").write(zopfli.gzip.compress(data, numiterations=15))' "$tarball"
  mv "$tarball.part" "$tarball"
  local bytes
  bytes=$(stat -c %s "$tarball")
  echo "$tarball: $bytes bytes"
  local most_bytes=1900000
  case $folder in
    *musl) most_bytes=3300000 ;;  # Their command line is static, with all of the code.
    *darwin*) most_bytes=2000000 ;;
  esac
  if [ "$bytes" -ge $most_bytes ]; then echo "packages: a package must stay below $most_bytes bytes" >&2; exit 1; fi
}

scripts/node.sh modules
mkdir -p "$packages"
for platform in "${platforms[@]}"; do
  programs=(thimble_node thimble_cli)
  files='"NOTICE", "thimble.node", "thimble"'
  if [ "$platform" = win32-x64 ]; then programs=(thimble_node) files='"NOTICE", "thimble.node"'; fi
  build_native "$platform" "${programs[@]}"

  folder=$packages/$platform
  rm -rf "$folder"
  mkdir -p "$folder"
  cp "build-$platform/thimble.node" "$folder"
  if [ "$platform" != win32-x64 ]; then cp "build-$platform/thimble" "$folder"; fi
  IFS=- read -r os cpu libc <<< "$platform"
  case ${libc:-} in gnu) libc='"libc": ["glibc"],' ;; musl) libc='"libc": ["musl"],' ;; esac
  cat > "$folder/package.json" << END
{
  "name": "@thimble/$platform",
  "version": "$version",
  "description": "The native part of thimble for $platform",
  "license": "Apache-2.0",
  "os": ["$os"],
  "cpu": ["$cpu"],
  ${libc:-}
  "files": [$files]
}
END
  pack "$folder"
done

# FOLDER FROM: packs the files that lie in the folder, with the manifest FROM as it is published. The package thimble
# names those of the platforms here, so that a checkout asks no registry for them.
pack_script_package() {
  node -e '
    const [, from, to, version, ...platforms] = process.argv;
    const manifest = JSON.parse(require("fs").readFileSync(from, "utf8"));
    delete manifest.scripts;
    delete manifest.devDependencies;
    manifest.version = version;
    if (manifest.dependencies) manifest.dependencies.thimble = version;
    else manifest.optionalDependencies = Object.fromEntries(platforms.map((name) => [`@thimble/${name}`, version]));
    require("fs").writeFileSync(to, JSON.stringify(manifest, null, 2) + "\n");
  ' "$2" "$1/package.json" "$version" "${all_platforms[@]}"
  pack "$1"
}

rm -rf "$packages"/{thimble,transformers}
mkdir -p "$packages"/{thimble,transformers}
cp -rL bindings/node/{lib,bin,README.md} "$packages/thimble"
# Rollup reads no JSON without a plugin.
node -e '
  const fs = require("fs");
  const [, lib, version] = process.argv;
  const dialects = `${lib}/backends/dialects`;
  fs.writeFileSync(`${dialects}.js`, `// The table of dialects.\n"use strict";\n\nmodule.exports = ${fs.readFileSync(`${dialects}.json`, "utf8").trim()};\n`);
  fs.rmSync(`${dialects}.json`);
  for (const name of fs.readdirSync(lib, { recursive: true }).filter((name) => /\.m?js$/.test(name))) {
    const text = fs.readFileSync(`${lib}/${name}`, "utf8");
    const changed = text.replace(/require\(.[./]*package\.json.\)\.version/, JSON.stringify(version))
      .replace("dialects.json", "dialects.js");
    if (/require\(.[^)]*\.json/.test(changed)) throw new Error(`${name}: requires JSON`);
    if (changed !== text) fs.writeFileSync(`${lib}/${name}`, changed);
  }
' "$packages/thimble/lib" "$version"
pack_script_package "$packages/thimble" bindings/node/package.json
cp bindings/transformers/{index.*,README.md} "$packages/transformers"
pack_script_package "$packages/transformers" bindings/transformers/package.json
