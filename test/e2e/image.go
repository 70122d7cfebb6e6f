package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"tokensync.dev/tokensync/internal/kubetest"
)

// The images, as the cluster knows them.
func operatorImage() string { return setting("E2E_IMAGE", "tokensync:dev") }
func previousImage() string { return setting("E2E_PREVIOUS_IMAGE", "tokensync:previous") }
func actorImage() string    { return setting("E2E_ACTOR_IMAGE", "tokensync-actor:dev") }

// previousRef is the release before.
func previousRef(tb testing.TB) string {
	tb.Helper()
	if ref := os.Getenv("PREVIOUS"); ref != "" {
		return ref
	}
	if tag := tagBefore(tb, kubetest.Root()); tag != "" {
		return tag
	}
	const beforeTheFirst = "76999fa" // there was no release yet
	if out, err := exec.Command("git", "-C", kubetest.Root(), "cat-file", "-e", beforeTheFirst+"^{commit}").CombinedOutput(); err != nil {
		tb.Fatalf("the commit that stands for the release before is not in this clone: `git fetch --unshallow`, or name another by PREVIOUS (%s)", out)
	}
	return beforeTheFirst
}

// tagBefore is the newest version whose tag the history of a checkout has, without what the checkout itself is tagged as; empty: none. A release
// comes after its candidates.
func tagBefore(tb testing.TB, checkout string) string {
	tb.Helper()
	tags := strings.Fields(run(tb, checkout, nil, "git", "-c", "versionsort.suffix=-", "tag", "--list", "v*", "--merged", "HEAD", "--no-contains", "HEAD",
		"--sort=-version:refname"))
	if len(tags) == 0 {
		return ""
	}
	return tags[0]
}

// built holds files that several clusters take, by their names.
var built struct {
	lock   sync.Mutex
	folder string
	files  map[string]string
}

// once makes a file that several clusters take, when it is first asked for.
func once(tb testing.TB, name string, build func(file string)) (file string) {
	tb.Helper()
	built.lock.Lock()
	defer built.lock.Unlock()
	if file, ok := built.files[name]; ok {
		return file
	}
	if built.files == nil {
		folder, err := os.MkdirTemp("", "tokensync-e2e-")
		if err != nil {
			tb.Fatal(err)
		}
		built.folder, built.files = folder, map[string]string{}
	}
	file = filepath.Join(built.folder, name)
	build(file)
	built.files[name] = file
	return file
}

// archive is the operator's image as `make image` builds it, with docker, buildah or podman.
func archive(tb testing.TB) string {
	tb.Helper()
	return once(tb, "operator.tar", func(file string) {
		base := setting("BUILD_BASE", "local") // no registry is needed
		run(tb, kubetest.Root(), nil, "make", "image", "IMAGE="+operatorImage(), "BUILD_BASE="+base, "OUTPUT="+file)
	})
}

// binary is a static binary of a package in a module.
func binary(tb testing.TB, name, module, pkg string) string {
	tb.Helper()
	return once(tb, name, func(file string) {
		run(tb, module, append(os.Environ(), "CGO_ENABLED=0"), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, pkg)
	})
}

// removeBinaries is for the end of all tests.
func removeBinaries() {
	if built.folder != "" {
		_ = os.RemoveAll(built.folder)
	}
}

// Load brings this tree's images into the cluster; in somebody else's they are there.
func (c *Cluster) Load() {
	c.TB.Helper()
	if c.lab == nil {
		return
	}
	c.lab.run(c.TB, "import", archive(c.TB))
	c.lab.run(c.TB, "image", actorImage(), binary(c.TB, "actor", filepath.Join(kubetest.Root(), "test"), "./e2e/actors/actor"))
}

// LoadPrevious brings the image of the release before into the cluster and returns the folder with its sources.
func (c *Cluster) LoadPrevious() (sources string) {
	c.TB.Helper()
	sources = c.TB.TempDir()
	archive := filepath.Join(c.TB.TempDir(), "previous.tar")
	run(c.TB, kubetest.Root(), nil, "git", "archive", "--format=tar", "--output="+archive, previousRef(c.TB))
	run(c.TB, sources, nil, "tar", "-xf", archive)
	if c.lab != nil {
		c.lab.run(c.TB, "image", previousImage(), binary(c.TB, "previous", sources, "./cmd/manager"))
	}
	return sources
}
