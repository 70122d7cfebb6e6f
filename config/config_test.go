// Package config_test applies the manifests of this folder to a real API server.
package config_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/internal/kubetest"
)

const ownNamespace = "tokensync-system"

// namespaceOf is where each installation runs.
var namespaceOf = map[string]string{"default": ownNamespace, "portal": ownNamespace, "namespaced": "team-a", "testdata/team-b": "team-b"}

// TestManifests tells one story: the installations are applied with all that can be added to them, their parts are looked at, then the
// samples are applied.
func TestManifests(t *testing.T) {
	warnings := &kubetest.Warnings{}
	config := kubetest.Start(t, kubetest.WithOthersCRDs(t))
	config.WarningHandlerWithContext = warnings
	cluster, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, team := range []string{"team-a", "team-b"} { // as docs/installation.md has them made
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: team, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
		}}
		if err := cluster.Create(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"default", "portal", "portal/samples", "network-policy", "prometheus", "crd", "namespaced", "testdata/team-b"} {
		t.Run("config/"+folder+" is accepted", func(t *testing.T) {
			for _, object := range kubetest.Kustomize(t, folder) {
				apply(t, cluster, object)
			}
		})
	}
	for folder, namespace := range namespaceOf {
		t.Run("the pod of config/"+folder+" is accepted where only restricted pods are", func(t *testing.T) {
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{GenerateName: "manager-", Namespace: namespace},
				Spec:       deployment(t, folder).Spec.Template.Spec,
			}
			if err := cluster.Create(t.Context(), pod, client.DryRunAll); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("the manager may do its work and nothing else", func(t *testing.T) { checkRights(t, cluster) })
	t.Run("an installation for one namespace has nothing outside of it", func(t *testing.T) { checkScope(t, cluster) })
	t.Run("the samples are accepted", func(t *testing.T) {
		for _, object := range kubetest.Kustomize(t, "samples") {
			object.SetNamespace(metav1.NamespaceDefault)
			apply(t, cluster, object)
		}
	})
	// An unknown field, a deprecated version, a pod that is not restricted.
	if diff := cmp.Diff([]string(nil), warnings.All()); diff != "" {
		t.Errorf("the API server warns (-want +got):\n%s", diff)
	}
}

// checkScope asks the API server which objects have a namespace. Nothing may be cluster-wide, or in another namespace.
func checkScope(t *testing.T, cluster client.Client) {
	t.Helper()
	for _, folder := range []string{"namespaced", "testdata/team-b"} {
		for _, object := range kubetest.Kustomize(t, folder) {
			namespaced, err := cluster.IsObjectNamespaced(object)
			if err != nil || !namespaced || object.GetNamespace() != namespaceOf[folder] {
				t.Errorf("%s: %s %s in %q, has a namespace: %v, %v", folder, object.GetKind(), object.GetName(), object.GetNamespace(), namespaced, err)
			}
			if subjects, _, _ := unstructured.NestedSlice(object.Object, "subjects"); len(subjects) > 0 {
				if got := subjects[0].(map[string]any)["namespace"]; got != namespaceOf[folder] {
					t.Errorf("%s: %s %s is for an account in %q", folder, object.GetKind(), object.GetName(), got)
				}
			}
		}
	}
}

// TestInstaller makes the one file, which is config/default with the image that was asked for.
func TestInstaller(t *testing.T) {
	kubetest.DependOn(t, ".")
	kubetest.DependOn(t, "../Makefile")
	const image = "registry.example.com/tokensync:v1"
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "make", "-s", "build-installer", "IMAGE="+image, "DIST="+folder)
	build.Dir = kubetest.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	installer, err := os.ReadFile(filepath.Join(folder, "install.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := kubetest.Kustomize(t, "default")
	for _, object := range want {
		if object.GetKind() == "Deployment" {
			containers, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
			containers[0].(map[string]any)["image"] = image
			if err := unstructured.SetNestedSlice(object.Object, containers, "spec", "template", "spec", "containers"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(want, kubetest.Manifests(t, installer)); diff != "" {
		t.Errorf("install.yaml (-want +got):\n%s", diff)
	}
}

// TestDeploymentFlagsExist asks the binary itself: a flag that it does not know fails before --help is reached.
func TestDeploymentFlagsExist(t *testing.T) {
	manager := filepath.Join(t.TempDir(), "manager")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", manager, "./cmd/manager")
	build.Dir = kubetest.Root()
	kubetest.DependOn(t, "../cmd/manager")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	help := func(args ...string) error {
		out, err := exec.CommandContext(t.Context(), manager, append(args, "--help")...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		return nil
	}
	for _, folder := range []string{"default", "namespaced", "portal", "testdata/team-b"} {
		if err := help(deployment(t, folder).Spec.Template.Spec.Containers[0].Args...); err != nil {
			t.Errorf("config/%s: %v", folder, err)
		}
	}
	if err := help("--no-such-flag"); err == nil {
		t.Error("the manager accepts a flag that it does not have, so this test says nothing")
	}
}

func apply(t *testing.T, cluster client.Client, object *unstructured.Unstructured) {
	t.Helper()
	err := cluster.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object),
		client.FieldOwner("installer"), client.ForceOwnership)
	if err != nil {
		t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

// deployment is the one of a folder, as it is rendered.
func deployment(t *testing.T, folder string) *appsv1.Deployment {
	t.Helper()
	for _, object := range kubetest.Kustomize(t, folder) {
		if object.GetKind() != "Deployment" {
			continue
		}
		typed := &appsv1.Deployment{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, typed); err != nil {
			t.Fatal(err)
		}
		return typed
	}
	t.Fatalf("config/%s has no Deployment", folder)
	return nil
}
