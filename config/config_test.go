// Package config_test applies the manifests of this folder to a real API server.
package config_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/internal/kubetest"
)

const ownNamespace = "tokensync-system"

// TestManifests tells one story: the installation is applied, then its parts are looked at, then the samples are applied.
func TestManifests(t *testing.T) {
	warnings := &warningLog{}
	config := kubetest.Start(t)
	config.WarningHandlerWithContext = warnings
	cluster, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}

	for _, object := range render(t, "portal") { // config/default is in it
		apply(t, cluster, object)
	}
	t.Run("the pod is accepted where only restricted pods are", func(t *testing.T) {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "manager-", Namespace: ownNamespace},
			Spec:       deployment(t, "portal").Spec.Template.Spec,
		}
		if err := cluster.Create(t.Context(), pod, client.DryRunAll); err != nil {
			t.Error(err)
		}
	})
	t.Run("the manager may do its work and nothing else", func(t *testing.T) { checkRights(t, cluster) })
	t.Run("the samples are accepted", func(t *testing.T) {
		for _, object := range render(t, "samples") {
			object.SetNamespace(metav1.NamespaceDefault)
			apply(t, cluster, object)
		}
	})
	// An unknown field, a deprecated version, a pod that is not restricted.
	if diff := cmp.Diff([]string(nil), warnings.all()); diff != "" {
		t.Errorf("the API server warns (-want +got):\n%s", diff)
	}
}

// TestDeploymentFlagsExist asks the binary itself: a flag that it does not know fails before --help is reached.
func TestDeploymentFlagsExist(t *testing.T) {
	manager := filepath.Join(t.TempDir(), "manager")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", manager, "./cmd/manager")
	build.Dir = kubetest.Root()
	dependOn(t, "../cmd/manager")
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
	for _, folder := range []string{"default", "namespaced", "portal"} {
		if err := help(deployment(t, folder).Spec.Template.Spec.Containers[0].Args...); err != nil {
			t.Errorf("config/%s: %v", folder, err)
		}
	}
	if err := help("--no-such-flag"); err == nil {
		t.Error("the manager accepts a flag that it does not have, so this test says nothing")
	}
}

// checkRights asks the API server what the manager's ServiceAccount may do.
func checkRights(t *testing.T, cluster client.Client) {
	t.Helper()
	may := []authorizationv1.ResourceAttributes{
		{Group: "tokensync.dev", Resource: "oauthtokens", Verb: "list"},
		{Group: "tokensync.dev", Resource: "oauthtokens", Verb: "watch"},
		{Group: "tokensync.dev", Resource: "oauthtokens", Verb: "patch", Namespace: "team"},
		{Group: "tokensync.dev", Resource: "oauthtokens", Verb: "get", Namespace: "team"},
		{Group: "tokensync.dev", Resource: "oauthtokens", Verb: "patch", Namespace: "team", Subresource: "status"},
		{Group: "tokensync.dev", Resource: "oauthtokens", Verb: "update", Namespace: "team", Subresource: "finalizers"},
		{Resource: "secrets", Verb: "list"},
		{Resource: "secrets", Verb: "watch"},
		{Resource: "secrets", Verb: "get", Namespace: "team"},
		{Resource: "secrets", Verb: "create", Namespace: "team"},
		{Resource: "secrets", Verb: "patch", Namespace: "team"},
		{Resource: "secrets", Verb: "update", Namespace: "team"},
		{Resource: "secrets", Verb: "delete", Namespace: "team"},
		{Resource: "secrets", Verb: "get", Namespace: ownNamespace, Name: "tokensync-hash-key"},
		{Group: "events.k8s.io", Resource: "events", Verb: "create", Namespace: "team"},
		{Group: "events.k8s.io", Resource: "events", Verb: "patch", Namespace: "team"},
		{Group: "authentication.k8s.io", Resource: "tokenreviews", Verb: "create"},
		{Group: "authorization.k8s.io", Resource: "subjectaccessreviews", Verb: "create"},
		{Group: "coordination.k8s.io", Resource: "leases", Verb: "create", Namespace: ownNamespace},
		{Group: "coordination.k8s.io", Resource: "leases", Verb: "update", Namespace: ownNamespace, Name: "tokensync-manager"},
		{Resource: "events", Verb: "create", Namespace: ownNamespace},
	}
	for _, action := range may {
		// The API server learns of new roles through watches of its own, so the first answers may be old.
		err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 10*time.Second, true,
			func(ctx context.Context) (bool, error) { return allowed(ctx, cluster, action) })
		if err != nil {
			t.Errorf("may not %s: %v", describe(action), err)
		}
	}
	mayNot := []authorizationv1.ResourceAttributes{
		{Group: "tokensync.dev", Resource: "oauthtokens", Verb: "create", Namespace: "team"},
		{Group: "tokensync.dev", Resource: "oauthtokens", Verb: "delete", Namespace: "team"},
		{Group: "tokensync.dev", Resource: "oauthtokens", Verb: "update", Namespace: "team"},
		{Group: "coordination.k8s.io", Resource: "leases", Verb: "get", Namespace: "team"},
		{Group: "coordination.k8s.io", Resource: "leases", Verb: "update", Namespace: ownNamespace, Name: "another"},
		{Resource: "secrets", Verb: "deletecollection", Namespace: "team"},
		{Resource: "configmaps", Verb: "get", Namespace: "team"},
		{Resource: "pods", Verb: "list"},
		{Resource: "serviceaccounts", Verb: "create", Namespace: "team", Subresource: "token"},
		{Group: "rbac.authorization.k8s.io", Resource: "clusterroles", Verb: "escalate"},
	}
	for _, action := range mayNot {
		if ok, err := allowed(t.Context(), cluster, action); ok || err != nil {
			t.Errorf("may %s (%v)", describe(action), err)
		}
	}
}

func allowed(ctx context.Context, cluster client.Client, action authorizationv1.ResourceAttributes) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               "system:serviceaccount:" + ownNamespace + ":tokensync-manager",
		Groups:             []string{"system:serviceaccounts", "system:authenticated"},
		ResourceAttributes: &action,
	}}
	err := cluster.Create(ctx, review)
	return review.Status.Allowed, err
}

func describe(action authorizationv1.ResourceAttributes) string {
	return fmt.Sprintf("%s %s.%s/%s in %q", action.Verb, action.Resource, action.Group, action.Subresource, action.Namespace)
}

// render returns the objects that kustomize makes of a folder beside this file.
func render(t *testing.T, folder string) []*unstructured.Unstructured {
	t.Helper()
	build := exec.CommandContext(t.Context(), "go", "tool", "-modfile=hack/tools/go.mod", "kustomize", "build", "config/"+folder)
	build.Dir = kubetest.Root()
	dependOn(t, ".")
	var problems bytes.Buffer
	build.Stderr = &problems
	manifests, err := build.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, problems.String())
	}
	var objects []*unstructured.Unstructured
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4096); ; {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
}

// dependOn opens every file of a folder. `go test` takes an earlier result from its cache until a file changes that the test has
// opened, and does not know what another process reads.
func dependOn(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		_, err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
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
	for _, object := range render(t, folder) {
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

// warningLog keeps the warnings that come with the API server's answers.
type warningLog struct {
	mutex sync.Mutex
	texts []string
}

func (l *warningLog) HandleWarningHeaderWithContext(_ context.Context, code int, _, text string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.texts = append(l.texts, fmt.Sprint(code, " ", text))
}

func (l *warningLog) all() []string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.texts
}
