// Package charts_test renders the Helm chart and judges what comes out.
package charts_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"tokensync.dev/tokensync/internal/kubetest"
)

const namespace = "tokensync-system"

// helm runs it with values and further arguments, and returns what it prints and what it complains about.
func helm(t *testing.T, values string, arguments ...string) (printed []byte, problem error) {
	t.Helper()
	kubetest.DependOn(t, "tokensync")
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), kubetest.Tool(t, "helm"), append(arguments, "--values", file)...)
	command.Env = append(os.Environ(), "HELM_CACHE_HOME="+t.TempDir(), "HELM_CONFIG_HOME="+t.TempDir(), "KUBECONFIG=/dev/null")
	var problems bytes.Buffer
	command.Stderr = &problems
	printed, err := command.Output()
	if err != nil {
		return printed, fmt.Errorf("%w\n%s", err, problems.String())
	}
	return printed, nil
}

// template renders the release tokensync with values.
func template(t *testing.T, values string, arguments ...string) ([]*unstructured.Unstructured, error) {
	t.Helper()
	stream, err := helm(t, values, append([]string{"template", "tokensync", "tokensync", "--namespace", namespace}, arguments...)...)
	if err != nil {
		return nil, err
	}
	return kubetest.Manifests(t, stream), nil
}

func mustTemplate(t *testing.T, values string, arguments ...string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := template(t, values, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// object is the one of a kind, whose name ends as told.
func object(t *testing.T, objects []*unstructured.Unstructured, kind, ending string) *unstructured.Unstructured {
	t.Helper()
	for _, candidate := range objects {
		if candidate.GetKind() == kind && strings.HasSuffix(candidate.GetName(), ending) {
			return candidate
		}
	}
	t.Fatalf("no %s *%s is rendered", kind, ending)
	return nil
}

func deployment(t *testing.T, objects []*unstructured.Unstructured) *appsv1.Deployment {
	t.Helper()
	typed := &appsv1.Deployment{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object(t, objects, "Deployment", "").Object, typed); err != nil {
		t.Fatal(err)
	}
	return typed
}

func arguments(t *testing.T, objects []*unstructured.Unstructured) []string {
	t.Helper()
	return deployment(t, objects).Spec.Template.Spec.Containers[0].Args
}

// everything is a values file that turns on whatever can be turned on.
func everything(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("testdata/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestLint(t *testing.T) {
	for about, values := range map[string]string{"the chart's own values": "", "everything that can be turned on": everything(t)} {
		t.Run(about, func(t *testing.T) {
			if printed, err := helm(t, values, "lint", "--strict", "--namespace", namespace, "tokensync"); err != nil {
				t.Errorf("%v\n%s", err, printed)
			}
		})
	}
}

func TestANamespaceOfFigures(t *testing.T) {
	objects := mustTemplate(t, "namespaces: ['2024', '1e3']", "--namespace", "2024")
	roles := map[string]int{}
	for _, object := range objects {
		switch object.GetKind() {
		case "Role":
			roles[object.GetNamespace()]++
		case "RoleBinding", "ClusterRoleBinding":
			subjects, _, err := unstructured.NestedSlice(object.Object, "subjects")
			if err != nil || len(subjects) != 1 {
				t.Fatalf("%s has subjects %v: %v", object.GetName(), subjects, err)
			}
			if subject, _ := subjects[0].(map[string]any); subject["namespace"] != "2024" {
				t.Errorf("%s %s binds to %v", object.GetKind(), object.GetName(), subject)
			}
		}
	}
	if roles["2024"] == 0 || roles["1e3"] == 0 || len(roles) != 2 {
		t.Errorf("roles are in %v", roles)
	}
}

// manager builds the manager and returns what runs it.
func manager(t *testing.T) func(ctx context.Context, arguments ...string) (string, error) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "manager")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/manager")
	build.Dir = kubetest.Root()
	kubetest.DependOn(t, "../cmd/manager")
	if printed, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	return func(ctx context.Context, arguments ...string) (string, error) {
		printed, err := exec.CommandContext(ctx, binary, arguments...).CombinedOutput()
		return string(printed), err
	}
}
