# Sourced. Finds who builds images: CONTAINER_TOOL, else docker if its daemon answers, else buildah, else podman. Docker writes no OCI layouts,
# and is left out where OUTPUT asks for one. Sets `tool` and `build`.
# shellcheck shell=bash

tool=${CONTAINER_TOOL:-}
if [ -z "$tool" ]; then
  if [[ ${OUTPUT:-} != oci:* ]] && docker info >/dev/null 2>&1; then
    tool=docker
  elif command -v buildah >/dev/null; then
    tool=buildah
  elif command -v podman >/dev/null; then
    tool=podman
  else
    echo 'Nothing here builds what is asked for: install buildah (Debian: apt-get install buildah) or podman, or, for images alone, start docker.' >&2
    exit 1
  fi
fi
command -v "$tool" >/dev/null || { echo "CONTAINER_TOOL=$tool is not installed." >&2; exit 1; }
if [[ ${OUTPUT:-} == oci:* && $(basename "$tool") == docker ]]; then
  echo "docker writes no OCI layouts: install buildah or podman, and leave CONTAINER_TOOL unset." >&2
  exit 1
fi
build=("$tool" build)

if [ "$(basename "$tool")" = buildah ]; then
  export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot} # needs no container runtime, and works inside containers
  # Overlays can't be stacked on those of a container.
  "$tool" info >/dev/null 2>&1 || export STORAGE_DRIVER=vfs
fi
