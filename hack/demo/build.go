package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

const (
	controlPlaneScript = "hack/kube/build.sh"
	managerBinary      = "bin/demo/manager"
)

// build makes what is missing and returns the folder of the control plane's binaries. The scripts and compilers tell of their progress
// on the terminal themselves.
func build(ctx context.Context, s *screen) (assets string, err error) {
	if _, err := os.Stat(controlPlaneScript); err != nil {
		return "", errors.New("the demo runs in the project's top folder: make demo")
	}
	script := command(ctx, controlPlaneScript)
	script.Stderr = os.Stderr
	found, err := script.Output()
	if ctx.Err() != nil {
		return "", whyEnded(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("the control plane can't be built: %w", err)
	}
	s.working("building the manager (a minute or two the first time)")
	err = runQuietly(ctx, command(ctx, "go", "build", "-o", managerBinary, "./cmd/manager"))
	return strings.TrimSpace(string(found)), err
}
