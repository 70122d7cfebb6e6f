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
	comeBack  = "https://tokens.example/callback"
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, appendix B
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// newConsenting is a server with one client that may do everything, and somebody who consents at once.
func newConsenting(now *time.Time, change ...func(*Client)) *Server {
	s := New(WithClock(func() time.Time { return *now }))
	client := Client{
		Vendor: Generic, ID: "shop", Secret: "change-me", Grants: []string{AuthorizationCode, Implicit, RefreshToken},
		Scopes: []string{"openid", "orders"}, RedirectURIs: []string{comeBack}, RefreshTokens: true, Rotation: Rotate,
	}
	for _, c := range change {
		c(&client)
	}
	s.Register(client)
	s.ConsentBy(Generic, &Consent{})
	return s
}

// asks sends a browser to the authorization endpoint. Changes are names and values; an empty value removes a parameter.
func asks(s *Server, changes ...string) *httptest.ResponseRecorder {
	query := url.Values{
		"client_id": {"shop"}, "redirect_uri": {comeBack}, "response_type": {"code"}, "scope": {"openid orders"}, "state": {"a state"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(changes); i += 2 {
		if query.Set(changes[i], changes[i+1]); changes[i+1] == "" {
			query.Del(changes[i])
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/oauth2/authorize?"+query.Encode(), nil))
	return w
}

// answered is what the browser brings back.
func answered(t *testing.T, w *httptest.ResponseRecorder) url.Values {
	t.Helper()
	location, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != http.StatusFound || !strings.HasPrefix(location.String(), comeBack) {
		t.Fatalf("status %d, Location %q: the browser is not sent back", w.Code, location)
	}
	if location.Fragment == "" {
		return location.Query()
	}
	values, err := url.ParseQuery(location.Fragment)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// exchanged sends a code to the token endpoint.
func exchanged(s *Server, code string, changes ...string) *httptest.ResponseRecorder {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {comeBack}, "code_verifier": {verifier}}
	for i := 0; i < len(changes); i += 2 {
		form.Set(changes[i], changes[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, "/oauth2/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("shop", "change-me")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestAuthorizationRequestsAreChecked(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		changes []string
		want    string // error; empty: a page, and no redirect
	}{
		"a client that is not known":       {[]string{"client_id", "nobody"}, ""},
		"a redirect URI that is not known": {[]string{"redirect_uri", comeBack + "/more"}, ""},
		"another response type":            {[]string{"response_type", "id_token"}, "unsupported_response_type"},
		"a scope that the client lacks":    {[]string{"scope", "admin"}, "invalid_scope"},
		"a plain code challenge":           {[]string{"code_challenge_method", "plain"}, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			w := asks(newConsenting(&now), test.changes...)
			if test.want == "" {
				if w.Code != http.StatusBadRequest || w.Header().Get("Location") != "" {
					t.Errorf("status %d, Location %q, want a page", w.Code, w.Header().Get("Location"))
				}
				return
			}
			if got := answered(t, w); got.Get("error") != test.want || got.Get("state") != "a state" {
				t.Errorf("answered %v, want %s with the state", got, test.want)
			}
		})
	}
	public := newConsenting(&now, func(c *Client) { c.Authentication = None })
	if got := answered(t, asks(public, "code_challenge", "", "code_challenge_method", "")); got.Get("error") != "invalid_request" {
		t.Errorf("a client without a secret and without a code challenge is answered %v", got)
	}
}

func TestACodeIsExchangedOnce(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	s := newConsenting(&now)
	code := answered(t, asks(s)).Get("code")
	first := exchanged(s, code)
	given := object(t, first.Body.String())
	if first.Code != http.StatusOK || given["refresh_token"] == nil || given["id_token"] == nil || given["scope"] != "openid orders" {
		t.Fatalf("status %d, members %v", first.Code, given)
	}
	if again := exchanged(s, code); again.Code != http.StatusBadRequest {
		t.Errorf("a second use is answered with %d", again.Code)
	}
	if token, _ := given["access_token"].(string); s.IsLive(token) {
		t.Error("a second use does not revoke what the first gave")
	}
}

func TestCodesAreBound(t *testing.T) {
	for name, test := range map[string]struct {
		later   time.Duration
		changes []string
	}{
		"to the redirect URI":   {0, []string{"redirect_uri", comeBack + "2"}},
		"to the code challenge": {0, []string{"code_verifier", "another"}},
		"to a minute":           {time.Minute, nil},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
			s := newConsenting(&now)
			code := answered(t, asks(s)).Get("code")
			now = now.Add(test.later)
			w := exchanged(s, code, test.changes...)
			if got := object(t, w.Body.String()); w.Code != http.StatusBadRequest || got["error"] != "invalid_grant" {
				t.Errorf("status %d, %v", w.Code, got)
			}
			if w := exchanged(s, code); w.Code == http.StatusOK {
				t.Error("the code is good after a wrong use")
			}
		})
	}
}

func TestAnswersOfPersons(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	s := newConsenting(&now)
	s.ConsentBy(Generic, &Consent{Error: "login_required", Description: "Sign in first"})
	want := url.Values{"error": {"login_required"}, "error_description": {"Sign in first"}, "state": {"a state"}}
	if diff := cmp.Diff(want, answered(t, asks(s))); diff != "" {
		t.Errorf("a refusal (-want +got):\n%s", diff)
	}
	s.ConsentBy(Generic, &Consent{})
	s.NameIssuer()
	if got := answered(t, asks(s)).Get("iss"); got != "http://example.com" {
		t.Errorf("iss is %q", got)
	}
	s.ConsentBy(Generic, &Consent{Issuer: "https://other.example"})
	if got := answered(t, asks(s)).Get("iss"); got != "https://other.example" {
		t.Errorf("another iss is %q", got)
	}
	s.ConsentBy(Generic, &Consent{Issuer: "-"})
	if got := answered(t, asks(s)); got.Has("iss") {
		t.Errorf("iss is not left out: %v", got)
	}
}

func TestATokenComesInTheFragment(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	s := newConsenting(&now)
	w := asks(s, "response_type", "token")
	got := answered(t, w)
	if !strings.Contains(w.Header().Get("Location"), "#") || got.Get("token_type") != "Bearer" || got.Get("expires_in") != "3600" || got.Has("refresh_token") {
		t.Errorf("answered %v", got)
	}
	if !s.IsLive(got.Get("access_token")) {
		t.Error("the token is not live")
	}
}

func TestThePagesAskForNamePasswordAndADecision(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	s := newConsenting(&now)
	s.ConsentBy(Generic, nil)
	page := asks(s)
	if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), `name="password"`) {
		t.Fatalf("status %d: %s", page.Code, page.Body)
	}
	decides := func(form string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/oauth2/authorize?"+url.Values{
			"client_id": {"shop"}, "redirect_uri": {comeBack}, "response_type": {"code"}, "scope": {"orders"},
		}.Encode(), strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	if w := decides("username=ada&password=wrong&decision=allow"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "do not match") {
		t.Errorf("a wrong password is answered with status %d", w.Code)
	}
	if got := answered(t, decides("username=ada&password=change-me&decision=allow")); got.Get("code") == "" {
		t.Errorf("consent is answered %v", got)
	}
	if got := answered(t, decides("decision=deny")); got.Get("error") != "access_denied" {
		t.Errorf("a denial is answered %v", got)
	}
}

func TestABBYYWantsItsProduct(t *testing.T) {
	s := New()
	s.RegisterRedirectURI(comeBack)
	s.ConsentBy(ABBYY, &Consent{})
	query := url.Values{
		"client_id": {"vantage-integration"}, "redirect_uri": {comeBack}, "response_type": {"code"}, "scope": {"openid permissions global.wildcard offline_access"},
	}
	ask := func() url.Values {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/auth2/connect/authorize?"+query.Encode(), nil))
		return answered(t, w)
	}
	if got := ask(); got.Get("error") != "invalid_request" {
		t.Errorf("without productId: %v", got)
	}
	query.Set("productId", "a8548c9b-cb90-4c66-8567-d7372bb9b963")
	if got := ask(); got.Get("code") == "" {
		t.Errorf("with productId: %v", got)
	}
}
