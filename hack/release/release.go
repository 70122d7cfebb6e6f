package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// release is what is being built.
type release struct {
	version    version
	commit     commit
	repository string // of the image
	folder     string // where it is written to
	out        io.Writer
}

func (r *release) image() string           { return r.repository + ":" + string(r.version) }
func (r *release) path(name string) string { return filepath.Join(r.folder, name) }
func (r *release) say(what string)         { fmt.Fprintln(r.out, "release:", what) }

// build builds everything, or says why not before it begins.
func build(ctx context.Context, out io.Writer, text, repository string) error {
	v, err := parseVersion(text)
	if err != nil {
		return err
	}
	c, err := headCommit(ctx, v)
	if err != nil {
		return err
	}
	changelog, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	news, err := notes(string(changelog), v)
	if err != nil {
		return err
	}
	r := &release{version: v, commit: c, repository: repository, folder: filepath.Join(root, "dist", string(v)), out: out}
	if err := os.RemoveAll(r.folder); err != nil {
		return err
	}
	if err := os.MkdirAll(r.folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(r.path("release-notes.md"), []byte(news), 0o644); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "tokensync-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if err := fill(ctx, r, scratch); err != nil {
		return err
	}
	return writeChecksums(r)
}

// fill builds each part of the release.
func fill(ctx context.Context, r *release, scratch string) error {
	r.say("licences")
	known, err := components(ctx, targets())
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(root, noticesFile))
	if err != nil {
		return err
	}
	if !bytes.Equal(text, []byte(notices(known))) {
		return fmt.Errorf("%s does not tell of what is linked: run `make generate` and commit it", noticesFile)
	}
	r.say("installer and chart")
	if err := writeInstaller(ctx, r); err != nil {
		return err
	}
	if err := writeChart(ctx, r, scratch); err != nil {
		return err
	}
	plugins, err := buildPlugins(ctx, r, scratch)
	if err != nil {
		return err
	}
	managers, err := buildImages(ctx, r, scratch)
	if err != nil {
		return err
	}
	r.say("bill of materials")
	document, err := bill(r, []product{
		{name: "tokensync-image", purpose: "CONTAINER", programs: managers},
		{name: "kubectl-tokensync", purpose: "APPLICATION", programs: plugins},
	}, known)
	if err != nil {
		return err
	}
	return writeBill(r.path(fmt.Sprintf("tokensync-%s.spdx.json", r.version)), document)
}

// buildPlugins builds and packs the plugin for all platforms, and returns what they were built from.
func buildPlugins(ctx context.Context, r *release, scratch string) ([]*buildinfo.BuildInfo, error) {
	var programs []*buildinfo.BuildInfo
	for _, t := range targets() {
		if t.pkg != pluginPackage {
			continue
		}
		r.say("plugin for " + t.goos + "/" + t.goarch)
		file, err := buildPlugin(ctx, t, r, scratch)
		if err != nil {
			return nil, err
		}
		program, err := buildinfo.ReadFile(file)
		if err != nil {
			return nil, err
		}
		programs = append(programs, program)
		if err := packPlugin(t, r, file); err != nil {
			return nil, err
		}
	}
	return programs, nil
}

// writeChecksums writes what `sha256sum -c` reads.
func writeChecksums(r *release) error {
	files, err := os.ReadDir(r.folder)
	if err != nil {
		return err
	}
	var sums bytes.Buffer
	for _, file := range files {
		content, err := os.ReadFile(r.path(file.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(content), file.Name())
	}
	r.say("all of it is in dist/" + string(r.version))
	return os.WriteFile(r.path("SHA256SUMS"), sums.Bytes(), 0o644)
}
