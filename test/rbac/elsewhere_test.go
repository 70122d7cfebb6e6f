package rbac_test

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"tokensync.dev/tokensync/internal/kubetest"
	"tokensync.dev/tokensync/test/harness"
)

// hashKey is the chart's Role for the key of the hashes, in the manager's namespace.
const hashKey = "tokensync-hash-key"

// TestAnotherNamespaceIsEnough leads a manager under the chart's roles for a namespace that it does not run in.
func TestAnotherNamespaceIsEnough(t *testing.T) {
	own, served := newRelease(t, func(rule) bool { return false })
	own.member.Start()
	served.Create("person")
	served.Authorize("person")
	served.Renew("person", "now")
	harness.Eventually(t, func() string { return renewalIsDone(served, "person") })
	for _, r := range asked(t, own.Namespace) {
		if r.ResponseStatus.Code == http.StatusForbidden {
			t.Errorf("refused: %s in %q", r.needed(), r.ObjectRef.Namespace)
		}
	}
	manager := "system:serviceaccount:" + own.Namespace + ":" + account
	for _, verb := range []string{"get", "list", "watch", "create", "patch", "update", "delete"} {
		for namespace, want := range map[string]bool{served.Namespace: true, own.Namespace: verb == "create", "default": false, "": false} {
			action := authorizationv1.ResourceAttributes{Verb: verb, Resource: "secrets", Namespace: namespace}
			if got := own.may(manager, action); got != want {
				t.Errorf("the manager may %s Secrets in %q: %v, want %v", verb, namespace, got, want)
			}
		}
	}
}

// TestTheKeyOfTheHashesNeedsItsRole takes a rule of that Role away at a time: the manager is refused, and does not become ready.
func TestTheKeyOfTheHashesNeedsItsRole(t *testing.T) {
	for _, missing := range []string{"create secrets", "get secrets"} {
		t.Run("without "+missing, func(t *testing.T) {
			t.Parallel()
			own, _ := newRelease(t, func(r rule) bool { return r.role == hashKey && r.String() == missing })
			own.member.Launch()
			harness.Eventually(t, func() string {
				if denied(t, own.Namespace, missing) == 0 {
					return "nobody is refused " + missing
				}
				return ""
			})
			if own.member.Unready() == "" {
				t.Error("it works without")
			}
		})
	}
}

// newRelease makes two namespaces, one for a manager and one that it serves, and installs the chart's roles less those rules that are removed.
func newRelease(t *testing.T, removed func(rule) bool) (own, served *site) {
	t.Helper()
	own = newSite(t, nil, "--metrics-authorization=false")
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "served-"}}
	own.create(namespace)
	own.member.Flags = []string{"--namespaces=" + namespace.Name}
	there := *own.World
	there.Namespace = namespace.Name
	served = &site{World: &there, t: t}
	for _, object := range chartsRoles(t, own.Namespace, served.Namespace) {
		if object.GetKind() != "Role" {
			own.create(object)
			continue
		}
		parts := takeApart(t, object)
		parts.rules = slices.DeleteFunc(parts.rules, removed)
		own.create(&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: object.GetNamespace(), Name: parts.name}, Rules: parts.policies()})
	}
	return own, served
}

// chartsRoles are the Roles and their bindings of a release that serves one namespace.
func chartsRoles(t *testing.T, release, served string) []*unstructured.Unstructured {
	t.Helper()
	chart := filepath.Join(kubetest.Root(), "charts", "tokensync")
	kubetest.DependOn(t, chart)
	render := exec.CommandContext(t.Context(), kubetest.Tool(t, "helm"), "template", "tokensync", chart, "--namespace", release, "--set", "namespaces={"+served+"}")
	render.Env = append(os.Environ(), "HELM_CACHE_HOME="+t.TempDir(), "HELM_CONFIG_HOME="+t.TempDir(), "KUBECONFIG=/dev/null")
	var problems bytes.Buffer
	render.Stderr = &problems
	stream, err := render.Output()
	if err != nil {
		t.Fatalf("helm template: %v\n%s", err, problems.String())
	}
	return slices.DeleteFunc(kubetest.Manifests(t, stream), func(object *unstructured.Unstructured) bool {
		return object.GetKind() != "Role" && object.GetKind() != "RoleBinding"
	})
}
