package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// root is the project's top folder, seen from this one.
const root = "../.."

const (
	managerPackage = "./cmd/manager"
	pluginPackage  = "./cmd/kubectl-tokensync"
)

// target is a program as it is built for one platform.
type target struct{ pkg, goos, goarch, tags string }

// targets are all programs that a release has. The manager's tags are those in the Dockerfile.
func targets() []target {
	result := []target{
		{managerPackage, "linux", "amd64", "timetzdata"},
		{managerPackage, "linux", "arm64", "timetzdata"},
	}
	for _, goos := range []string{"linux", "darwin", "windows"} {
		for _, goarch := range []string{"amd64", "arm64"} {
			result = append(result, target{pkg: pluginPackage, goos: goos, goarch: goarch})
		}
	}
	return result
}

// environment is what the go command needs to compile for the target.
func (t target) environment() []string {
	return append(os.Environ(), "CGO_ENABLED=0", "GOOS="+t.goos, "GOARCH="+t.goarch)
}

// goPackage is what `go list` tells of a package.
type goPackage struct {
	Dir      string
	Standard bool
	Module   *struct {
		Path, Version, Dir string
		Main               bool
	}
}

// packages are all that are linked into the target.
func (t target) packages(ctx context.Context) ([]goPackage, error) {
	list := exec.CommandContext(ctx, "go", "list", "-deps", "-tags="+t.tags, "-json=Dir,Standard,Module", t.pkg)
	list.Dir = root
	list.Env = t.environment()
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("list what is linked into %s: %w", t.pkg, withOutput(err))
	}
	var result []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return result, nil
		} else if err != nil {
			return nil, err
		}
		result = append(result, p)
	}
}

// withOutput puts what a failed command said into its error.
func withOutput(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}
