#!/usr/bin/env bash
# Builds etcd, kube-apiserver and kubectl from the Go modules pinned in go.mod, for envtest and the demo, and prints the folder
# that holds them. What is there already is kept; KUBEBUILDER_ASSETS, when set, is used instead.
set -euo pipefail

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  echo "$KUBEBUILDER_ASSETS"
  exit 0
fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$here/bin
stamp=$(cat "$here/go.mod" "$here/go.sum" "$here/build.sh" | cksum)
mkdir -p "$bin"
exec 9>"$bin/.lock"
flock 9 # two runs at once would build everything twice
if [ "$(cat "$bin/.stamp" 2>/dev/null || true)" = "$stamp" ]; then
  echo "$bin"
  exit 0
fi

# One line that counts the compiled packages: on a terminal it is rewritten, elsewhere it comes every 250 packages.
progress() {
  awk -v tty="$([ -t 2 ] && echo 1 || echo 0)" -v what="$1" '
    /^[[:alnum:]_.\/-]+$/ { n++; if (tty) printf "\r  %s: %d packages compiled", what, n > "/dev/stderr"
                            else if (n % 250 == 0) printf "  %s: %d packages compiled\n", what, n > "/dev/stderr"; next }
    { print > "/dev/stderr" }
    END { if (tty && n) printf "\n" > "/dev/stderr" }'
}

version=$(awk '$1 == "k8s.io/kubernetes" {print $2}' "$here/go.mod")
minor=$(cut -d. -f2 <<<"$version")
x=k8s.io/component-base/version
ldflags="-s -w -X $x.gitVersion=$version -X $x.gitMajor=1 -X $x.gitMinor=$minor"
echo "Building a local control plane, Kubernetes $version (about four minutes the first time, then cached)" >&2
build() { # NAME PACKAGE
  (cd "$here" && GOWORK=off GOFLAGS='-mod=readonly' CGO_ENABLED=0 go build -v -trimpath -buildvcs=false -ldflags "$ldflags" \
    -o "$bin/.new/$1" "$2") 2>&1 | progress "$1"
}
rm -rf "$bin/.new"
build etcd go.etcd.io/etcd/server/v3
build kubectl k8s.io/kubernetes/cmd/kubectl
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
mv -f "$bin"/.new/* "$bin"
rmdir "$bin/.new"
echo "$stamp" >"$bin/.stamp"
echo "$bin"
