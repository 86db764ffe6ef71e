#!/usr/bin/env bash
# Leaves the files of a crate in a folder: scripts/fetch_crate.sh NAME VERSION TARGET. Needs cargo.
set -euo pipefail

name=$1 version=$2 target=$3
mkdir -p "$target"
download=$(mktemp -d "$target/download-XXXXXX")
trap 'rm -rf "$download"' EXIT
mkdir "$download/src"
touch "$download/src/lib.rs"
cat > "$download/Cargo.toml" << END
[package]
name = "fetch"
version = "0.0.0"
edition = "2021"

[dependencies]
$name = "=$version"
END
(cd "$download" && cargo vendor --quiet vendor >&2)
cp -r "$download/vendor/$name/." "$target"
