#!/usr/bin/env bash
# Gets zig, which compiles C++ for other systems, into build/zig, under the names that CMake asks for, with the headers of
# libraries that programs for other systems are built with, and zopfli, which compresses packages; prints that folder. Fast
# when it is there.
set -euo pipefail
cd "$(dirname "$0")/../.."

tools=$PWD/build/zig
packages=(ziglang==0.17.1 zopfli==0.4.3)
if [ "$(cat "$tools/installed" 2> /dev/null)" != "${packages[*]}" ]; then
  rm -rf "$tools"
  python3 -m venv "$tools/venv"
  "$tools/venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}" >&2
  mkdir -p "$tools/bin" "$tools/include"
  zig=$(find "$tools/venv" -path '*/ziglang/zig' -type f)
  for name in cc c++ ar ranlib dlltool; do
    printf '#!/bin/sh\nexec "%s" %s "$@"\n' "$zig" "$name" > "$tools/bin/$name"
    chmod +x "$tools/bin/$name"
  done
  echo "${packages[*]}" > "$tools/installed"
fi
for library in nlohmann CLI boost protozero; do
  if [ -d "/usr/include/$library" ]; then ln -sfn "/usr/include/$library" "$tools/include/$library"; fi
done
curl_header=$(find /usr/include -path '*/curl/curl.h' -print -quit)
ln -sfn "${curl_header%/curl.h}" "$tools/include/curl"
echo "$tools"
