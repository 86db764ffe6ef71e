#!/usr/bin/env bash
# Builds the npm packages with zig's compiler: scripts/release/packages.sh [PLATFORM...]; all platforms without one.
# Leaves build/packages/*.tgz: thimble, @thimble/transformers, and one per platform with the addon and, but for Windows,
# the command line.
set -euo pipefail
cd "$(dirname "$0")/../.."

declare -A targets=(
  [linux-x64-gnu]=x86_64-linux-gnu.2.28
  [linux-x64-musl]=x86_64-linux-musl
  [linux-arm64-gnu]=aarch64-linux-gnu.2.28
  [linux-arm64-musl]=aarch64-linux-musl
  [darwin-x64]=x86_64-macos.12.0
  [darwin-arm64]=aarch64-macos.12.0
  [win32-x64]=x86_64-windows-gnu
)
all=(linux-x64-gnu linux-x64-musl linux-arm64-gnu linux-arm64-musl darwin-x64 darwin-arm64 win32-x64)
platforms=("$@")
if [ ${#platforms[@]} -eq 0 ]; then platforms=("${all[@]}"); fi

version=$(cat VERSION)
packages=$PWD/build/packages
tools=$(scripts/release/zig.sh)
most_bytes=3000000

if command -v ninja > /dev/null; then export CMAKE_GENERATOR=Ninja; fi

export ZIG_GLOBAL_CACHE_DIR=$tools/cache

# utf8proc: this system's archive where it fits, else the source inside a crate.
utf8proc_source() {
  local source=$tools/utf8proc-sys
  if [ ! -d "$source" ]; then
    command -v cargo > /dev/null || { echo "packages: other processors and systems need cargo" >&2; exit 1; }
    scripts/models/fetch.sh crate utf8proc-sys 0.1.2 "$source" > /dev/null
  fi
  echo "$source/utf8proc"
}

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
  if [ "$bytes" -ge $most_bytes ]; then echo "packages: a package must stay below $most_bytes bytes" >&2; exit 1; fi
}

scripts/node.sh modules
mkdir -p "$packages"
for platform in "${platforms[@]}"; do
  target=${targets[$platform]:?no such platform: $platform}
  build=build-$platform
  with_cli=ON
  programs=(thimble_node thimble_cli)
  files='"NOTICE", "thimble.node", "thimble"'
  options=()
  case $platform in
    linux-x64-*) options+=("-DUTF8PROC_LIBRARY=$(find /usr/lib -name libutf8proc.a)" -DUTF8PROC_INCLUDE_DIR=/usr/include) ;;
    win32-*) with_cli=OFF programs=(thimble_node) files='"NOTICE", "thimble.node"' ;;
    *) options+=("-DTHIMBLE_UTF8PROC_SOURCE=$(utf8proc_source)") ;;
  esac
  cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_COMPILE_WARNING_AS_ERROR=ON \
    -DCMAKE_TOOLCHAIN_FILE=cmake/zig.cmake -DTHIMBLE_ZIG_BIN="$tools/bin" -DTHIMBLE_ZIG_TARGET="$target" \
    -DTHIMBLE_CROSS_INCLUDE="$tools/include" -DTHIMBLE_DEVELOPER=OFF -DTHIMBLE_EXAMPLES=OFF -DTHIMBLE_NODE=ON \
    -DTHIMBLE_COMPACT=ON -DTHIMBLE_SERVER=OFF \
    -DTHIMBLE_TOOLS=$with_cli "${options[@]}" > "$packages/$platform.log" 2>&1 \
    && cmake --build "$build" --target "${programs[@]}" --parallel "$(nproc)" >> "$packages/$platform.log" 2>&1 \
    || { tail -n 40 "$packages/$platform.log" >&2; exit 1; }

  folder=$packages/$platform
  rm -rf "$folder"
  mkdir -p "$folder"
  cp "$build/thimble.node" "$folder"
  if [ $with_cli = ON ]; then cp "$build/thimble" "$folder"; fi
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
  ' "$2" "$1/package.json" "$version" "${all[@]}"
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
