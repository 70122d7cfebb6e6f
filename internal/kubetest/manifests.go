package kubetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// tools are found once in a test binary: looking for one takes a second.
var tools sync.Map //nolint:gochecknoglobals // a memory of what does not change

// Tool is the path of a development tool that is pinned in hack/tools/go.mod; it is built when it is missing in Go's build cache.
func Tool(tb testing.TB, name string) string {
	tb.Helper()
	if path, found := tools.Load(name); found {
		return path.(string)
	}
	find := exec.CommandContext(tb.Context(), "go", "tool", "-modfile=hack/tools/go.mod", "-n", name)
	find.Dir = Root()
	var problems bytes.Buffer
	find.Stderr = &problems
	printed, err := find.Output()
	if err != nil {
		tb.Fatalf("go tool %s: %v\n%s", name, err, problems.String())
	}
	path := strings.TrimSpace(string(printed))
	tools.Store(name, path)
	return path
}

// Manifests decodes the objects of a YAML stream.
func Manifests(tb testing.TB, stream []byte) []*unstructured.Unstructured {
	tb.Helper()
	var objects []*unstructured.Unstructured
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(stream), 4096); ; {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(object); {
		case errors.Is(err, io.EOF):
			return objects
		case err != nil:
			tb.Fatal(err)
		case len(object.Object) > 0: // not only a comment
			objects = append(objects, object)
		}
	}
}

// Kustomize are the objects that kustomize makes of a folder of config.
func Kustomize(tb testing.TB, folder string) []*unstructured.Unstructured {
	tb.Helper()
	config := filepath.Join(Root(), "config")
	DependOn(tb, config)
	build := exec.CommandContext(tb.Context(), Tool(tb, "kustomize"), "build", filepath.Join(config, folder))
	var problems bytes.Buffer
	build.Stderr = &problems
	stream, err := build.Output()
	if err != nil {
		tb.Fatalf("kustomize build config/%s: %v\n%s", folder, err, problems.String())
	}
	return Manifests(tb, stream)
}

// WithOthersCRDs installs the CRDs of Prometheus Operator and of the Gateway API that our manifests have objects of, from the modules that
// hack/crds pins.
func WithOthersCRDs(tb testing.TB) func(*envtest.Environment) {
	tb.Helper()
	pins := filepath.Join(Root(), "hack", "crds")
	DependOn(tb, pins)
	return func(environment *envtest.Environment) {
		for module, files := range map[string][]string{
			"sigs.k8s.io/gateway-api": {"config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"},
			"github.com/prometheus-operator/prometheus-operator": {
				"example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
				"example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
			},
		} {
			download := exec.CommandContext(tb.Context(), "go", "mod", "download", "-json", module)
			download.Dir = pins
			var problems bytes.Buffer
			download.Stderr = &problems
			printed, err := download.Output()
			var found struct{ Dir string }
			if err != nil || json.Unmarshal(printed, &found) != nil || found.Dir == "" {
				tb.Fatalf("go mod download %s: %v\n%s%s", module, err, printed, problems.String())
			}
			for _, file := range files {
				environment.CRDDirectoryPaths = append(environment.CRDDirectoryPaths, filepath.Join(found.Dir, file))
			}
		}
	}
}

// DependOn opens every file of a folder. `go test` takes an earlier result from its cache until a file changes that the test has opened, and
// does not know what another process reads.
func DependOn(tb testing.TB, folder string) {
	tb.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		_, err = os.ReadFile(path)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
}
