package oauthtest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// decides posts the form of the page to sign in.
func decides(s *Server, address, form string) *httptest.ResponseRecorder {
	return call{path: address, form: form}.do(s)
}

func TestThePageToSignInAtEachVendor(t *testing.T) {
	const good = "username=ada&password=change-me&decision=allow"
	for name, address := range map[string]string{
		"Genesys":               "/genesys/oauth/authorize?" + asking(genesysUser, "users"),
		"ABBYY":                 "/auth2/connect/authorize?" + asking(abbyyClient, abbyyScope, "productId", abbyyProduct),
		"ABBYY with the tenant": "/auth2/" + exampleTenant + "/connect/authorize?" + asking(abbyyClient, abbyyScope, "productId", abbyyProduct),
	} {
		t.Run(name, func(t *testing.T) {
			s := New()
			s.RegisterRedirectURI(comeBack)
			w := get(s, address, "")
			page := w.Body.String()
			for _, part := range []string{
				`<label for="username">`, `id="username"`, `<label for="password">`, `id="password"`, `type="password"`, `method="post"`,
				`value="allow"`, `value="deny"`, `lang="en"`, "<title>",
			} {
				if !strings.Contains(page, part) {
					t.Errorf("the page lacks %s", part)
				}
			}
			if w.Code != http.StatusOK || strings.Contains(page, `role="alert"`) || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("status %d, header %v, page %s", w.Code, w.Header(), page)
			}
			if got := answered(t, decides(s, address, good)); got.Get("code") == "" || got.Get("state") != "a state" {
				t.Errorf("consent is answered %v", got)
			}
			if got := s.Count(Match{Endpoint: AuthorizationEndpoint, Outcome: Served}); got != 1 {
				t.Errorf("%d pages were served, want 1", got)
			}
		})
	}
}

func TestWhoMayNotSignIn(t *testing.T) {
	for name, form := range map[string]string{
		"somebody with a wrong password": "username=ada&password=wrong&decision=allow",
		"somebody who is not known":      "username=eve&password=change-me&decision=allow",
		"nobody":                         "decision=allow",
		"the user of another vendor":     "username=api-admin&password=change-me&decision=allow",
		"a form that can't be read":      "username=ada&password=change-me&decision=%zz",
	} {
		t.Run(name, func(t *testing.T) {
			now := epoch
			s := newConsenting(&now)
			s.ConsentBy(Generic, nil)
			w := decides(s, "/oauth2/authorize?"+asking("shop", "orders"), form)
			if w.Code != http.StatusOK || w.Header().Get("Location") != "" || !strings.Contains(w.Body.String(), `role="alert">User name and password do not match.`) {
				t.Errorf("status %d, Location %q, page %s", w.Code, w.Header().Get("Location"), w.Body)
			}
			if len(s.vault.codes) != 0 {
				t.Error("a code was made")
			}
		})
	}
}

func TestThePageKeepsTheNameAndNotThePassword(t *testing.T) {
	now := epoch
	s := newConsenting(&now)
	s.ConsentBy(Generic, nil)
	page := decides(s, "/oauth2/authorize?"+asking("shop", "orders"), "username=%22%3E%3Cscript%3E&password=hidden-word&decision=allow").Body.String()
	if strings.Contains(page, "<script>") || !strings.Contains(page, `value="&#34;&gt;&lt;script&gt;"`) || strings.Contains(page, "hidden-word") {
		t.Errorf("page %s", page)
	}
}

func TestDenialNeedsNoPassword(t *testing.T) {
	now := epoch
	s := newConsenting(&now)
	s.ConsentBy(Generic, nil)
	got := answered(t, decides(s, "/oauth2/authorize?"+asking("shop", "orders"), "decision=deny"))
	if got.Get("error") != "access_denied" || got.Get("state") != "a state" || got.Has("code") {
		t.Errorf("answered %v", got)
	}
}

func TestAnotherPersonIsAnotherSubject(t *testing.T) {
	now := epoch
	s := newConsenting(&now)
	s.ConsentBy(Generic, nil)
	s.SetPassword(User{Vendor: Generic, Username: "grace", Password: "p"})
	code := answered(t, decides(s, "/oauth2/authorize?"+asking("shop", "openid"), "username=grace&password=p&decision=allow")).Get("code")
	w := exchanged(s, code)
	if got := claims(t, object(t, w.Body.String())["id_token"], "change-me")["sub"]; got != "grace" {
		t.Errorf("the subject is %v", got)
	}
}
