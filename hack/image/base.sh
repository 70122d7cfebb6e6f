#!/usr/bin/env bash
# Makes a base for the Dockerfile's build stage without any registry, from what this machine has: its Go, its CA certificates, and a shell.
# Prints the image's name. Set CONTAINER_TOOL to choose who builds it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source hack/image/tool.sh

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
goroot=$(go env GOROOT)
mkdir -p "$root"/{tmp,bin,etc/ssl/certs,usr/local/go}
cp -a "$goroot"/{VERSION,bin,go.env,pkg,src} "$root/usr/local/go/"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" # Debian's package ca-certificates
shell=$(command -v sh)
cp -L "$shell" "$root/bin/sh"
ldd "$shell" | grep -o '/[^ ]*' | while read -r library; do # at the same paths
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done

name=localhost/tokensync-build-base:$(go env GOVERSION)
"${build[@]}" -q -f hack/image/base.Dockerfile -t "$name" "$root" >&2
echo "$name"
