package rbac_test

import (
	"fmt"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/test/harness"
)

const (
	editor = "tokensync-oauthtoken-editor"
	viewer = "tokensync-oauthtoken-viewer"
)

// TestWhoDeclaresTokensNeedNotReadSecrets binds each role for people by name, and asks the API server.
func TestWhoDeclaresTokensNeedNotReadSecrets(t *testing.T) {
	roles := rolesOf(t, "default")
	s := newSite(t, nil)
	for _, name := range []string{editor, viewer} {
		s.create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: name}})
		s.bind(role{name: name, rules: roles[name].rules}, name)
	}
	tokens := func(verb string) authorizationv1.ResourceAttributes {
		return authorizationv1.ResourceAttributes{Verb: verb, Group: "tokensync.dev", Resource: "oauthtokens", Namespace: s.Namespace}
	}
	core := func(verb, resource, sub string) authorizationv1.ResourceAttributes {
		return authorizationv1.ResourceAttributes{Verb: verb, Resource: resource, Subresource: sub, Namespace: s.Namespace}
	}
	events := func(verb, group string) authorizationv1.ResourceAttributes {
		return authorizationv1.ResourceAttributes{Verb: verb, Group: group, Resource: "events", Namespace: s.Namespace}
	}
	part := func(verb, sub string) authorizationv1.ResourceAttributes {
		a := tokens(verb)
		a.Subresource = sub
		return a
	}
	for about, c := range map[string]struct {
		actions []authorizationv1.ResourceAttributes
		who     []string // those who may
	}{
		"read OAuthTokens": {[]authorizationv1.ResourceAttributes{tokens("get"), tokens("list"), tokens("watch")}, []string{editor, viewer}},
		"read events": {[]authorizationv1.ResourceAttributes{
			events("get", ""), events("list", ""), events("watch", ""),
			events("get", "events.k8s.io"), events("list", "events.k8s.io"), events("watch", "events.k8s.io"),
		}, []string{editor, viewer}},
		"write events": {[]authorizationv1.ResourceAttributes{
			events("create", ""), events("patch", ""), events("delete", ""), events("create", "events.k8s.io"), events("patch", "events.k8s.io"),
		}, nil},
		"change OAuthTokens": {
			[]authorizationv1.ResourceAttributes{tokens("create"), tokens("patch"), tokens("update"), tokens("delete"), tokens("deletecollection")}, []string{editor},
		},
		"say what is true of a token": {[]authorizationv1.ResourceAttributes{part("patch", "status"), part("update", "status"), part("update", "finalizers")}, nil},
		"read or write Secrets": {[]authorizationv1.ResourceAttributes{
			core("get", "secrets", ""), core("list", "secrets", ""), core("watch", "secrets", ""), core("create", "secrets", ""),
			core("patch", "secrets", ""), core("update", "secrets", ""), core("delete", "secrets", ""),
		}, nil},
		"get at Secrets through pods": {[]authorizationv1.ResourceAttributes{
			core("create", "pods", ""), core("create", "pods", "exec"), core("create", "serviceaccounts", "token"),
		}, nil},
	} {
		t.Run(about, func(t *testing.T) {
			for _, name := range []string{editor, viewer} {
				want := false
				for _, who := range c.who {
					want = want || who == name
				}
				for _, action := range c.actions {
					harness.Eventually(t, func() string { // the API server learns of roles by a watch
						if got := s.may("system:serviceaccount:"+s.Namespace+":"+name, action); got != want {
							return fmt.Sprintf("%s may %s %s/%s of group %q: %v, want %v", name, action.Verb, action.Resource, action.Subresource, action.Group, got, want)
						}
						return ""
					})
				}
			}
		})
	}
}

// TestTheClustersOwnRolesTakeWhatIsMeantForThem compares labels with the selectors of the roles that Kubernetes has. With the portal, status
// may hold a link by which its reader acts, so `view` must not have it.
func TestTheClustersOwnRolesTakeWhatIsMeantForThem(t *testing.T) {
	s := newSite(t, nil)
	all := map[string]map[string]role{"default": rolesOf(t, "default"), "portal": rolesOf(t, "portal")}
	for _, c := range []struct {
		folder, role, into string
		want               bool
	}{
		{"default", editor, "admin", true},
		{"default", editor, "edit", true},
		{"default", editor, "view", false},
		{"default", viewer, "view", true},
		{"portal", editor, "admin", true},
		{"portal", editor, "edit", true},
		{"portal", editor, "view", false},
		{"portal", viewer, "view", false},
		{"portal", viewer, "edit", false},
		{"default", "tokensync-manager", "admin", false},
		{"portal", metricsReader, "view", false},
	} {
		var own rbacv1.ClusterRole
		if err := s.Client.Get(t.Context(), client.ObjectKey{Name: c.into}, &own); err != nil {
			t.Fatal(err)
		}
		got := false
		for _, selector := range own.AggregationRule.ClusterRoleSelectors {
			selects, err := metav1.LabelSelectorAsSelector(&selector)
			if err != nil {
				t.Fatal(err)
			}
			got = got || selects.Matches(labels.Set(all[c.folder][c.role].labels))
		}
		if got != c.want {
			t.Errorf("config/%s: %s is part of %s: %v, want %v", c.folder, c.role, c.into, got, c.want)
		}
	}
}
