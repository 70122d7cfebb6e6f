package config_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

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
