#!/usr/bin/env bash
# Installs what building and testing need on Debian 12 and 13, as root or with sudo: scripts/setup.sh [build]. With
# "build", only what building needs; "with PACKAGE...", these too. Does nothing when all is there.
set -euo pipefail

boost=libboost-dev
if grep -qs '^VERSION_ID="12"' /etc/os-release; then boost=libboost1.81-dev; fi  # Whose libboost-dev is older.

packages=(g++ ccache cmake ninja-build make python3 python3-pip nlohmann-json3-dev libcli11-dev libutf8proc-dev
  libprotozero-dev libcurl4-openssl-dev ca-certificates libgtest-dev "$boost")
if [ "${1:-}" != build ]; then
  packages+=(googletest curl python3-venv clang-tidy-19 clang-format-19 g++-aarch64-linux-gnu qemu-user
    default-jre-headless libsqlite3-0 strace wrk)
fi
if [ "${1:-}" = with ]; then packages+=("${@:2}"); fi

missing=()
for package in "${packages[@]}"; do
  if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null)" != installed ]; then missing+=("$package"); fi
done
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

if ! command -v apt-get > /dev/null; then
  echo "setup: this system has no apt-get; install the equivalents of: ${missing[*]}" >&2
  exit 1
fi
root=()
if [ "$(id -u)" -ne 0 ]; then root=(sudo); fi
echo "setup: installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{
  "${root[@]}" apt-get update
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
} > "$log" 2>&1 || { tail -n 30 "$log" >&2; exit 1; }
