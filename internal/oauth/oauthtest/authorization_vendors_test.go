package oauthtest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	genesysUser     = "12121212-3434-4565-8787-909090909090" // of the grant authorization_code
	genesysImplicit = "99999999-0000-4111-8222-333344445555"
	abbyyClient     = "vantage-integration"
	abbyyProduct    = "a8548c9b-cb90-4c66-8567-d7372bb9b963"
	abbyyScope      = "openid permissions global.wildcard offline_access"
)

// asking makes the query of an authorization request. Changes are names and values; an empty value removes a parameter.
func asking(clientID, scope string, changes ...string) string {
	query := url.Values{
		"client_id": {clientID}, "redirect_uri": {comeBack}, "response_type": {"code"}, "scope": {scope}, "state": {"a state"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	return with(query.Encode(), changes...)
}

// visit sends a browser somewhere.
func visit(s *Server, path, query string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path+"?"+query, nil))
	return w
}

// newVendors is all vendors with the clients of the example manifests, and somebody who consents at once.
func newVendors(clock *settable) *Server {
	s := New(WithClock(clock.read))
	s.RegisterRedirectURI(comeBack)
	for _, vendor := range []Vendor{Genesys, ABBYY, Generic} {
		s.ConsentBy(vendor, &Consent{})
	}
	return s
}

func TestEachVendorHasItsAuthorizationEndpoint(t *testing.T) {
	tenants := func(tenant string) string { return "/abbyy/auth2/" + tenant + "/connect/authorize" }
	genesysAsk := asking(genesysUser, "users")
	abbyyAsk := asking(abbyyClient, abbyyScope, "productId", abbyyProduct)
	for name, test := range map[string]struct {
		path, query string
		want        string // error; "code": none; empty: a page, and no redirect
	}{
		"Genesys":                               {"/genesys/oauth/authorize", genesysAsk, "code"},
		"Genesys under its own path":            {"/oauth/authorize", genesysAsk, "code"},
		"Genesys, without PKCE":                 {"/oauth/authorize", asking(genesysUser, "users", "code_challenge", "", "code_challenge_method", ""), "code"},
		"Genesys, an implicit client":           {"/oauth/authorize", asking(genesysImplicit, "", "response_type", "code"), "unauthorized_client"},
		"Genesys, no implicit client":           {"/oauth/authorize", asking(genesysUser, "users", "response_type", "token"), "unauthorized_client"},
		"ABBYY":                                 {"/abbyy/auth2/connect/authorize", abbyyAsk, "code"},
		"ABBYY under its own path":              {"/auth2/connect/authorize", abbyyAsk, "code"},
		"ABBYY with the tenant":                 {tenants(exampleTenant), abbyyAsk, "code"},
		"ABBYY with another tenant":             {tenants("another"), abbyyAsk, ""},
		"ABBYY without offline_access":          {"/auth2/connect/authorize", with(abbyyAsk, "scope", "openid permissions global.wildcard"), "code"},
		"ABBYY with fewer scopes than indicate": {"/auth2/connect/authorize", with(abbyyAsk, "scope", "openid"), "invalid_scope"},
		"ABBYY without the product":             {"/auth2/connect/authorize", with(abbyyAsk, "productId", ""), "invalid_request"},
		"a client of another vendor":            {"/oauth/authorize", abbyyAsk, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := visit(newVendors(&settable{now: epoch}), test.path, test.query)
			if test.want == "" {
				if w.Code != http.StatusBadRequest || w.Header().Get("Location") != "" {
					t.Errorf("status %d, Location %q, want a page", w.Code, w.Header().Get("Location"))
				}
				return
			}
			got := answered(t, w)
			if (test.want == "code") != (got.Get("code") != "") || test.want != "code" && got.Get("error") != test.want {
				t.Errorf("answered %v, want %s", got, test.want)
			}
			if got.Get("state") != "a state" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("answered %v with %v, want the state, and nothing stored", got, w.Header())
			}
		})
	}
}

func TestWhatCantBeRedirectedIsAPage(t *testing.T) {
	good := asking("shop", "orders")
	for name, test := range map[string]struct {
		method, query string
		status        int
	}{
		"no redirect URI":        {http.MethodGet, with(good, "redirect_uri", ""), 400},
		"two redirect URIs":      {http.MethodGet, good + "&redirect_uri=https%3A%2F%2Fother.example", 400},
		"two clients":            {http.MethodGet, good + "&client_id=other", 400},
		"no client":              {http.MethodGet, with(good, "client_id", ""), 400},
		"another case":           {http.MethodGet, with(good, "redirect_uri", strings.ToUpper(comeBack)), 400},
		"a query at its end":     {http.MethodGet, with(good, "redirect_uri", comeBack+"?x=y"), 400},
		"a method of no browser": {http.MethodPut, good, 405},
	} {
		t.Run(name, func(t *testing.T) {
			now := epoch
			s := newConsenting(&now)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(test.method, "/oauth2/authorize?"+test.query, nil))
			if w.Code != test.status || w.Header().Get("Location") != "" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
				t.Errorf("status %d, header %v", w.Code, w.Header())
			}
		})
	}
}

func TestOtherMistakesAreToldToTheClient(t *testing.T) {
	good := asking("shop", "orders")
	for name, test := range map[string]struct{ query, want string }{
		"no response type":                    {with(good, "response_type", ""), "invalid_request"},
		"a parameter twice":                   {good + "&scope=openid", "invalid_request"},
		"a challenge without its method":      {with(good, "code_challenge_method", ""), "invalid_request"},
		"a challenge that is no SHA-256 sum":  {with(good, "code_challenge", "c2hvcnQ"), "invalid_request"},
		"a challenge with padding":            {with(good, "code_challenge", challenge+"="), "invalid_request"},
		"a challenge that is no base64url":    {with(good, "code_challenge", strings.Repeat("!", 43)), "invalid_request"},
		"no challenge, of a confidential one": {with(good, "code_challenge", ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			now := epoch
			got := answered(t, visit(newConsenting(&now), "/oauth2/authorize", test.query))
			if got.Get("error") != test.want || got.Get("state") != "a state" {
				t.Errorf("answered %v, want error %q", got, test.want)
			}
		})
	}
	now := epoch
	public := newConsenting(&now, func(c *Client) { c.Authentication = None })
	if got := answered(t, visit(public, "/oauth2/authorize", good+"&code_challenge=")); got.Get("error") != "invalid_request" {
		t.Errorf("a challenge twice, once empty: %v", got)
	}
	empty := strings.Replace(good, "code_challenge="+challenge, "code_challenge=", 1)
	if got := answered(t, visit(public, "/oauth2/authorize", empty)); got.Get("error") != "invalid_request" {
		t.Errorf("an empty challenge of a client without a secret: %v", got)
	}
}

func TestTheRedirectURIKeepsItsQuery(t *testing.T) {
	now := epoch
	s := newConsenting(&now, func(c *Client) { c.RedirectURIs = []string{comeBack + "?from=shop"} })
	got := answered(t, visit(s, "/oauth2/authorize", asking("shop", "orders", "redirect_uri", comeBack+"?from=shop")))
	if got.Get("from") != "shop" || got.Get("code") == "" {
		t.Errorf("answered %v", got)
	}
}

func TestTheJournalHoldsAuthorizationRequests(t *testing.T) {
	s := newVendors(&settable{now: epoch})
	query := asking(abbyyClient, abbyyScope, "productId", abbyyProduct)
	visit(s, "/auth2/connect/authorize", with(query, "productId", ""))
	code := answered(t, visit(s, "/auth2/connect/authorize", query)).Get("code")
	requests := s.Requests()
	if len(requests) != 2 {
		t.Fatalf("the journal holds %v", requests)
	}
	last := requests[1]
	type seen struct {
		Vendor   Vendor
		Endpoint Endpoint
		Client   string
		Outcome  Outcome
		Status   int
	}
	want := seen{ABBYY, AuthorizationEndpoint, abbyyClient, Issued, http.StatusFound}
	if diff := cmp.Diff(want, seen{last.Vendor, last.Endpoint, last.ClientID, last.Outcome, last.Status}); diff != "" {
		t.Errorf("the last (-want +got):\n%s", diff)
	}
	asked, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(asked, last.Query()); diff != "" {
		t.Errorf("its query (-want +got):\n%s", diff)
	}
	if text := last.String(); strings.Contains(text, code) || strings.Contains(text, challenge) || strings.Contains(text, "a+state") {
		t.Errorf("printed as %s", text)
	}
	for outcome, n := range map[Outcome]int{"": 2, Issued: 1, invalidRequest: 1, Served: 0} {
		if got := s.Count(Match{Endpoint: AuthorizationEndpoint, Outcome: outcome}); got != n {
			t.Errorf("%d requests of outcome %q, want %d", got, outcome, n)
		}
	}
	if s.Count(Match{}) != 0 {
		t.Error("authorization requests count as token requests")
	}
}

func TestAuthorizationURLs(t *testing.T) {
	s := Serve(t)
	for vendor, want := range map[Vendor]string{
		Genesys: "/genesys/oauth/authorize", ABBYY: "/abbyy/auth2/connect/authorize", Generic: "/generic/oauth2/authorize",
	} {
		if got := s.AuthorizationURL(vendor); got != s.URL()+want {
			t.Errorf("%s: %s", vendor, got)
		}
	}
	if s.AuthorizationURL(SFR) != "" || s.AuthorizationURL(BrightPattern) != "" {
		t.Error("vendors that need nobody have an authorization endpoint")
	}
}

func TestFaultsAtTheAuthorizationEndpoint(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	s := newConsenting(&now)
	s.Fail(Match{Endpoint: AuthorizationEndpoint, ClientID: "shop"}, Unavailable(InSeconds(3)), Times(1))
	if w := asks(s); w.Code != http.StatusServiceUnavailable || w.Header().Get("Location") != "" {
		t.Errorf("status %d", w.Code)
	}
	if got := answered(t, asks(s)); got.Get("code") == "" {
		t.Errorf("afterwards: %v", got)
	}
}
