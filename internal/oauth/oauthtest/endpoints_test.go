package oauthtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(s *Server, url, bearer string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestDiscoveryAnswersAtBothFormsOfItsAddress(t *testing.T) {
	tests := map[string]struct{ path, issuer, token string }{
		"generic, appended": {
			"/generic/.well-known/openid-configuration", "/generic", "/generic/oauth2/token",
		},
		"generic, inserted": {
			"/.well-known/oauth-authorization-server/generic", "/generic", "/generic/oauth2/token",
		},
		"generic, an issuer without a path": {"/.well-known/openid-configuration", "", "/oauth2/token"},
		"ABBYY, appended": {
			"/abbyy/auth2/t-1/.well-known/openid-configuration", "/abbyy/auth2/t-1", "/abbyy/auth2/t-1/connect/token",
		},
		"ABBYY, inserted": {
			"/.well-known/oauth-authorization-server/abbyy/auth2/t-1", "/abbyy/auth2/t-1", "/abbyy/auth2/t-1/connect/token",
		},
		"ABBYY, without a tenant": {
			"/auth2/.well-known/openid-configuration", "/auth2", "/auth2/connect/token",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, origin := range []string{"http://vendor.example", "https://vendor.example"} {
				w := get(New(), origin+test.path, "")
				members := object(t, w.Body.String())
				if members["issuer"] != origin+test.issuer || members["token_endpoint"] != origin+test.token {
					t.Errorf("status %d, document %v", w.Code, members)
				}
			}
		})
	}
}

func TestADiscoveryDocumentCanLie(t *testing.T) {
	s := New()
	s.Fail(Match{Endpoint: DiscoveryEndpoint}, Member("issuer", `"https://other.example"`))
	w := get(s, "http://vendor.example/generic/.well-known/openid-configuration", "")
	if got := object(t, w.Body.String())["issuer"]; got != "https://other.example" {
		t.Errorf("issuer is %v", got)
	}
}

func TestRevocation(t *testing.T) {
	const path = "/generic/oauth2/revoke"
	type tokens struct{ access, refresh string }
	tests := map[string]struct {
		form            func(tokens) string
		basic           []string
		status          int
		access, refresh bool // live afterwards
	}{
		"of an access token": {
			func(t tokens) string { return "token=" + t.access }, []string{"app", "s"}, 200, false, true,
		},
		"of a refresh token ends its access tokens": {
			func(t tokens) string { return "token_type_hint=refresh_token&token=" + t.refresh }, []string{"app", "s"}, 200, false, false,
		},
		"of an unknown token is fine": {
			func(tokens) string { return "token=unknown" }, []string{"app", "s"}, 200, true, true,
		},
		"of another client's token is refused": {
			func(t tokens) string { return "token=" + t.access }, genericBasic, 400, true, true,
		},
		"with a wrong secret is refused": {
			func(t tokens) string { return "token=" + t.access }, []string{"app", "wrong"}, 401, true, true,
		},
		"of nothing is refused": {
			func(tokens) string { return "x=y" }, []string{"app", "s"}, 400, true, true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, _ := rotator(Rotate)
			app, _ := s.Client(Generic, "app")
			w := post(s, genericPath, "grant_type=password&client_id=app&client_secret=s&username=u&password=p")
			members := object(t, w.Body.String())
			given := tokens{members["access_token"].(string), members["refresh_token"].(string)}
			app.Authentication = Basic
			s.Register(app)
			w = call{path: path, basic: test.basic, form: test.form(given)}.do(s)
			if w.Code != test.status {
				t.Errorf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
			if s.IsLive(given.access) != test.access || s.RefreshTokenIsLive(given.refresh) != test.refresh {
				t.Errorf("access live: %v, refresh live: %v", s.IsLive(given.access), s.RefreshTokenIsLive(given.refresh))
			}
		})
	}
}

func TestTheResourceTakesLiveTokensOnly(t *testing.T) {
	s := New()
	token := object(t, post(s, sfrPath, sfrForm).Body.String())["access_token"].(string)
	if w := get(s, "/resource", token); w.Code != 200 || !strings.Contains(w.Body.String(), `"client_id":"sfr-api"`) {
		t.Errorf("with a live token: status %d, %s", w.Code, w.Body)
	}
	if w := get(s, "/resource?access_token="+token, ""); w.Code != 401 {
		t.Errorf("with the token in the URL: status %d", w.Code)
	}
	s.Revoke(token)
	w := get(s, "/resource", token)
	if w.Code != 401 || !strings.Contains(w.Header().Get("WWW-Authenticate"), "invalid_token") {
		t.Errorf("with a dead token: status %d, %v", w.Code, w.Header())
	}
}

func TestPlainHTTPAndConnections(t *testing.T) {
	s := New()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if s.CABundle() != nil || s.URL() != "http://"+s.Host() || s.TokenURL(SFR) != s.URL()+sfrPath {
		t.Errorf("URL %s, host %s, token URL %s", s.URL(), s.Host(), s.TokenURL(SFR))
	}
	if s.Start() == nil {
		t.Error("a server that listens could be started again")
	}
	for range 3 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/resource", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Close = true
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	}
	if got := s.Connections(); got != 3 {
		t.Errorf("%d connections, want 3", got)
	}
}

func TestTheCertificateNamesFurtherHosts(t *testing.T) {
	s := Serve(t, WithHosts("auth.vendor.example", "10.99.0.2"))
	state := send(t.Context(), t, s)
	if state.status != 200 {
		t.Fatalf("received %+v", state)
	}
	certificate, _, err := newCertificate(s.hosts)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "127.0.0.1", "auth.vendor.example", "10.99.0.2"} {
		if err := parse(t, certificate.Certificate[0]).VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
}
