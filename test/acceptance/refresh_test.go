package acceptance_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
	"tokensync.dev/tokensync/test/judge"
)

func TestRefreshTokensRotateAndAReuseCostsTheFamily(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	first := s.obtain("code", true)
	spent := s.Kept("code")
	second := s.renew("code", "one", first)
	if kept := s.Kept("code"); kept == spent || s.Judge.Refreshes(spent) || !s.Judge.Refreshes(kept) {
		t.Fatalf("after a refresh: another one is kept: %t, the old one is spent: %t, the new one is good: %t",
			kept != spent, !s.Judge.Refreshes(spent), s.Judge.Refreshes(kept))
	}
	if reused := s.Judge.Reused(); reused != 0 {
		t.Fatalf("%d spent refresh tokens came back", reused)
	}
	s.replay(spent) // a thief
	if s.Judge.Reused() != 1 || s.Judge.Accepts(second) || s.Judge.Refreshes(s.Kept("code")) {
		t.Fatal("the server did not revoke the family, so that this test would say nothing")
	}
	s.kubectl("annotate", "--overwrite", "oauthtoken", "code", v1alpha1.RenewRequestedAtAnnotation+"=two")
	harness.Eventually(t, func() string {
		if harness.Has(s.Token("code"), v1alpha1.ConditionAuthorizationRequired, v1alpha1.ReasonAuthorizationRequired) {
			return ""
		}
		return "nobody is asked to authorize again"
	})
	if err := s.Browse(s.Link("code")); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, func() string {
		if served := s.Served("code"); served != second && s.Judge.Accepts(served) {
			return ""
		}
		return "authorized again, and no good token is served"
	})
	if reused := s.Judge.Reused(); reused != 2 { // the manager can't know that its own was revoked before it was ever sent
		t.Errorf("%d dead refresh tokens came back, want the thief's, and the manager's once", reused)
	}
}

func TestASeedIsSpentOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	first := s.obtain("seed", false)
	s.renew("seed", "one", first)
	if s.Judge.Reused() != 0 || s.Judge.Refreshes(s.values["SEED"]) || !s.Judge.Refreshes(s.Kept("seed")) {
		t.Errorf("%d spent ones came back, the seed is spent: %t", s.Judge.Reused(), !s.Judge.Refreshes(s.values["SEED"]))
	}
}

func TestDeletionRevokesWhereThatIsWanted(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	kept := s.obtain("code", true)
	revoked := s.obtain("revoked", true)
	refreshToken := s.Kept("revoked")
	s.kubectl("delete", "oauthtoken", "revoked", "code") // waits until they are gone
	if s.Judge.Accepts(revoked) || s.Judge.Refreshes(refreshToken) {
		t.Error("introspection takes for active what was to be revoked")
	}
	if !s.Judge.Accepts(kept) {
		t.Error("what was not to be revoked is inactive")
	}
}

// renew asks for a renewal, and returns the next token.
func (s *stage) renew(name, value, before string) string {
	s.TB.Helper()
	s.kubectl("annotate", "--overwrite", "oauthtoken", name, v1alpha1.RenewRequestedAtAnnotation+"="+value)
	served := ""
	harness.Eventually(s.TB, func() string {
		if served = s.Served(name); served != before && s.Token(name).Status.LastHandledRenewRequest == value {
			return ""
		}
		return name + " is not renewed"
	})
	if !s.Judge.Accepts(served) {
		s.TB.Fatalf("%s: the server does not accept what came of a renewal", name)
	}
	return served
}

// replay sends a refresh token as somebody would who has stolen it, and the client's secret.
func (s *stage) replay(refreshToken string) {
	s.TB.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	request, err := http.NewRequestWithContext(s.TB.Context(), http.MethodPost, s.Judge.URL+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		s.TB.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(url.QueryEscape(judge.ClientID), url.QueryEscape(judge.ClientSecret))
	response, err := s.http().Do(request)
	if err != nil {
		s.TB.Fatal(err)
	}
	_ = response.Body.Close()
}

// http is a client that trusts the judge.
func (s *stage) http() *http.Client {
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(s.Judge.CABundle)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}}}
}
