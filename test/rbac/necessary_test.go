package rbac_test

import (
	"context"
	"net/http"
	"testing"

	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
)

// TestEachRuleIsNecessary takes one rule away at a time: the manager asks for it and is refused, and what it is for does not happen. Then the
// rule is given back, and it does.
func TestEachRuleIsNecessary(t *testing.T) {
	roles := managersRoles(t, "default")
	rules := granted(t, roles)
	for name := range needs {
		if _, ok := rules[name]; !ok {
			t.Errorf("the list says what %s is for, and nobody is granted it", name)
		}
	}
	for name, removed := range rules {
		what, ok := needs[name]
		if !ok {
			t.Errorf("%s is granted by %s, and the list does not say what for", name, removed.role)
			continue
		}
		t.Run("without "+name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, without(roles, removed))
			missed := name
			if what.denied != "" {
				missed = what.denied
			}
			s.tryOnce(what, "without")
			harness.Eventually(t, func() string {
				if denied(t, s.Namespace, missed) == 0 {
					return "nobody is refused " + missed
				}
				return ""
			})
			if what.works(s, "without") == "" {
				t.Fatalf("it works without %s: %s", name, what.about)
			}
			s.member.Kill()
			s.grant(removed, roles)
			s.tryOnce(what, "with")
			harness.Eventually(t, func() string {
				if missing := what.works(s, "with"); missing != "" {
					return "given back, it still fails that " + what.about + ": " + missing
				}
				return ""
			})
		})
	}
}

// tryOnce starts the manager and does what somebody does.
func (s *site) tryOnce(what need, name string) {
	s.t.Helper()
	if what.old {
		s.member.API.Strike(withoutStreamedLists)
	}
	if what.before != nil && name == "without" {
		what.before(s)
	}
	s.member.Launch()
	if what.act != nil {
		what.act(s, name)
	}
}

// withoutStreamedLists refuses what API servers before 1.32 and of 1.33 refuse.
func withoutStreamedLists(r *http.Request) *harness.Stroke {
	if r.URL.Query().Get("sendInitialEvents") == "" {
		return nil
	}
	return &harness.Stroke{Instead: &harness.Answer{Status: http.StatusUnprocessableEntity, Body: `{"kind":"Status","apiVersion":"v1","status":"Failure",` +
		`"message":"sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled","reason":"Invalid","code":422}`}}
}

// change changes an OAuthToken.
func (s *site) change(name string, change func(*v1alpha1.OAuthToken)) {
	s.t.Helper()
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		token := s.Token(name)
		change(token)
		return s.Client.Update(context.Background(), token)
	})
	if client.IgnoreNotFound(err) != nil {
		s.t.Fatal(err)
	}
}
