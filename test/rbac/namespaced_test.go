package rbac_test

import (
	"net/http"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"

	"tokensync.dev/tokensync/test/harness"
)

// TestOneNamespaceIsEnough leads a manager under the roles of config/namespaced, which has no right outside of its namespace.
func TestOneNamespaceIsEnough(t *testing.T) {
	roles := managersRoles(t, "namespaced")
	for _, r := range roles {
		if r.clusterWide {
			t.Errorf("%s is for the whole cluster", r.name)
		}
	}
	s := newSite(t, roles, "--metrics-authorization=false")
	s.member.Start()
	s.Create("person")
	s.Authorize("person")
	s.Renew("person", "now")
	harness.Eventually(t, func() string { return renewalIsDone(s, "person") })
	harness.Eventually(t, func() string {
		if got := s.scrape(""); got != http.StatusOK {
			return "metrics can't be read"
		}
		return ""
	})
	for _, r := range asked(t, s.Namespace) {
		if r.ResponseStatus.Code == http.StatusForbidden {
			t.Errorf("refused: %s in %q", r.needed(), r.ObjectRef.Namespace)
		}
	}
	manager := "system:serviceaccount:" + s.Namespace + ":" + account
	for namespace, want := range map[string]bool{s.Namespace: true, "default": false, "": false} {
		for _, verb := range []string{"get", "list", "watch", "create", "patch", "update", "delete"} {
			action := authorizationv1.ResourceAttributes{Verb: verb, Resource: "secrets", Namespace: namespace}
			if got := s.may(manager, action); got != want {
				t.Errorf("the manager may %s Secrets in %q: %v, want %v", verb, namespace, got, want)
			}
		}
	}
}

// may asks the API server whether somebody may do something.
func (s *site) may(user string, action authorizationv1.ResourceAttributes) bool {
	s.t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &action}}
	s.create(review)
	return review.Status.Allowed
}
