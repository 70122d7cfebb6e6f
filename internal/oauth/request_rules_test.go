package oauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Tests of the rules on token requests, by their numbers.

// genericSettings are those of a plain client at a server of its own.
func genericSettings(change func(*Settings)) Settings {
	s := Settings{
		Vendor: "generic", Grant: ClientCredentials,
		Endpoints:    Endpoints{TokenURL: "https://login.acme.example/token"},
		AllowedHosts: []string{"login.acme.example"},
		Credentials:  credentials(map[string]string{"client_id": "client", "client_secret": "s3cret"}),
	}
	if change != nil {
		change(&s)
	}
	return s
}

func TestT1_APostWithAForm(t *testing.T) {
	got := wire(t, mustTokenRequest(t, mustResolve(t, genericSettings(nil))))
	for _, want := range []string{"POST https://login.acme.example/token\n", "Content-Type: application/x-www-form-urlencoded\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("request lacks %q:\n%s", want, got)
		}
	}
}

// The vector of RFC 6749, appendix B.
func TestT2_ValuesAreFormEncoded(t *testing.T) {
	request := mustTokenRequest(t, mustResolve(t, genericSettings(func(s *Settings) {
		s.Parameters = map[string]string{"text": " %&+£€"}
	})))
	if got, want := request.body.Reveal(), "grant_type=client_credentials&text=+%25%26%2B%C2%A3%E2%82%AC"; got != want {
		t.Errorf("body %q, want %q", got, want)
	}
}

func TestT3_BasicEncodesIDAndSecretFirst(t *testing.T) {
	tests := map[string]struct {
		id, secret string
		raw        bool
		want       string
	}{
		"the sample of RFC 6749, section 2.3.1":                 {"s6BhdRkqt3", "gX1fBat3bV", false, "s6BhdRkqt3:gX1fBat3bV"},
		"a colon in the id does not end it":                     {"encoded:client", "encoded&password", false, "encoded%3Aclient:encoded%26password"},
		"plus, slash and percent survive":                       {"client", "s3cr+t/%:x", false, "client:s3cr%2Bt%2F%25%3Ax"},
		"characters beyond ASCII are UTF-8":                     {"client", " %&+£€", false, "client:+%25%26%2B%C2%A3%E2%82%AC"},
		"a vendor marked so gets the raw text":                  {"client", "s3cr+t/%:x", true, "client:s3cr+t/%:x"},
		"an empty secret leaves the colon where it has to stay": {"client", "", false, "client:"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := basicAuthorization(test.id, NewSensitive(test.secret), test.raw).Reveal()
			if want := "Basic " + base64.StdEncoding.EncodeToString([]byte(test.want)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestT4_CredentialsStandInOnePlace(t *testing.T) {
	tests := map[ClientAuthentication]struct{ header, id, secret bool }{
		ClientSecretBasic: {header: true},
		ClientSecretPost:  {id: true, secret: true},
		None:              {id: true},
	}
	for authentication, want := range tests {
		t.Run(string(authentication), func(t *testing.T) {
			flow := mustResolve(t, genericSettings(func(s *Settings) {
				s.ClientAuthentication = authentication
				s.Endpoints.RevocationURL = "https://login.acme.example/revoke"
			}))
			for kind, request := range map[string]*Request{
				"token": mustTokenRequest(t, flow), "refresh": flow.RefreshRequest(NewSensitive("r1")),
				"revocation": flow.RevocationRequest(NewSensitive("r1"), "refresh_token"),
			} {
				authorization, body := sent(t, request)
				if authorization != "" != want.header || body.Has("client_id") != want.id || body.Has("client_secret") != want.secret {
					t.Errorf("%s request: header %t, body %v", kind, authorization != "", body)
				}
			}
		})
	}
}

// The grant Implicit needs no secret, and a server may refuse a client without one that tries Basic: it sends its client_id (RFC 7009, section 2.1;
// RFC 6749, section 3.2.1).
func TestT4_AClientWithoutASecretSendsItsIDInTheBody(t *testing.T) {
	for _, authentication := range []ClientAuthentication{ClientSecretBasic, ClientSecretPost, None} {
		for _, secret := range []string{"", "a secret"} {
			flow := interactiveFlow(t, "generic", Implicit, nil, func(s *Settings) {
				s.ClientAuthentication, s.Endpoints.RevocationURL = authentication, "https://vendor.example/revoke"
				s.Credentials["client_secret"] = NewSensitive(secret)
			})
			authorization, body := sent(t, flow.RevocationRequest(NewSensitive("t1"), "access_token"))
			basic, proves := authentication == ClientSecretBasic && secret != "", authentication != None && secret != ""
			if (authorization != "") != basic || body.Has("client_id") == basic || body.Has("client_secret") != (proves && !basic) {
				t.Errorf("%s, secret %q: header %t, body %v", authentication, secret, authorization != "", body)
			}
		}
	}
}

func TestT5_TheQueryOfTheURLStaysAndNothingIsAddedToIt(t *testing.T) {
	const withQuery = "https://login.acme.example/token?tenant=a%2Fb&x"
	request := mustTokenRequest(t, mustResolve(t, genericSettings(func(s *Settings) {
		s.Endpoints.TokenURL = withQuery
		s.ClientAuthentication = ClientSecretPost
	})))
	if request.URL != withQuery {
		t.Errorf("URL %q, want %q", request.URL, withQuery)
	}
	for _, fragment := range []string{"#", "#x"} {
		_, err := mustLoad(t, "").Resolve(genericSettings(func(s *Settings) { s.Endpoints.TokenURL += fragment }))
		wantFault(t, err, ReasonInvalidSpec, "spec.endpoints.tokenURL must not hold a fragment")
	}
}

func TestT6_NothingIsSentTwiceOrEmpty(t *testing.T) {
	request := mustTokenRequest(t, mustResolve(t, genericSettings(func(s *Settings) {
		s.Parameters = map[string]string{"audience": "", "resource": "a=b&grant_type=password"}
		s.Scopes = []string{"one", "two"}
	})))
	_, body := sent(t, request)
	want := url.Values{"grant_type": {"client_credentials"}, "resource": {"a=b&grant_type=password"}, "scope": {"one two"}}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestT9_PasswordSendsUserScopeAndTheVendorsOwn(t *testing.T) {
	_, body := sent(t, mustTokenRequest(t, mustResolve(t, Settings{
		Vendor: "sfr-global-contact-center", Parameters: map[string]string{"tenant": "sfrxxx01-sfrresell"},
		Credentials: credentials(map[string]string{"client_id": "c", "client_secret": "s", "username": "u", "password": "p"}),
	})))
	want := url.Values{
		"grant_type": {"password"}, "client_id": {"c"}, "client_secret": {"s"}, "username": {"u"}, "password": {"p"},
		"scope": {"supervisor_api"}, "tenant": {"sfrxxx01-sfrresell"},
	}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

func TestT11_ARefreshAuthenticatesAsBeforeAndWidensNothing(t *testing.T) {
	for _, authentication := range []ClientAuthentication{ClientSecretBasic, ClientSecretPost, None} {
		flow := mustResolve(t, genericSettings(func(s *Settings) {
			s.ClientAuthentication = authentication
			s.Scopes = []string{"one", "two"}
			s.Parameters = map[string]string{"audience": "api"}
		}))
		issued, first := sent(t, mustTokenRequest(t, flow))
		refreshed, second := sent(t, flow.RefreshRequest(NewSensitive("r1")))
		if issued != refreshed || first.Get("client_id") != second.Get("client_id") || first.Get("client_secret") != second.Get("client_secret") {
			t.Errorf("%s: the refresh authenticates differently: %v, %v", authentication, first, second)
		}
		if second.Has("scope") || second.Get("refresh_token") != "r1" || second.Get("grant_type") != "refresh_token" || second.Get("audience") != "api" {
			t.Errorf("%s: refresh body %v", authentication, second)
		}
	}
}

func TestT11_TheGrantRefreshTokenSendsTheScopesThatTheUserStates(t *testing.T) {
	flow := mustResolve(t, genericSettings(func(s *Settings) {
		s.Grant, s.Scopes = RefreshToken, []string{"one"}
		s.Credentials["refresh_token"] = NewSensitive("seed")
	}))
	first, next := mustTokenRequest(t, flow), flow.RefreshRequest(NewSensitive("r2"))
	for token, request := range map[string]*Request{"seed": first, "r2": next} {
		if _, body := sent(t, request); body.Get("scope") != "one" || body.Get("refresh_token") != token || !request.refresh {
			t.Errorf("refresh with %s: body %v, marked as refresh: %t", token, body, request.refresh)
		}
	}
}

func TestNothingPrintsWhatIsSecret(t *testing.T) {
	flow := mustResolve(t, Settings{
		Vendor: "bright-pattern", Parameters: map[string]string{"tenant": "public"},
		Credentials: credentials(map[string]string{"client_id": "id", "client_secret": "hidden-1", "host": "hidden-2.example"}),
	})
	request := mustTokenRequest(t, flow)
	inside := struct {
		Flow    *Flow
		Request *Request
	}{flow, request}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "flow", flow, "request", request)
	printed := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		printed += fmt.Sprintf(verb+verb+verb+verb, flow, request, *request, inside)
	}
	encoded, err := json.Marshal(request.body)
	if err != nil {
		t.Fatal(err)
	}
	printed += string(encoded)
	for _, hidden := range []string{"hidden-1", "hidden-2", fmt.Sprintf("%x", "hidden-1"), fmt.Sprintf("%d", []byte("hidden-1"))} {
		if strings.Contains(printed, hidden) {
			t.Errorf("%q is printed: %s", hidden, printed)
		}
	}
}

// wantFault checks the reason of a *ConfigError, and that one of its faults begins with a text.
func wantFault(t *testing.T, err error, reason Reason, fault string) {
	t.Helper()
	var config *ConfigError
	if !errors.As(err, &config) {
		t.Fatalf("error %v, want a *ConfigError", err)
	}
	if config.Reason != reason {
		t.Errorf("reason %s, want %s (%v)", config.Reason, reason, err)
	}
	for _, found := range config.Faults {
		if strings.HasPrefix(found, fault) {
			return
		}
	}
	t.Errorf("no fault begins with %q:\n%s", fault, strings.Join(config.Faults, "\n"))
}
