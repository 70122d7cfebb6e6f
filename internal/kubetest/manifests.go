package kubetest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Tool is the path of a development tool that is pinned in hack/tools/go.mod; it is built when it is missing in Go's build cache.
func Tool(tb testing.TB, name string) string {
	tb.Helper()
	find := exec.CommandContext(tb.Context(), "go", "tool", "-modfile=hack/tools/go.mod", "-n", name)
	find.Dir = Root()
	var problems bytes.Buffer
	find.Stderr = &problems
	path, err := find.Output()
	if err != nil {
		tb.Fatalf("go tool %s: %v\n%s", name, err, problems.String())
	}
	return strings.TrimSpace(string(path))
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
