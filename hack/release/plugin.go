package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// completion is the program beside the plugin that kubectl asks for what completes a command line.
const completion = "kubectl_complete-tokensync"

// buildPlugin compiles kubectl-tokensync for a platform into a folder.
func buildPlugin(ctx context.Context, t target, r *release, folder string) (string, error) {
	program := filepath.Join(folder, "kubectl-tokensync-"+t.goos+"-"+t.goarch)
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", fmt.Sprintf("-s -w -X main.version=%s -X main.commit=%s", r.version, r.commit.hash), "-o", program, t.pkg)
	build.Dir = root
	build.Env = t.environment()
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the plugin for %s/%s: %w\n%s", t.goos, t.goarch, err, out)
	}
	return program, nil
}

// packPlugin puts the plugin, the licence and the notices into an archive as its platform likes it. Paths have no folder: what is unpacked
// into a folder of PATH works.
func packPlugin(t target, r *release, program string) error {
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	name, ending := "kubectl-tokensync", ".tar.gz"
	if t.goos == "windows" {
		name, ending = "kubectl-tokensync.exe", ".zip"
	}
	entries := []entry{{name: name, content: content, program: true}}
	for _, file := range []string{"LICENSE", noticesFile, "cmd/kubectl-tokensync/" + completion} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return err
		}
		name := filepath.Base(file)
		entries = append(entries, entry{name: name, content: text, program: name == completion})
	}
	return writeArchive(r.path(fmt.Sprintf("kubectl-tokensync-%s-%s-%s%s", r.version, t.goos, t.goarch, ending)), entries, r.commit.time)
}
