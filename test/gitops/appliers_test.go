//go:build cluster

package gitops_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// otherAppliers applies as Flux and Argo CD do, again and again, while the operator writes status, finalizer and Secrets.
func otherAppliers(t *testing.T, s *stage) {
	t.Helper()
	const name = "gitops-appliers"
	s.credentials(t, name, nil)
	manifest := decode(t, []byte(s.manifest(t, "api", specified("revokeOnDelete", true))))
	manifest["metadata"].(object)["namespace"] = name
	manifest["metadata"].(object)["labels"] = object{"team": "shop"}
	apply := func(manager string) {
		t.Helper()
		object := &unstructured.Unstructured{Object: copied(manifest)}
		if err := s.Apply(context.Background(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner(manager), client.ForceOwnership); err != nil {
			t.Fatal(err)
		}
	}
	apply("kustomize-controller")
	eventually(t, func() string {
		if token := s.token(t, name, "api"); token.Status.ExpiresAt == nil || len(token.Finalizers) == 0 {
			return "it has no token, or no finalizer"
		}
		return ""
	})
	output(t, "kubectl", "--kubeconfig", s.kubeconfig, "-n", name, "annotate", "oauthtoken", "api", v1alpha1.RenewRequestedAtAnnotation+"=once")
	eventually(t, func() string {
		if s.token(t, name, "api").Status.LastHandledRenewRequest != "once" {
			return "the renewal is not made"
		}
		return ""
	})
	for _, manager := range []string{"kustomize-controller", "argocd-controller", "kustomize-controller", "argocd-controller"} {
		before := s.token(t, name, "api")
		apply(manager)
		after := s.token(t, name, "api")
		if after.Generation != before.Generation {
			t.Errorf("%s changes the spec each time", manager)
		}
		if diff := cmp.Diff(before.Finalizers, after.Finalizers); diff != "" {
			t.Errorf("%s changes the finalizers:\n%s", manager, diff)
		}
		if after.Annotations[v1alpha1.RenewRequestedAtAnnotation] != "once" || after.Status.LastHandledRenewRequest != "once" {
			t.Errorf("%s takes the request for a renewal away", manager)
		}
		s.awaitRenewals(t, name, "api", 1)
		again := s.token(t, name, "api")
		if again.Generation != before.Generation || again.Labels["team"] != "shop" {
			t.Errorf("the operator has undone what %s applied", manager)
		}
	}
	for _, entry := range s.token(t, name, "api").ManagedFields {
		if entry.Manager == "tokensync" && entry.Subresource == "" {
			if fields := entry.FieldsV1.GetRawString(); fields != `{"f:metadata":{"f:finalizers":{".":{},"v:\"tokensync.dev/revoke\"":{}}}}` {
				t.Errorf("the operator owns more of the object than its finalizer: %s", fields)
			}
		}
	}
}
