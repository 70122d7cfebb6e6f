//go:build cluster

package e2e

import (
	"context"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// namespaced installs an operator that serves one namespace, has no right elsewhere, and leaves an OAuthToken of another one alone.
func namespaced(s *Stage) {
	const home, abroad = "home", "abroad"
	s.Namespace(home)
	s.Namespace(abroad)
	s.Afterwards(func() { s.In(s.whole).Kubectl("delete", "-k", "config/crd") })
	s.Kubectl("apply", "--server-side", "-k", "config/crd")
	s.System = home
	before, bare := s.Count(oauthtest.Generic, settled), s.Inventory()
	overlay := s.Write(Overlay{Base: "config/namespaced", Image: operatorImage()})
	s.Install(overlay)
	s.Declare(abroad, settled)
	s.Declare(home, steady, renewedEarly)
	s.AwaitToken(home, steady)
	caller := s.Call(home, "reader", steady)
	s.AwaitRenewals(1, patience, caller)
	s.Accounts(caller)

	if token := s.Token(abroad, settled); len(token.Status.Conditions) > 0 {
		s.TB.Errorf("an OAuthToken of another namespace was served: %s", conditions(token))
	}
	if count := s.Count(oauthtest.Generic, settled); count != before {
		s.TB.Errorf("the vendor was asked for it: %+v, before %+v", count, before)
	}
	for verb, resource := range map[string]string{"list": "secrets", "get": "secrets", "watch": "oauthtokens", "create": "secrets"} {
		for _, namespace := range []string{home, abroad, ""} {
			if allowed, want := s.may(verb, resource, namespace), namespace == home; allowed != want {
				s.TB.Errorf("may the operator %s %s in namespace %q: %t, want %t", verb, resource, namespace, allowed, want)
			}
		}
	}
	s.Remove(home, "reader")
	s.leaves(home, overlay, bare)
}

// leaves removes an operator from its namespace in the documented order, and looks what is left.
func (s *Stage) leaves(home, overlay string, bare map[string]bool) {
	s.TB.Helper()
	s.Kubectl("-n", home, "delete", "oauthtokens", "--all", "--cascade=foreground", "--timeout="+patience.String())
	s.Kubectl("delete", "-k", overlay, "--timeout="+patience.String())
	s.Kubectl("-n", home, "delete", "secret/tokensync-hash-key", "lease/tokensync-manager")
	s.Await(func() string {
		var more []string
		for object := range s.Inventory() {
			if !bare[object] && strings.Contains(object, " "+home+"/") {
				more = append(more, object)
			}
		}
		slices.Sort(more)
		return cmp.Diff([]string{"Secret " + home + "/" + steady + "-client"}, more)
	})
}

// may asks the API server what the operator's account may do.
func (s *Stage) may(verb, resource, namespace string) bool {
	s.TB.Helper()
	attributes := &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Resource: resource}
	if resource == "oauthtokens" {
		attributes.Group = "tokensync.dev"
	}
	review, err := s.Core.AuthorizationV1().SubjectAccessReviews().Create(context.Background(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{User: "system:serviceaccount:" + s.System + ":tokensync-manager", ResourceAttributes: attributes},
	}, metav1.CreateOptions{})
	if err != nil {
		s.TB.Fatal(err)
	}
	return review.Status.Allowed
}
