package oauthtest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// epoch is the time of tests that have no reason for another.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// tokenPaths are the documented paths under the vendors' prefixes.
const (
	sfrPath     = "/sfr/identity/connect/token"
	genesysPath = "/genesys/oauth/token"
	brightPath  = "/bright/configapi/v2/oauth/token"
	abbyyPath   = "/abbyy/auth2/connect/token"
	genericPath = "/generic/oauth2/token"
)

// call is a request to the handler without a network.
type call struct {
	method, path, contentType string
	basic                     []string // id and secret as they are joined
	form                      string
}

func (c call) do(s *Server) *httptest.ResponseRecorder {
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.contentType == "" {
		c.contentType = "application/x-www-form-urlencoded"
	}
	r := httptest.NewRequestWithContext(context.Background(), c.method, c.path, strings.NewReader(c.form))
	r.Header.Set("Content-Type", c.contentType)
	if c.basic != nil {
		r.SetBasicAuth(c.basic[0], c.basic[1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// post sends a form without Basic.
func post(s *Server, path, form string) *httptest.ResponseRecorder {
	return call{path: path, form: form}.do(s)
}

// object decodes a JSON object.
func object(t *testing.T, body string) map[string]any {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(body), &members); err != nil {
		t.Fatalf("body %q: %v", body, err)
	}
	return members
}

// with is the form with some parameters changed; an empty value removes one.
func with(form string, changes ...string) string {
	values, err := url.ParseQuery(form)
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(changes); i += 2 {
		values.Del(changes[i])
		if changes[i+1] != "" {
			values.Set(changes[i], changes[i+1])
		}
	}
	return values.Encode()
}

// The forms that the documents print, with the example manifests' values.
const (
	sfrForm = "client_id=sfr-api&client_secret=change-me&grant_type=password&scope=supervisor_api" +
		"&tenant=sfrxxx01-sfrresell&username=api-admin&password=change-me"
	brightForm = "grant_type=client_credentials&client_id=api.user&client_secret=change-me&tenant=example.brightpattern.com"
	abbyyForm  = "client_id=vantage-integration&client_secret=change-me&grant_type=client_credentials" +
		"&scope=openid+permissions+global.wildcard"
	abbyyPasswordForm = "client_id=vantage-integration&client_secret=change-me&grant_type=password" +
		"&scope=openid+permissions+global.wildcard+offline_access&username=integration%40acme.example&password=change-me"
	genericForm = "grant_type=client_credentials&scope=orders.read+orders.write&audience=https%3A%2F%2Fapi.warehouse.example"
)

var (
	genesysBasic = []string{"6a6ee7a1-3a4c-4b6d-9a3f-0e8a1b2c3d4e", "change-me"}
	genericBasic = []string{"warehouse", "change-me"}
)

func TestAnswersLookAsDocumented(t *testing.T) {
	tests := map[string]struct {
		call call
		want string // TOKEN stands for the access token
	}{
		"SFR names the scope": {
			call{path: sfrPath, form: sfrForm},
			`{"access_token":"TOKEN","token_type":"Bearer","expires_in":86400,"scope":"supervisor_api"}`,
		},
		"Genesys names no scope": {
			call{path: genesysPath, basic: genesysBasic, form: "grant_type=client_credentials"},
			`{"access_token":"TOKEN","token_type":"Bearer","expires_in":86400}`,
		},
		"Genesys gives a SCIM client 450 days": {
			call{path: genesysPath, basic: []string{"0f9b2c1e-1111-4222-8333-444455556666", "change-me"}, form: "grant_type=client_credentials"},
			`{"access_token":"TOKEN","token_type":"Bearer","expires_in":38880000}`,
		},
		"Bright Pattern writes the lifetime as a string and a comma too many": {
			call{path: brightPath, form: brightForm},
			`{ "access_token":"TOKEN", "token_type":"Bearer", "expires_in":"3599", }`,
		},
		"ABBYY gives client credentials no refresh token": {
			call{path: abbyyPath, form: abbyyForm},
			`{"access_token":"TOKEN","token_type":"Bearer","expires_in":86400,"scope":"openid permissions global.wildcard"}`,
		},
		"ABBYY takes the tenant in the path": {
			call{path: "/abbyy/auth2/" + exampleTenant + "/connect/token", form: abbyyForm},
			`{"access_token":"TOKEN","token_type":"Bearer","expires_in":86400,"scope":"openid permissions global.wildcard"}`,
		},
		"a generic server": {
			call{path: genericPath, basic: genericBasic, form: genericForm},
			`{"access_token":"TOKEN","token_type":"Bearer","expires_in":3600,"scope":"orders.read orders.write"}`,
		},
		"a vendor's own path without the prefix": {
			call{path: "/identity/connect/token", form: sfrForm},
			`{"access_token":"TOKEN","token_type":"Bearer","expires_in":86400,"scope":"supervisor_api"}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := New(WithClock(func() time.Time { return epoch }))
			w := test.call.do(s)
			token := s.vault.newest(t)
			if diff := cmp.Diff(test.want, strings.Replace(w.Body.String(), token, "TOKEN", 1)); diff != "" {
				t.Errorf("status %d, body (-want +got):\n%s", w.Code, diff)
			}
			if got := w.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control is %q", got)
			}
		})
	}
}

// newest is the one access token in the vault.
func (v *vault) newest(t *testing.T) string {
	t.Helper()
	if len(v.access) != 1 {
		t.Fatalf("%d access tokens were issued", len(v.access))
	}
	for token := range v.access {
		return token
	}
	return ""
}

func TestRefusesWhatTheVendorsWouldRefuse(t *testing.T) {
	genesys := func(form string) call { return call{path: genesysPath, basic: genesysBasic, form: form} }
	warehouse := func(form string) call { return call{path: genericPath, basic: genericBasic, form: form} }
	tests := map[string]struct {
		call   call
		status int
		code   string
	}{
		"GET":                         {call{method: "GET", path: sfrPath}, 405, invalidRequest},
		"JSON":                        {call{path: sfrPath, contentType: "application/json", form: sfrForm}, 400, invalidRequest},
		"a body that is no form":      {call{path: sfrPath, form: "a=%zz"}, 400, invalidRequest},
		"a body that is not UTF-8":    {call{path: sfrPath, form: sfrForm + "&x=%ff"}, 400, invalidRequest},
		"a body over the limit":       {call{path: sfrPath, form: sfrForm + "&x=" + strings.Repeat("x", maxBody)}, 400, invalidRequest},
		"credentials in the URL":      {call{path: sfrPath + "?client_secret=change-me", form: sfrForm}, 400, invalidRequest},
		"a doubled parameter":         {call{path: sfrPath, form: sfrForm + "&scope=supervisor_api"}, 400, invalidRequest},
		"a doubled unknown parameter": {call{path: sfrPath, form: sfrForm + "&x=1&x=1"}, 400, invalidRequest},
		"no grant type":               {call{path: sfrPath, form: with(sfrForm, "grant_type", "")}, 400, invalidRequest},
		"no client":                   {call{path: sfrPath, form: with(sfrForm, "client_id", "", "client_secret", "")}, 400, invalidClient},

		"SFR: another client":           {call{path: sfrPath, form: with(sfrForm, "client_id", "nobody")}, 400, invalidClient},
		"SFR: another vendor's client":  {call{path: sfrPath, form: with(sfrForm, "client_id", "api.user")}, 400, invalidClient},
		"SFR: wrong secret":             {call{path: sfrPath, form: with(sfrForm, "client_secret", "wrong")}, 400, invalidClient},
		"SFR: no secret":                {call{path: sfrPath, form: with(sfrForm, "client_secret", "")}, 400, invalidClient},
		"SFR: Basic":                    {call{path: sfrPath, basic: []string{"sfr-api", "change-me"}, form: with(sfrForm, "client_id", "", "client_secret", "")}, 400, invalidClient},
		"SFR: Basic and body":           {call{path: sfrPath, basic: []string{"sfr-api", "change-me"}, form: sfrForm}, 400, invalidRequest},
		"SFR: no tenant":                {call{path: sfrPath, form: with(sfrForm, "tenant", "")}, 400, invalidRequest},
		"SFR: another tenant":           {call{path: sfrPath, form: with(sfrForm, "tenant", "gcc00001-sfrresell")}, 400, invalidGrant},
		"SFR: no scope":                 {call{path: sfrPath, form: with(sfrForm, "scope", "")}, 400, invalidRequest},
		"SFR: another scope":            {call{path: sfrPath, form: with(sfrForm, "scope", "openid")}, 400, invalidScope},
		"SFR: one scope more":           {call{path: sfrPath, form: with(sfrForm, "scope", "supervisor_api openid")}, 400, invalidScope},
		"SFR: wrong password":           {call{path: sfrPath, form: with(sfrForm, "password", "wrong")}, 400, invalidGrant},
		"SFR: an empty password":        {call{path: sfrPath, form: strings.Replace(sfrForm, "&password=change-me", "&password=", 1)}, 400, invalidRequest},
		"SFR: another user":             {call{path: sfrPath, form: with(sfrForm, "username", "nobody")}, 400, invalidGrant},
		"SFR: a grant it does not have": {call{path: sfrPath, form: with(sfrForm, "grant_type", "client_credentials")}, 400, unsupportedGrantType},

		"Genesys: body credentials": {
			call{path: genesysPath, form: "grant_type=client_credentials&client_id=6a6ee7a1-3a4c-4b6d-9a3f-0e8a1b2c3d4e&client_secret=change-me"},
			401, invalidClient,
		},
		"Genesys: wrong secret": {
			call{path: genesysPath, basic: []string{genesysBasic[0], "wrong"}, form: "grant_type=client_credentials"}, 401, invalidClient,
		},
		"Genesys: header and body name two clients": {genesys("grant_type=client_credentials&client_id=other"), 400, invalidRequest},
		"Genesys: a scope":                          {genesys("grant_type=client_credentials&scope=users"), 400, invalidScope},
		"Genesys: another client's grant":           {genesys("grant_type=refresh_token&refresh_token=x"), 400, unauthorizedClient},
		"Genesys: a grant it does not have":         {genesys("grant_type=password"), 400, unsupportedGrantType},

		"Bright Pattern: Basic": {
			call{path: brightPath, basic: []string{"api.user", "change-me"}, form: with(brightForm, "client_id", "", "client_secret", "")},
			401, invalidClient,
		},
		"Bright Pattern: wrong secret":        {call{path: brightPath, form: with(brightForm, "client_secret", "wrong")}, 401, invalidClient},
		"Bright Pattern: no tenant":           {call{path: brightPath, form: with(brightForm, "tenant", "")}, 400, invalidRequest},
		"Bright Pattern: another tenant":      {call{path: brightPath, form: with(brightForm, "tenant", "other.example")}, 401, invalidClient},
		"Bright Pattern: tenant as scope":     {call{path: brightPath, form: with(brightForm, "tenant", "", "scope", "example.brightpattern.com")}, 400, invalidRequest},
		"Bright Pattern: two tenants at once": {call{path: brightPath, form: with(brightForm, "scope", "other.example")}, 400, invalidRequest},

		"ABBYY: Basic": {
			call{path: abbyyPath, basic: []string{"vantage-integration", "change-me"}, form: with(abbyyForm, "client_id", "", "client_secret", "")},
			400, invalidClient,
		},
		"ABBYY: no scope":                             {call{path: abbyyPath, form: with(abbyyForm, "scope", "")}, 400, invalidScope},
		"ABBYY: part of the scope":                    {call{path: abbyyPath, form: with(abbyyForm, "scope", "openid")}, 400, invalidScope},
		"ABBYY: offline access for the client itself": {call{path: abbyyPath, form: with(abbyyForm, "scope", "openid permissions global.wildcard offline_access")}, 400, invalidScope},
		"ABBYY: another tenant's path":                {call{path: "/abbyy/auth2/other/connect/token", form: abbyyForm}, 400, invalidClient},
		"ABBYY: wrong password":                       {call{path: abbyyPath, form: with(abbyyPasswordForm, "password", "wrong")}, 400, invalidGrant},
		"ABBYY: a made-up refresh token":              {call{path: abbyyPath, form: with(abbyyForm, "grant_type", "refresh_token", "refresh_token", "x")}, 400, invalidGrant},
		"ABBYY: no refresh token":                     {call{path: abbyyPath, form: with(abbyyForm, "grant_type", "refresh_token")}, 400, invalidRequest},

		"generic: no audience":          {warehouse(with(genericForm, "audience", "")), 400, invalidRequest},
		"generic: another scope":        {warehouse(with(genericForm, "scope", "orders.read orders.delete")), 400, invalidScope},
		"generic: a Bearer header":      {call{path: genericPath, form: genericForm}, 401, invalidClient},
		"generic: Basic undecodable":    {call{path: genericPath, basic: []string{"warehouse", "%zz"}, form: genericForm}, 401, invalidClient},
		"generic: an unasked-for grant": {warehouse(with(genericForm, "grant_type", "password")), 400, unauthorizedClient},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := New(WithClock(func() time.Time { return epoch }))
			w := test.call.do(s)
			if w.Code != test.status {
				t.Errorf("status %d, want %d", w.Code, test.status)
			}
			if got := object(t, w.Body.String())["error"]; got != test.code {
				t.Errorf("error is %v (%s), want %s", got, w.Body, test.code)
			}
			if n := len(s.vault.access); n != 0 {
				t.Errorf("%d tokens were issued", n)
			}
			if got := s.Count(Match{Outcome: Outcome(test.code)}); got != 1 {
				t.Errorf("the journal knows %d refusals of that code, want 1", got)
			}
		})
	}
}

func TestRefusalsCarryTheHeadersOfTheirStatus(t *testing.T) {
	s := New()
	w := call{method: http.MethodPut, path: sfrPath, form: sfrForm}.do(s)
	if got := w.Header().Get("Allow"); w.Code != 405 || got != "POST" {
		t.Errorf("status %d, Allow %q", w.Code, got)
	}
	w = call{path: genesysPath, basic: []string{"nobody", "x"}, form: "grant_type=client_credentials"}.do(s)
	if got := w.Header().Get("WWW-Authenticate"); w.Code != 401 || !strings.HasPrefix(got, "Basic ") {
		t.Errorf("status %d, WWW-Authenticate %q", w.Code, got)
	}
}

func TestBasicPartsAreFormEncoded(t *testing.T) {
	s := New()
	s.Register(Client{Vendor: Generic, ID: "encoded:client", Secret: "p+q &%é", Grants: []string{ClientCredentials}})
	for name, test := range map[string]struct {
		basic []string
		want  int
	}{
		"encoded":     {[]string{url.QueryEscape("encoded:client"), url.QueryEscape("p+q &%é")}, 200},
		"as they are": {[]string{"encoded:client", "p+q &%é"}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			w := call{path: genericPath, basic: test.basic, form: "grant_type=client_credentials"}.do(s)
			if w.Code != test.want {
				t.Errorf("status %d, want %d: %s", w.Code, test.want, w.Body)
			}
		})
	}
}

func TestBrightPatternTakesTheTenantAsItsVersionWantsIt(t *testing.T) {
	const host = "example.brightpattern.com"
	for name, test := range map[string]struct {
		version, form string
		want          int
	}{
		"3.x with tenant":       {"tenant", brightForm, 200},
		"3.x with both":         {"tenant", with(brightForm, "scope", host), 200},
		"3.x with scope alone":  {"tenant", with(brightForm, "tenant", "", "scope", host), 400},
		"5.x with scope":        {"scope", with(brightForm, "tenant", "", "scope", host), 200},
		"5.x with both":         {"scope", with(brightForm, "scope", host), 200},
		"5.x with tenant alone": {"scope", brightForm, 400},
	} {
		t.Run(name, func(t *testing.T) {
			s := New()
			client, _ := s.Client(BrightPattern, "api.user")
			client.TenantParameter = test.version
			s.Register(client)
			if w := post(s, brightPath, test.form); w.Code != test.want {
				t.Errorf("status %d, want %d: %s", w.Code, test.want, w.Body)
			}
		})
	}
}

func TestGenericServesPublicClientsAndDefaultScopes(t *testing.T) {
	s := New()
	s.Register(Client{Vendor: Generic, ID: "app", Authentication: None, Grants: []string{Password}, Scopes: []string{"a", "b"}})
	s.SetPassword(User{Vendor: Generic, Username: "u", Password: "p"})
	w := post(s, genericPath, "grant_type=password&client_id=app&username=u&password=p")
	if got := object(t, w.Body.String())["scope"]; got != "a b" {
		t.Errorf("scope is %v, want the client's", got)
	}
	w = post(s, genericPath, "grant_type=password&client_id=app&client_secret=x&username=u&password=p")
	if w.Code != 401 {
		t.Errorf("a public client's secret was answered with %d, want 401", w.Code)
	}
}

func TestTheSameUserNameInTwoABBYYTenantsNeedsTheTenantPath(t *testing.T) {
	s := New()
	s.SetPassword(User{ABBYY, "other", "integration@acme.example", "change-me"})
	if w := post(s, abbyyPath, abbyyPasswordForm); w.Code != 400 {
		t.Errorf("without a tenant: status %d, want 400", w.Code)
	}
	if w := post(s, "/abbyy/auth2/"+exampleTenant+"/connect/token", abbyyPasswordForm); w.Code != 200 {
		t.Errorf("with the tenant: status %d, want 200: %s", w.Code, w.Body)
	}
}
