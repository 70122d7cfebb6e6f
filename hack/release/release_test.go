package main

import (
	"archive/zip"
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	spdxjson "github.com/spdx/tools-golang/json"
)

// TestRelease builds a whole release as `make release` does, and opens each file. It takes a minute, and about a quarter of an
// hour where nothing is compiled yet.
func TestRelease(t *testing.T) {
	t.Setenv("BUILD_BASE", "local")
	base, err := buildBase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := newCheckout(t)
	build := exec.CommandContext(t.Context(), "make", "release", "VERSION="+testVersion, "IMAGE_REPOSITORY="+testRepository)
	build.Dir, build.Env = c.folder, append(os.Environ(), "BUILD_BASE="+base)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if changed := c.git(t, "status", "--porcelain"); changed != "" {
		t.Errorf("the release leaves the tree changed:\n%s", changed)
	}
	folder := filepath.Join(c.folder, "dist", testVersion)
	t.Run("the files are known, and their sums", func(t *testing.T) { checkFolder(t, folder) })
	t.Run("the notes are the changelog's", func(t *testing.T) {
		if diff := cmp.Diff(testNotes, string(readFile(t, folder, "release-notes.md"))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("installer and chart name the image", func(t *testing.T) { checkManifests(t, folder) })
	t.Run("the plugin is there for each platform", func(t *testing.T) { checkPlugins(t, c, folder) })
	t.Run("the bill of materials is valid", func(t *testing.T) {
		document, err := spdxjson.Read(bytes.NewReader(readFile(t, folder, "tokensync-v1.2.3.spdx.json")))
		if err != nil {
			t.Fatal(err)
		}
		checkBill(t, document)
	})
	images := imagesOf(t, filepath.Join(folder, "tokensync-image-v1.2.3.oci.tar"))
	t.Run("the image is there for each platform", func(t *testing.T) { checkImages(t, c, images) })
	t.Run("the same source gives the same image", func(t *testing.T) {
		checkSameImage(t, c, images[platform{OS: "linux", Architecture: "amd64"}], base)
	})
}

func readFile(t *testing.T, folder, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func checkFolder(t *testing.T, folder string) {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		names = append(names, file.Name())
	}
	want := []string{
		"SHA256SUMS", "install.yaml", "kubectl-tokensync-v1.2.3-darwin-amd64.tar.gz", "kubectl-tokensync-v1.2.3-darwin-arm64.tar.gz",
		"kubectl-tokensync-v1.2.3-linux-amd64.tar.gz", "kubectl-tokensync-v1.2.3-linux-arm64.tar.gz", "kubectl-tokensync-v1.2.3-windows-amd64.zip",
		"kubectl-tokensync-v1.2.3-windows-arm64.zip", "release-notes.md", "tokensync-1.2.3.tgz", "tokensync-image-v1.2.3.oci.tar",
		"tokensync-v1.2.3.spdx.json",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("the files (-want +got):\n%s", diff)
	}
	var summed []string
	for line := range strings.Lines(string(readFile(t, folder, "SHA256SUMS"))) {
		summed = append(summed, strings.Fields(line)[1])
	}
	if diff := cmp.Diff(want[1:], summed); diff != "" {
		t.Errorf("the files with sums (-want +got):\n%s", diff)
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = folder
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// checkManifests installs nothing: that what is rendered can be installed is tested elsewhere.
func checkManifests(t *testing.T, folder string) {
	t.Helper()
	render := exec.CommandContext(t.Context(), "go", "tool", "-modfile=hack/tools/go.mod", "helm", "template", "tokensync", filepath.Join(folder, "tokensync-1.2.3.tgz"))
	render.Dir = root
	rendered, err := render.Output()
	if err != nil {
		t.Fatal(withOutput(err))
	}
	for name, manifests := range map[string][]byte{"install.yaml": readFile(t, folder, "install.yaml"), "the chart": rendered} {
		var images []string
		for _, line := range regexp.MustCompile(`(?m)^[ -]*image: (.*)$`).FindAllSubmatch(manifests, -1) {
			images = append(images, string(line[1]))
		}
		if diff := cmp.Diff([]string{testRepository + ":" + testVersion}, images); diff != "" {
			t.Errorf("images of %s (-want +got):\n%s", name, diff)
		}
		if !bytes.Contains(manifests, []byte("\nkind: CustomResourceDefinition\n")) {
			t.Errorf("%s has no CRD", name)
		}
	}
	if !bytes.Contains(rendered, []byte("helm.sh/chart: tokensync-1.2.3\n")) {
		t.Error("the chart does not have the release's version")
	}
}

// checkPlugins opens each archive, and runs what this machine can run.
func checkPlugins(t *testing.T, c checkout, folder string) {
	t.Helper()
	for _, system := range []string{"linux", "darwin", "windows"} {
		for _, arch := range []string{"amd64", "arm64"} {
			program, ending := "kubectl-tokensync", ".tar.gz"
			if system == "windows" {
				program, ending = "kubectl-tokensync.exe", ".zip"
			}
			archive := "kubectl-tokensync-v1.2.3-" + system + "-" + arch + ending
			files := unpack(t, archive, readFile(t, folder, archive))
			want := []string{"LICENSE", noticesFile, program, completion}
			slices.Sort(want)
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(files))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", archive, diff)
				continue
			}
			if !files[program].program || !files[completion].program || files["LICENSE"].program {
				t.Errorf("%s: the wrong files can be executed", archive)
			}
			checkProgram(t, c, files[program].content, system, arch, "version")
		}
	}
}

// unpack returns the files of a .tar.gz or .zip by their names.
func unpack(t *testing.T, name string, content []byte) map[string]entry {
	t.Helper()
	files := map[string]entry{}
	if !strings.HasSuffix(name, ".zip") {
		entries, err := readTarGz(content)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			files[e.name] = e
		}
		return files
	}
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.File {
		file, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(file)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = entry{name: f.Name, content: text, program: f.Mode()&0o100 != 0}
	}
	return files
}

// checkProgram looks at what the linker wrote into a program, and asks it where it can be asked.
func checkProgram(t *testing.T, c checkout, program []byte, system, arch, version string) {
	t.Helper()
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		t.Fatalf("%s/%s: %v", system, arch, err)
	}
	built := map[string]string{}
	for _, setting := range info.Settings {
		built[setting.Key] = setting.Value
	}
	if built["GOOS"] != system || built["GOARCH"] != arch || built["CGO_ENABLED"] != "0" || built["-trimpath"] != "true" {
		t.Errorf("the program for %s/%s is built with %v", system, arch, built)
	}
	if system != runtime.GOOS || arch != runtime.GOARCH {
		return
	}
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, program, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), file, version).CombinedOutput()
	if err != nil || !strings.Contains(string(out), testVersion) || !strings.Contains(string(out), c.commit) {
		t.Errorf("the program for %s/%s says %q, %v", system, arch, out, err)
	}
}

// imagesOf unpacks an OCI archive and returns its images by platform.
func imagesOf(t *testing.T, archive string) map[platform]layout {
	t.Helper()
	folder := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "tar", "-xf", archive, "-C", folder).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	all, err := readLayout(folder)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"org.opencontainers.image.ref.name": testVersion, "io.containerd.image.name": testRepository + ":" + testVersion}
	if diff := cmp.Diff(want, all.image.Annotations); diff != "" {
		t.Errorf("the image is called (-want +got):\n%s", diff)
	}
	for name, blob := range all.blobs {
		if blobName(digest(blob)) != name {
			t.Errorf("the blob %s has the digest %s", name, digest(blob))
		}
	}
	var list index
	if err := json.Unmarshal(all.blobs[blobName(all.image.Digest)], &list); err != nil {
		t.Fatal(err)
	}
	images := map[platform]layout{}
	for _, d := range list.Manifests {
		images[*d.Platform] = layout{image: d, blobs: all.blobs}
	}
	return images
}

func checkImages(t *testing.T, c checkout, images map[platform]layout) {
	t.Helper()
	var names []string
	for p, image := range images {
		names = append(names, p.OS+"/"+p.Architecture)
		checkConfig(t, c, p, image)
		checkFiles(t, image)
		checkProgram(t, c, fileOf(t, image, "manager"), p.OS, p.Architecture, "--version")
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, names); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
}
