package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// writeInstaller writes the one file by which Tokensync is installed, with the release's image in it.
func writeInstaller(ctx context.Context, r *release) error {
	command := exec.CommandContext(ctx, "make", "--no-print-directory", "build-installer", "IMAGE="+r.image(), "DIST=dist/"+string(r.version))
	command.Dir = root
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("write the installer: %w\n%s", err, out)
	}
	return nil
}

// writeChart packs the Helm chart. It is packed once more, since Helm writes the time of packing into each file.
func writeChart(ctx context.Context, r *release, scratch string) error {
	chart := filepath.Join(scratch, "tokensync")
	if err := os.CopyFS(chart, os.DirFS(filepath.Join(root, "charts", "tokensync"))); err != nil {
		return err
	}
	values := filepath.Join(chart, "values.yaml")
	text, err := os.ReadFile(values)
	if err != nil {
		return err
	}
	repository := regexp.MustCompile(`(?m)^  repository: tokensync$`)
	if len(repository.FindAll(text, 2)) != 1 {
		return fmt.Errorf("%s: the line `  repository: tokensync` has to be there once", values)
	}
	text = repository.ReplaceAll(text, []byte("  repository: "+r.repository))
	if err := os.WriteFile(values, text, 0o644); err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "go", "tool", "-modfile=hack/tools/go.mod", "helm", "package", chart,
		"--version", r.version.bare(), "--app-version", string(r.version), "--destination", scratch)
	command.Dir = root
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("pack the chart: %w\n%s", err, out)
	}
	name := fmt.Sprintf("tokensync-%s.tgz", r.version.bare())
	packed, err := os.ReadFile(filepath.Join(scratch, name))
	if err != nil {
		return err
	}
	entries, err := readTarGz(packed)
	if err != nil {
		return err
	}
	return writeArchive(r.path(name), entries, r.commit.time)
}
