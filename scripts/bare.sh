#!/usr/bin/env bash
# Runs targets of make on a bare Debian: scripts/bare.sh [bookworm|trixie] [TARGET...]. Both releases, demo and test
# where none is given.
#
# Root only; needs debootstrap and debian-archive-keyring. The system is debootstrap's minbase with make, new for each
# run, and has the tracked files of this tree without .git. Mirror, proxies, certificates and the settings of pip and npm
# are those of this machine. Leaves the system in build/bare/RELEASE and logs in build/bare/RELEASE-TARGET.log.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" -ne 0 ]; then
  echo "bare: only root can change to another root folder" >&2
  exit 1
fi
scripts/need.sh debootstrap git
releases=(bookworm trixie)
case ${1:-} in bookworm | trixie) releases=("$1") && shift ;; esac
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then targets=(demo test); fi
folder=$PWD/build/bare
bundle=/etc/ssl/certs/ca-certificates.crt
mkdir -p "$folder"

# make_base RELEASE ARCHIVE
make_base() {
  local release=$1 work=$folder/$1.new mirror script=/usr/share/debootstrap/scripts/$1
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' | head -n 1)
  if [ ! -e "$script" ]; then script=/usr/share/debootstrap/scripts/sid; fi  # Which all newer releases are links to.
  eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
  rm -rf "$work"
  http_proxy=${http_proxy:-} debootstrap --variant=minbase --include=make \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$release" "$work" "$mirror" "$script" \
    > "$folder/$release-debootstrap.log"
  tar -C "$work" -cf "$2.part" .
  mv "$2.part" "$2"
  rm -rf "$work"
}

# What the clients of the package registries are told on this machine.
copy_settings() {
  local root=$1 path
  cp -L /etc/resolv.conf /etc/hosts "$root/etc"
  apt-config dump --no-empty Acquire | grep -v '^Acquire::IndexTargets' > "$root/etc/apt/apt.conf.d/99host"
  for path in /etc/apt/auth.conf /etc/apt/auth.conf.d /etc/pip.conf ~/.config/pip ~/.pip; do
    if [ -e "$path" ]; then
      mkdir -p "$root${path%/*}"
      cp -rT "$path" "$root$path"
    fi
  done
  if command -v npm > /dev/null; then
    for path in "$(npm config get globalconfig)" "$(npm config get userconfig)"; do
      if [ -f "$path" ]; then cat "$path" >> "$root/root/.npmrc"; fi
    done
  fi
  # As the bundle, for apt, and one by one, for the package ca-certificates, which makes a bundle of its own.
  if [ -f "$bundle" ]; then
    mkdir -p "$root/etc/ssl/certs" "$root/usr/local/share/ca-certificates"
    cp "$bundle" "$root$bundle"
    awk -v folder="$root/usr/local/share/ca-certificates" \
      '/BEGIN CERT/ {++n} /BEGIN CERT/, /END CERT/ {print > (folder "/host-" n ".crt")}' "$bundle"
  fi
}

settings=(HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8)
for name in $(compgen -e | grep -iE '^((https?|ftp|all|no)_proxy|(pip|npm_config)_.*)$'); do
  settings+=("$name=${!name}")
done
# Their paths are this machine's.
for name in SSL_CERT_FILE NODE_EXTRA_CA_CERTS PIP_CERT REQUESTS_CA_BUNDLE CURL_CA_BUNDLE; do
  if [ -n "${!name:-}" ]; then settings+=("$name=$bundle"); fi
done

status=0
for release in "${releases[@]}"; do
  root=$folder/$release
  base=$folder/$release.tar
  if [ ! -f "$base" ]; then
    echo "== debootstrap $release ($(date +%T))"
    make_base "$release" "$base"
  fi
  rm -rf "$root"
  mkdir -p "$root"
  tar -C "$root" -xf "$base"
  copy_settings "$root"
  mkdir "$root/thimble"
  git ls-files -z | tar --null --files-from=- -c | tar -C "$root/thimble" -x
  for target in "${targets[@]}"; do
    log=$folder/$release-$target.log
    echo "== $release: make $target ($(date +%T))"
    # The mounts end with the shell that made them.
    result=passed
    unshare --mount bash -euc '
      root=$1
      shift
      for path in /dev /proc /sys; do mount --rbind "$path" "$root$path"; done
      exec chroot "$root" env -i "$@"' - "$root" "${settings[@]}" make -C /thimble "$target" > "$log" 2>&1 < /dev/null \
      || { result=failed status=1; }
    tail -n 25 "$log"
    echo "== $release: make $target $result ($(date +%T))"
  done
done
exit $status
