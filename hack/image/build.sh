#!/usr/bin/env bash
# Builds the manager's image for one platform: `make image` tells the variables. The same commit and Go give the same program, and with buildah or
# podman the same image.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source hack/image/tool.sh

case $(uname -m) in x86_64) machine=amd64 ;; aarch64 | arm64) machine=arm64 ;; *) machine=$(uname -m) ;; esac
platform=${PLATFORM:-linux/$machine}
image=${IMAGE:?the name and tag of the image}
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}

arguments=(
  --platform "$platform"
  --build-arg "VERSION=${VERSION:-dev}"
  --build-arg "COMMIT=${COMMIT:-unknown}"
  --build-arg "CREATED=$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -r "$epoch" +%Y-%m-%dT%H:%M:%SZ)" # GNU's, else BSD's
  -t "$image"
)
case ${BUILD_BASE:-} in
  '') ;; # the Dockerfile's
  local) arguments+=(--build-arg "BUILD_BASE=$(hack/image/base.sh)") ;;
  *) arguments+=(--build-arg "BUILD_BASE=$BUILD_BASE") ;;
esac
if [ "$(basename "$tool")" = docker ]; then
  arguments+=(--build-arg "SOURCE_DATE_EPOCH=$epoch")
else
  # Debian 12's buildah does not set BUILDPLATFORM itself. --timestamp is the time of every file and of the image.
  arguments+=(--timestamp "$epoch" --build-arg "BUILDPLATFORM=linux/$machine")
  # What this machine has of modules and compiled packages is used: where it has all modules, no network is needed.
  if command -v go >/dev/null; then
    for cache in GOMODCACHE GOCACHE; do
      folder=$(go env "$cache")
      mkdir -p "$folder"
      arguments+=(--volume "$folder:/host/$cache" --build-arg "$cache=/host/$cache")
    done
    arguments+=(--build-arg "GOPROXY=$(go env GOPROXY)")
  fi
fi
"${build[@]}" "${arguments[@]}" .

case ${OUTPUT:-} in
  '') exit ;;
  oci:*) "$tool" push -q "$image" "$OUTPUT" ;;
  *) # what `docker load`, `kind load image-archive` and `ctr images import` read
    mkdir -p "$(dirname "$OUTPUT")"
    rm -f "$OUTPUT" # neither tool overwrites an archive
    case $(basename "$tool") in
      buildah) "$tool" push -q "$image" "docker-archive:$OUTPUT:$image" ;;
      *) "$tool" save -o "$OUTPUT" "$image" ;;
    esac ;;
esac
echo "$OUTPUT: $image for $platform"
