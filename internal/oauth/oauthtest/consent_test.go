package oauthtest

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestScriptedPersons(t *testing.T) {
	const here, elsewhere = "http://example.com", "https://other.example"
	for name, test := range map[string]struct {
		consent     Consent
		namesIssuer bool
		want        url.Values // "code" stands for any
	}{
		"consent": {Consent{}, false, url.Values{"code": {"code"}, "state": {"a state"}}},
		"deny": {
			Consent{Error: "access_denied"}, false, url.Values{"error": {"access_denied"}, "state": {"a state"}},
		},
		"are not signed in": {
			Consent{Error: "login_required", Description: "Sign in first"},
			false,
			url.Values{"error": {"login_required"}, "error_description": {"Sign in first"}, "state": {"a state"}},
		},
		"come back without a state":    {Consent{State: Nothing}, false, url.Values{"code": {"code"}}},
		"come back with another state": {Consent{State: "forged"}, false, url.Values{"code": {"code"}, "state": {"forged"}}},
		"deny without a state": {
			Consent{Error: "access_denied", State: Nothing}, false, url.Values{"error": {"access_denied"}},
		},
		"are sent back by a server that names itself": {
			Consent{}, true, url.Values{"code": {"code"}, "state": {"a state"}, "iss": {here}},
		},
		"are refused by a server that names itself": {
			Consent{Error: "access_denied"}, true, url.Values{"error": {"access_denied"}, "state": {"a state"}, "iss": {here}},
		},
		"are sent back by another server": {
			Consent{Issuer: elsewhere}, true, url.Values{"code": {"code"}, "state": {"a state"}, "iss": {elsewhere}},
		},
		"are sent back by another server, which was not announced to name itself": {
			Consent{Issuer: elsewhere}, false, url.Values{"code": {"code"}, "state": {"a state"}, "iss": {elsewhere}},
		},
		"are sent back by a server that forgets its name": {
			Consent{Issuer: Nothing}, true, url.Values{"code": {"code"}, "state": {"a state"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			now := epoch
			s := newConsenting(&now)
			s.ConsentBy(Generic, &test.consent)
			if test.namesIssuer {
				s.NameIssuer()
			}
			got := answered(t, asks(s))
			if got.Get("code") != "" {
				got.Set("code", "code")
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("answered (-want +got):\n%s", diff)
			}
		})
	}
}

func TestACodeOfAnotherClientIsRefused(t *testing.T) {
	now := epoch
	s := newConsenting(&now)
	other, _ := s.Client(Generic, "shop")
	other.ID = "other"
	s.Register(other)
	s.ConsentBy(Generic, &Consent{ClientID: "other"})
	code := answered(t, asks(s)).Get("code")
	w := exchanged(s, code)
	if w.Code != http.StatusBadRequest || object(t, w.Body.String())["error"] != "invalid_grant" {
		t.Errorf("the asking client: status %d, %s", w.Code, w.Body)
	}
	w = call{path: genericPath, basic: []string{"other", "change-me"}, form: exchanging(code)}.do(s)
	if w.Code != http.StatusOK {
		t.Errorf("the client that the code belongs to: status %d, %s", w.Code, w.Body)
	}
}

func TestAnnouncedIssuers(t *testing.T) {
	for name, namesIssuer := range map[string]bool{"a server that names itself": true, "one that does not": false} {
		t.Run(name, func(t *testing.T) {
			s := newVendors(&settable{now: epoch})
			if namesIssuer {
				s.NameIssuer()
			}
			for issuer, ask := range map[string]string{
				"/generic":                      asking("warehouse", "orders.read"),
				"":                              asking("warehouse", "orders.read"),
				"/abbyy/auth2":                  asking(abbyyClient, abbyyScope, "productId", abbyyProduct),
				"/abbyy/auth2/" + exampleTenant: asking(abbyyClient, abbyyScope, "productId", abbyyProduct),
				"/auth2":                        asking(abbyyClient, abbyyScope, "productId", abbyyProduct),
			} {
				document := object(t, get(s, "http://example.com"+issuer+openIDConfiguration, "").Body.String())
				_, announced := document["authorization_response_iss_parameter_supported"]
				endpoint, _ := document["authorization_endpoint"].(string)
				if announced != namesIssuer || endpoint == "" {
					t.Errorf("%s: announced: %t, endpoint %q", issuer, announced, endpoint)
				}
				want := ""
				if namesIssuer {
					want, _ = document["issuer"].(string)
				}
				if got := answered(t, visit(s, endpoint, ask)).Get("iss"); got != want {
					t.Errorf("%s: iss is %q, want %q", issuer, got, want)
				}
			}
		})
	}
}
