package oauthtest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestImplicitAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		changes []string
		consent Consent
		want    url.Values // "token" stands for any
	}{
		"a token, and never a refresh token": {
			nil,
			Consent{},
			url.Values{
				"access_token": {"token"}, "token_type": {"Bearer"}, "expires_in": {"3600"}, "scope": {"openid orders"}, "state": {"a state"},
			},
		},
		"no scope where none was asked for": {
			[]string{"scope", ""},
			Consent{},
			url.Values{"access_token": {"token"}, "token_type": {"Bearer"}, "expires_in": {"3600"}, "state": {"a state"}},
		},
		"no refresh token for offline_access either": {
			[]string{"scope", "orders offline_access"},
			Consent{},
			url.Values{
				"access_token": {"token"}, "token_type": {"Bearer"}, "expires_in": {"3600"}, "scope": {"orders offline_access"}, "state": {"a state"},
			},
		},
		"a denial":       {nil, Consent{Error: "access_denied"}, url.Values{"error": {"access_denied"}, "state": {"a state"}}},
		"a wrong issuer": {nil, Consent{Error: "access_denied", Issuer: "https://other.example", State: Nothing}, url.Values{"error": {"access_denied"}, "iss": {"https://other.example"}}},
		"a scope that the client lacks": {
			[]string{"scope", "admin"},
			Consent{},
			url.Values{"error": {"invalid_scope"}, "error_description": {"the client may not ask for this scope"}, "state": {"a state"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			now := epoch
			s := newConsenting(&now)
			s.ConsentBy(Generic, &test.consent)
			w := asks(s, append([]string{"response_type", "token"}, test.changes...)...)
			location, err := url.Parse(w.Header().Get("Location"))
			if err != nil || location.RawQuery != "" || location.Fragment == "" {
				t.Fatalf("Location %q: the answer belongs in the fragment alone", location)
			}
			got := answered(t, w)
			if token := got.Get("access_token"); token != "" {
				if !s.IsLive(token) {
					t.Error("the token is not live")
				}
				got.Set("access_token", "token")
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(s.vault.refreshers) != 0 {
				t.Error("a refresh token was made")
			}
		})
	}
}

func TestGenesysGivesAnImplicitClientATokenAndNothingElse(t *testing.T) {
	clock := &settable{now: epoch}
	s := newVendors(clock)
	got := answered(t, visit(s, "/oauth/authorize", asking(genesysImplicit, "", "response_type", "token", "code_challenge", "")))
	token := got.Get("access_token")
	if got.Get("expires_in") != "86400" || got.Has("code") || !s.IsLive(token) {
		t.Fatalf("answered %v", got)
	}
	clock.advance(24 * time.Hour)
	if s.IsLive(token) {
		t.Error("the token outlives what was announced")
	}
	w := post(s, genesysPath, "grant_type=client_credentials&client_id="+genesysImplicit)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "unauthorized_client") {
		t.Errorf("the token endpoint: status %d, %s", w.Code, w.Body)
	}
}

func TestFaultsStrikeImplicitTokens(t *testing.T) {
	clock := &settable{now: epoch}
	s := newVendors(clock)
	s.Fail(Match{Endpoint: AuthorizationEndpoint, Vendor: Genesys}, TrueLifetime(time.Minute))
	got := answered(t, visit(s, "/oauth/authorize", asking(genesysImplicit, "", "response_type", "token", "code_challenge", "")))
	token := got.Get("access_token")
	if got.Get("expires_in") != "86400" || !s.IsLive(token) {
		t.Fatalf("answered %v", got)
	}
	clock.advance(time.Minute)
	if s.IsLive(token) {
		t.Error("the token lives as long as announced")
	}
}
