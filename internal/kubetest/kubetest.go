// Package kubetest starts a real API server for tests: etcd and kube-apiserver as processes, with the project's CRDs installed.
package kubetest

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Start runs a control plane until the test ends and returns the configuration of an administrator's client without a limit of its
// own. Binaries come from KUBEBUILDER_ASSETS, else from `make control-plane`. Options change the environment before it starts.
func Start(tb testing.TB, options ...func(*envtest.Environment)) *rest.Config {
	tb.Helper()
	config, stop := StartShared(tb, options...)
	tb.Cleanup(stop)
	return config
}

// patience is how long a control plane may take to start or to stop.
const patience = 2 * time.Minute

// StartShared runs a control plane for a whole test binary: until stop, which TestMain calls, and not only until the test ends that first
// asked for it.
func StartShared(tb testing.TB, options ...func(*envtest.Environment)) (config *rest.Config, stop func()) {
	tb.Helper()
	environment := &envtest.Environment{
		BinaryAssetsDirectory: Assets(tb),
		CRDDirectoryPaths:     []string{filepath.Join(Root(), "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
		// A machine that does other work needs longer than the usual 20 s.
		ControlPlaneStartTimeout: patience, ControlPlaneStopTimeout: patience,
	}
	for _, option := range options {
		option(environment)
	}
	config, err := environment.Start()
	if err != nil {
		tb.Fatalf("the control plane does not start: %v", err)
	}
	config.QPS = -1
	return config, func() {
		if err := environment.Stop(); err != nil {
			panic("the control plane does not stop: " + err.Error())
		}
	}
}

// Assets is the folder with etcd, kube-apiserver and kubectl.
func Assets(tb testing.TB) string {
	tb.Helper()
	folder := os.Getenv("KUBEBUILDER_ASSETS")
	if folder == "" {
		folder = filepath.Join(Root(), "hack", "kube", "bin")
	}
	if _, err := os.Stat(filepath.Join(folder, "kube-apiserver")); err != nil {
		tb.Fatalf("there is no control plane in %s: run `make control-plane` once", folder)
	}
	return folder
}

// Root is the project's top folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}
