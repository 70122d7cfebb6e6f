package leaks

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// unattended are the grants that need nobody.
func unattended() []string { return []string{machine, password, saml, assertion, seed} }

func TestNothingSecretLeavesItsPlace(t *testing.T) {
	for name, flags := range map[string][]string{
		"as installed":            {"--zap-log-level=info"},
		"with everything to read": {"--zap-devel", "--zap-log-level=10"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := SetStage(t, flags...)
			first := s.failFirst()
			s.renewInVain()
			s.revokeInVain()
			s.consentInVain()
			s.comeBackInVain()
			s.Until(first, failed)
			s.enough(t)
			s.reports(t)
		})
	}
}

// failFirst has every grant fail in every way before there is a token.
func (s *Stage) failFirst() []string {
	s.TB.Helper()
	var names []string
	for way, echo := range Echoes() {
		for _, grant := range unattended() {
			name := grant + "-first-" + strings.ToLower(way)
			s.Vendor.Strike(name, echo)
			s.Make(grant, name)
			names = append(names, name)
		}
	}
	return names
}

// renewInVain has every grant issue a token, and fail in every way when it is renewed.
func (s *Stage) renewInVain() {
	s.TB.Helper()
	ways := map[string]*Echo{}
	for way, echo := range Echoes() {
		for _, grant := range []string{machine, password, refreshed, saml, assertion, seed} {
			name := grant + "-again-" + strings.ToLower(way)
			if grant == assertion {
				s.Vendor.Strike(name, s.Canaries.Issuing(name))
			}
			s.Make(grant, name)
			ways[name] = echo
		}
		name := code + "-again-" + strings.ToLower(way)
		s.Make(code, name)
		ways[name] = echo
	}
	names := slices.Sorted(maps.Keys(ways))
	s.together(names, func(name string) {
		if strings.HasPrefix(name, code) {
			s.Consent(name)
		}
	})
	s.Until(names, ready)
	issued := map[string]int{}
	for name, echo := range ways {
		s.Vendor.Strike(name, echo)
		issued[name] = s.Vendor.Struck(name)
	}
	s.together(names, func(name string) {
		s.Renew(name, "now")
		if strings.HasPrefix(name, assertion) { // the one before is spent
			s.replaceAssertion(name)
		}
	})
	s.Until(names, func(token *v1alpha1.OAuthToken) string {
		if s.Vendor.Struck(token.Name) == issued[token.Name] {
			return "was not renewed"
		}
		return failed(token)
	})
}

// revokeInVain has the revocation of refresh and access tokens fail in every way, when their OAuthTokens are deleted.
func (s *Stage) revokeInVain() {
	s.TB.Helper()
	ways := map[string]*Echo{}
	for way, echo := range Echoes() {
		for _, grant := range []string{machine, seed} {
			name := grant + "-gone-" + strings.ToLower(way)
			s.Make(grant, name, func(o *v1alpha1.OAuthToken, _ map[string]string) {
				o.Spec.RevokeOnDelete, o.Spec.Endpoints.RevocationURL = true, v1alpha1.URL(s.Vendor.URL(revokePath, name))
			})
			ways[name] = echo
		}
	}
	names := slices.Sorted(maps.Keys(ways))
	s.Until(names, ready)
	for name, echo := range ways {
		s.Vendor.Strike(name, echo)
	}
	s.together(names, s.remove)
	harness.Within(s.TB, 2*harness.Patience, harness.Patience/300, func() string {
		for _, name := range names {
			if s.Vendor.Struck(name) == 0 {
				return "nothing was revoked of " + name
			}
		}
		return ""
	})
}

// consentInVain has the exchange of a code fail in every way.
func (s *Stage) consentInVain() {
	s.TB.Helper()
	var names []string
	for way, echo := range Echoes() {
		name := code + "-first-" + strings.ToLower(way)
		s.Vendor.Strike(name, echo)
		s.Make(code, name)
		names = append(names, name)
	}
	s.together(names, s.Consent)
	s.Until(names, failed)
	s.Make(implicit, implicit)
	s.Consent(implicit)
	s.Until([]string{implicit}, ready)
}

// comeBackInVain has the vendor's page send the browser back with secrets in the wrong places.
func (s *Stage) comeBackInVain() {
	s.TB.Helper()
	var names []string
	for way, echo := range Callbacks() {
		for _, grant := range []string{code, implicit} {
			name := grant + "-back-" + way
			s.Vendor.Strike(atAuthorization(name), echo)
			s.Make(grant, name)
			names = append(names, name)
		}
	}
	s.together(names, s.Consent)
	for _, name := range names {
		if s.Vendor.Struck(atAuthorization(name)) == 0 {
			s.TB.Errorf("nobody came to the vendor's page for %s", name)
		}
	}
}

// together does something for each of several OAuthTokens, some at a time.
func (s *Stage) together(names []string, do func(name string)) {
	var working sync.WaitGroup
	queue := make(chan string)
	for range 6 {
		working.Go(func() {
			for name := range queue {
				do(name)
			}
		})
	}
	for _, name := range names {
		queue <- name
	}
	close(queue)
	working.Wait()
}

func ready(token *v1alpha1.OAuthToken) string {
	if meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady) {
		return ""
	}
	return "has no token"
}

// takenAsToken is the way of which an event tells, but which brings a token.
const takenAsToken = "-odd-lifetime"

// failed says "" once a failure is told.
func failed(token *v1alpha1.OAuthToken) string {
	condition := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case condition == nil || condition.Reason == v1alpha1.ReasonRequesting:
		return "is not told of"
	case strings.HasSuffix(token.Name, takenAsToken) && ready(token) == "":
		return ""
	case token.Status.Failures != nil, meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionAuthorizationRequired):
		return ""
	}
	return "has not failed: " + condition.Reason + ": " + condition.Message
}

// reports fails a test for every leak.
func (s *Stage) reports(t *testing.T) {
	t.Helper()
	for _, leak := range s.Leaks() {
		t.Errorf("%s: %s", leak.Where, leak.What)
	}
}

// enough makes sure that there was something to find.
func (s *Stage) enough(t *testing.T) {
	t.Helper()
	for _, kind := range []Kind{Credential, SigningKey, Assertion, RefreshToken, AccessToken, IDToken, Claims, Code, Verifier, State, Ticket} {
		if s.Canaries.Count(kind) == 0 {
			t.Errorf("no %s was seen: the test looks for nothing", kind)
		}
		t.Logf("%d of the kind %s", s.Canaries.Count(kind), kind)
	}
	if len(s.Manager.Log()) == 0 || len(s.api.all()) == 0 || len(s.pages.all()) == 0 {
		t.Error("nothing was witnessed")
	}
	t.Logf("the log has %d bytes, the API server got %d requests", len(s.Manager.Log()), len(s.api.all()))
}
