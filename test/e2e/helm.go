package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/internal/kubetest"
)

const release = "tokensync"

// Helm is the program that the project's tools pin, this tree's chart, and the same chart with an older CRD.
type Helm struct {
	*Stage

	program, chart, older string
}

// NewHelm finds the program and makes the older chart.
func (s *Stage) NewHelm() *Helm {
	s.TB.Helper()
	h := &Helm{
		Stage: s, program: kubetest.Tool(s.TB, "helm"),
		chart: filepath.Join(kubetest.Root(), "charts", "tokensync"), older: filepath.Join(s.TB.TempDir(), "tokensync"),
	}
	if err := os.CopyFS(h.older, os.DirFS(h.chart)); err != nil {
		s.TB.Fatal(err)
	}
	file := filepath.Join(h.older, "files", "crd.yaml")
	crd, err := os.ReadFile(file)
	if err != nil {
		s.TB.Fatal(err)
	}
	without := bytes.Replace(crd, []byte("    shortNames:\n    - oat\n"), nil, 1)
	if bytes.Equal(crd, without) {
		s.TB.Fatal("the CRD has lost its short name: the older one must lack something that it has")
	}
	if err := os.WriteFile(file, without, 0o600); err != nil {
		s.TB.Fatal(err)
	}
	return h
}

// InTest is the same for a subtest.
func (h *Helm) InTest(s *Stage) *Helm {
	inner := *h
	inner.Stage = s
	return &inner
}

// Try runs helm in the operator's namespace and returns what it printed.
func (h *Helm) Try(arguments ...string) (string, error) {
	command := exec.Command(h.program, append(arguments, "--namespace", h.System)...)
	command.Env = append(os.Environ(), "KUBECONFIG="+h.kubeconfig)
	printed, err := command.CombinedOutput()
	return string(printed), err
}

// Run is Try that must succeed. It waits until everything is there, or gone.
func (h *Helm) Run(arguments ...string) string {
	h.TB.Helper()
	printed, err := h.Try(append(arguments, "--wait", "--timeout", patience.String())...)
	if err != nil {
		h.TB.Fatalf("helm %s: %v\n%s", strings.Join(arguments, " "), err, printed)
	}
	return printed
}

// Image are the arguments that choose this tree's image.
func (h *Helm) Image() []string {
	name, tag, _ := strings.Cut(operatorImage(), ":")
	return []string{"--set", "image.repository=" + name + ",image.tag=" + tag}
}

// Deployment is the operator's.
func (h *Helm) Deployment() *appsv1.Deployment {
	h.TB.Helper()
	deployment, err := h.Core.AppsV1().Deployments(h.System).Get(context.Background(), operatorName, metav1.GetOptions{})
	if err != nil {
		h.TB.Fatal(err)
	}
	return deployment
}

// ShortNames are those of the CRD: the older one has none.
func (h *Helm) ShortNames() []string {
	h.TB.Helper()
	crd := &unstructured.Unstructured{}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	if err := h.Get(context.Background(), client.ObjectKey{Name: "oauthtokens.tokensync.dev"}, crd); err != nil {
		h.TB.Fatal(err)
	}
	names, _, err := unstructured.NestedStringSlice(crd.Object, "spec", "names", "shortNames")
	if err != nil {
		h.TB.Fatal(err)
	}
	return names
}
