package main

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// compile runs the Dockerfile's own go command in a folder.
func compile(t *testing.T, c checkout, folder string) []byte {
	t.Helper()
	dockerfile, err := os.ReadFile(filepath.Join(folder, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^ *(CGO_ENABLED=0 (?:.*\\\n)*.* -o )/manager (\./cmd/manager)$`).FindSubmatch(dockerfile)
	if command == nil {
		t.Fatal("the Dockerfile has no command that builds /manager")
	}
	program := filepath.Join(t.TempDir(), "manager")
	build := exec.CommandContext(t.Context(), "sh", "-c", string(command[1])+program+" "+string(command[2]))
	build.Dir = folder
	build.Env = append(os.Environ(), "TARGETOS=linux", "TARGETARCH=amd64", "VERSION="+testVersion, "COMMIT="+c.commit)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// buildLayout builds the image for amd64 in a folder, on a base made of this machine's Go.
func buildLayout(t *testing.T, c checkout, folder, base string) layout {
	t.Helper()
	result := filepath.Join(t.TempDir(), "image")
	build := exec.CommandContext(t.Context(), "hack/image/build.sh")
	build.Dir = folder
	build.Env = append(os.Environ(), "IMAGE=localhost/tokensync-test:"+testVersion, "VERSION="+testVersion, "COMMIT="+c.commit,
		"PLATFORM=linux/amd64", "SOURCE_DATE_EPOCH=1767323045", "BUILD_BASE="+base, "OUTPUT=oci:"+result)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	image, err := readLayout(result)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// checkSameImage builds an image again, in another folder: neither where it is built nor when may be seen in what comes out.
func checkSameImage(t *testing.T, c checkout, image layout, base string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "a", "deeper", "folder")
	copyTree(t, folder, "api", "cmd", "internal", "hack/image", "go.mod", "go.sum", "Dockerfile", ".dockerignore", "LICENSE", noticesFile)
	program, shipped := compile(t, c, folder), fileOf(t, image, "manager")
	if digest(shipped) != digest(program) {
		t.Error("the image's manager is not what the same command compiles in another folder, outside of it")
	}
	if again := buildLayout(t, c, folder, base); again.image.Digest != image.image.Digest {
		t.Errorf("the image depends on where or when it is built: %s, then %s", image.image.Digest, again.image.Digest)
	}
}

func fileOf(t *testing.T, image layout, name string) []byte {
	t.Helper()
	content, err := image.file(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// checkConfig looks at what a runtime reads.
func checkConfig(t *testing.T, c checkout, p platform, image layout) {
	t.Helper()
	var manifest struct{ Config descriptor }
	var config struct {
		platform
		Created string `json:"created"`
		Config  struct {
			User       string
			Entrypoint []string
			Labels     map[string]string
		} `json:"config"`
	}
	if err := json.Unmarshal(image.blobs[blobName(image.image.Digest)], &manifest); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(image.blobs[blobName(manifest.Config.Digest)], &config); err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/manager"}) || config.Created != "2026-01-02T03:04:05Z" {
		t.Errorf("user %q, entrypoint %q, created %q", config.Config.User, config.Config.Entrypoint, config.Created)
	}
	if config.platform != p {
		t.Errorf("the image for %v says that it is for %v", p, config.platform)
	}
	want := map[string]string{
		"title": "Tokensync", "description": "Keeps fresh OAuth 2.0 tokens in Kubernetes Secrets", "licenses": "Apache-2.0", "version": testVersion,
		"revision": c.commit, "created": "2026-01-02T03:04:05Z", "source": "https://tokensync.dev/tokensync", "documentation": "https://tokensync.dev/docs/",
	}
	got := map[string]string{}
	for name, value := range config.Config.Labels {
		if short, ours := strings.CutPrefix(name, "org.opencontainers.image."); ours {
			got[short] = value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

// checkFiles knows every file of the image: no shell, no package manager, nothing that was left behind.
func checkFiles(t *testing.T, image layout) {
	t.Helper()
	var manifest struct{ Layers []descriptor }
	if err := json.Unmarshal(image.blobs[blobName(image.image.Digest)], &manifest); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, layer := range manifest.Layers {
		files, err := readTarGz(image.blobs[blobName(layer.Digest)])
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			got[file.name] = true
		}
	}
	want := []string{"etc/ssl/certs/ca-certificates.crt", "licenses/LICENSE", "licenses/" + noticesFile, "manager"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
