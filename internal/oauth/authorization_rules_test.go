package oauth

import (
	"maps"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"
)

const redirectURI = "https://tokens.example.com/callback"

// interactiveFlow is a flow of a vendor with a grant that needs a person.
func interactiveFlow(t *testing.T, vendor string, grant GrantType, parameters map[string]string, change ...func(*Settings)) *Flow {
	t.Helper()
	settings := Settings{
		Vendor: vendor, Grant: grant, Parameters: parameters, EnableInteractive: true, EnableImplicit: true,
		Credentials: Credentials{"client_id": NewSensitive("a client"), "client_secret": NewSensitive("a secret")},
	}
	if vendor == "generic" {
		settings.Endpoints = Endpoints{TokenURL: "https://vendor.example/token", AuthorizationURL: "https://vendor.example/authorize?kept=as+it+is"}
		settings.AllowedHosts = []string{"vendor.example"}
	}
	for _, c := range change {
		c(&settings)
	}
	catalogue, err := LoadCatalogue("")
	if err != nil {
		t.Fatal(err)
	}
	flow, err := catalogue.Resolve(settings)
	if err != nil {
		t.Fatal(err)
	}
	return flow
}

// started is where a browser is sent: the endpoint, and its parameters.
func started(t *testing.T, f *Flow) (endpoint string, parameters url.Values) {
	t.Helper()
	request, err := f.AuthorizationRequest(redirectURI)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(request.Start(NewSensitive("a state"), NewSensitive("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")))
	if err != nil {
		t.Fatal(err)
	}
	parameters = target.Query()
	target.RawQuery = ""
	return target.String(), parameters
}

// TestAuthorizationRequests compares whole requests with what the vendors' pages show. The code challenge is that of RFC 7636, appendix B.
func TestAuthorizationRequests(t *testing.T) {
	pkce := url.Values{"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}}
	for name, test := range map[string]struct {
		flow     *Flow
		endpoint string
		want     url.Values // beside client_id, redirect_uri and state
	}{
		"Genesys Cloud, with a code challenge for a client with a secret too (P2)": {
			interactiveFlow(t, "genesys-cloud", AuthorizationCode, map[string]string{"region": "ap-southeast-2"}, func(s *Settings) { s.Scopes = []string{"users", "conversations"} }),
			"https://login.mypurecloud.com.au/oauth/authorize", joined(pkce, url.Values{"response_type": {"code"}, "scope": {"users conversations"}}),
		},
		"Genesys Cloud, implicit": {
			interactiveFlow(t, "genesys-cloud", Implicit, map[string]string{"region": "mypurecloud.ie"}),
			"https://login.mypurecloud.ie/oauth/authorize",
			url.Values{"response_type": {"token"}},
		},
		"ABBYY Vantage, whose product and offline access are asked for here": {
			interactiveFlow(t, "abbyy-vantage", AuthorizationCode, map[string]string{"region": "eu"}), "https://vantage-eu.abbyy.com/auth2/connect/authorize",
			joined(pkce, url.Values{
				"response_type": {"code"}, "scope": {"openid permissions global.wildcard offline_access"}, "productId": {"a8548c9b-cb90-4c66-8567-d7372bb9b963"},
			}),
		},
		"ABBYY Vantage in Australia, with another product": {
			interactiveFlow(t, "abbyy-vantage", AuthorizationCode, map[string]string{"region": "au", "product_id": "another"}), "https://vantage-au.abbyy.com/auth2/connect/authorize",
			joined(pkce, url.Values{"response_type": {"code"}, "scope": {"openid permissions global.wildcard offline_access"}, "productId": {"another"}}),
		},
		"any server, with further parameters, and what stands in its address": {
			interactiveFlow(t, "generic", AuthorizationCode, map[string]string{"audience": "for the token request alone"}, func(s *Settings) {
				s.AuthorizationParameters = map[string]string{"prompt": "consent"}
			}),
			"https://vendor.example/authorize", joined(pkce, url.Values{"response_type": {"code"}, "prompt": {"consent"}, "kept": {"as it is"}}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			endpoint, got := started(t, test.flow)
			want := joined(test.want, url.Values{"client_id": {"a client"}, "redirect_uri": {redirectURI}, "state": {"a state"}})
			if diff := cmp.Diff(want, got); diff != "" || endpoint != test.endpoint {
				t.Errorf("at %s (-want +got):\n%s", endpoint, diff)
			}
		})
	}
}

func joined(parts ...url.Values) url.Values {
	all := url.Values{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

// TestCodeRequestsT10P1 compares the exchange of a code: the redirect URI of the authorization request, the verifier, and the client as it
// authenticates.
func TestCodeRequestsT10P1(t *testing.T) {
	for name, test := range map[string]struct {
		flow          *Flow
		want          url.Values
		authorization string
	}{
		"Genesys Cloud": {
			interactiveFlow(t, "genesys-cloud", AuthorizationCode, map[string]string{"region": "mypurecloud.de"}), nil, "Basic YStjbGllbnQ6YStzZWNyZXQ=",
		},
		"ABBYY Vantage, which wants the scope here too": {
			interactiveFlow(t, "abbyy-vantage", AuthorizationCode, map[string]string{"region": "us"}),
			url.Values{"client_id": {"a client"}, "client_secret": {"a secret"}, "scope": {"openid permissions global.wildcard offline_access"}},
			"",
		},
		"a client without a secret": {
			interactiveFlow(t, "generic", AuthorizationCode, nil, func(s *Settings) { s.ClientAuthentication = None }), url.Values{"client_id": {"a client"}}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			request := test.flow.CodeRequest(NewSensitive("the code"), NewSensitive("the verifier"), redirectURI)
			got, err := url.ParseQuery(request.body.Reveal())
			if err != nil {
				t.Fatal(err)
			}
			want := joined(test.want, url.Values{
				"grant_type": {"authorization_code"}, "code": {"the code"}, "code_verifier": {"the verifier"}, "redirect_uri": {redirectURI},
			})
			if diff := cmp.Diff(want, got); diff != "" || request.authorization.Reveal() != test.authorization {
				t.Errorf("Authorization %q (-want +got):\n%s", request.authorization.Reveal(), diff)
			}
		})
	}
	form := regexp.MustCompile(`^[A-Za-z0-9\-._~]{43,128}$`)
	if a, b := NewVerifier(), NewVerifier(); !form.MatchString(a.Reveal()) || a.Equal(b) {
		t.Error("a verifier has 43 characters or more that need no escape, and is new each time (RFC 7636, section 4.1)")
	}
}

func TestAuthorizationParametersCantTouchTheProtocol(t *testing.T) {
	catalogue, err := LoadCatalogue("")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"state", "nonce", "response_type", "response_mode", "redirect_uri", "request", "request_uri", "code_challenge", "code_challenge_method",
		"client_id", "scope", "Client_Id", "redirect.uri",
	} {
		for _, settings := range []Settings{
			{AuthorizationParameters: map[string]string{name: "x"}, Endpoints: Endpoints{AuthorizationURL: "https://vendor.example/authorize"}},
			{Endpoints: Endpoints{AuthorizationURL: "https://vendor.example/authorize?" + name + "=x"}},
		} {
			settings.Vendor, settings.Grant, settings.EnableInteractive = "generic", AuthorizationCode, true
			settings.Endpoints.TokenURL, settings.AllowedHosts = "https://vendor.example/token", []string{"vendor.example"}
			settings.Credentials = Credentials{"client_id": NewSensitive("c"), "client_secret": NewSensitive("s")}
			flow, err := catalogue.Resolve(settings)
			if err == nil {
				_, err = flow.AuthorizationRequest(redirectURI)
			}
			if err == nil {
				t.Errorf("%s can be set: %+v", name, settings.Endpoints)
			}
		}
	}
}

func TestAuthorizationAnswersP4P5(t *testing.T) {
	known := AuthorizationRequest{URL: "https://vendor.example/authorize", Issuer: "https://vendor.example/id"}
	announced, unknown := known, known
	announced.IssuerRequired, unknown.Issuer = true, ""
	for name, test := range map[string]struct {
		request AuthorizationRequest
		answer  string
		want    string // the code; empty: refused
		refusal Refusal
	}{
		"a code":                               {known, "code=abc", "abc", Refusal{}},
		"a code with the right iss":            {announced, "code=abc&iss=https://vendor.example/id", "abc", Refusal{}},
		"no iss, although it was announced":    {announced, "code=abc", "", Refusal{Code: IssuerMismatch}},
		"another iss":                          {known, "code=abc&iss=https://attacker.example", "", Refusal{Code: IssuerMismatch}},
		"an iss that differs by a slash":       {known, "code=abc&iss=https://vendor.example/id/", "", Refusal{Code: IssuerMismatch}},
		"an iss of the same host, not known":   {unknown, "code=abc&iss=https://vendor.example/else", "abc", Refusal{}},
		"an iss of another host, not known":    {unknown, "code=abc&iss=https://attacker.example", "", Refusal{Code: IssuerMismatch}},
		"an iss that is no address, not known": {unknown, "code=abc&iss=vendor", "", Refusal{Code: IssuerMismatch}},
		"an error":                             {known, "error=access_denied&error_description=No", "", Refusal{Code: "access_denied", Description: "No"}},
		"an error of an unknown sender":        {announced, "error=access_denied", "", Refusal{Code: IssuerMismatch}},
		"an error beside a code":               {known, "error=login_required&code=abc", "", Refusal{Code: "login_required"}},
		"an error that is markup":              {known, "error=%3Cb%3E%22x%5C", "", Refusal{Code: "<b>x"}},
		"neither":                              {known, "state=x", "", Refusal{Code: UnusableAnswer}},
		"an empty code":                        {known, "code=+", "", Refusal{Code: UnusableAnswer}},
		"a code with a line break":             {known, "code=a%0Ab", "", Refusal{Code: UnusableAnswer}},
		"two codes":                            {known, "code=a&code=b", "", Refusal{Code: UnusableAnswer}},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := url.ParseQuery(test.answer)
			if err != nil {
				t.Fatal(err)
			}
			code, refusal := test.request.Read(answer)
			if code.Reveal() != test.want {
				t.Errorf("the code is %q, want %q", code.Reveal(), test.want)
			}
			if refusal == nil {
				refusal = &Refusal{}
			}
			if diff := cmp.Diff(test.refusal, *refusal); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTokensFromFragments(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for answer, want := range map[string]time.Duration{
		"access_token=abc&token_type=bearer&expires_in=3600":        time.Hour,
		"access_token=abc&token_type=Bearer":                        0,
		"access_token=abc&expires_in=never":                         0,
		"access_token=abc&refresh_token=r&id_token=i&expires_in=60": time.Minute,
		"access_token=abc&token_type=mac&expires_in=3600":           -1,
		"access_token=&token_type=Bearer":                           -1,
		"access_token=a%0Ab&token_type=Bearer":                      -1,
		"access_token=abc&expires_in=-1":                            -1,
		"code=abc":                                                  -1,
	} {
		values, err := url.ParseQuery(answer)
		if err != nil {
			t.Fatal(err)
		}
		given, refusal := AuthorizationRequest{Implicit: true}.Read(values)
		if (refusal != nil) != (want < 0) {
			t.Errorf("%s: refused: %t", answer, refusal != nil)
		}
		if refusal != nil {
			continue
		}
		token, err := ImplicitToken(given, at)
		if err != nil || token.AccessToken.Reveal() != "abc" || token.Lifetime != want || !token.RequestedAt.Equal(at) || !token.RefreshToken.IsEmpty() || !token.IDToken.IsEmpty() {
			t.Errorf("%s: %v, life %s", answer, err, token.Lifetime)
		}
	}
}

func TestSubjects(t *testing.T) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(strings.Repeat("k", 32))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	made := func(subject string, audience ...string) string {
		text, err := jwt.Signed(signer).Claims(jwt.Claims{Subject: subject, Audience: audience}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, test := range map[string]struct{ idToken, want string }{
		"somebody":                      {made("ada", "a client"), "ada"},
		"somebody, for several clients": {made("ada", "other", "a client"), "ada"},
		"somebody, for another client":  {made("ada", "other"), ""},
		"nobody":                        {made("", "a client"), ""},
		"none":                          {"", ""},
		"garbage":                       {"x.y.z", ""},
		"unsigned":                      {"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEiLCJhdWQiOiJhIGNsaWVudCJ9.", ""},
	} {
		if got := (&Token{IDToken: NewSensitive(test.idToken)}).Subject("a client"); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	long := (&Token{IDToken: NewSensitive(made(strings.Repeat("a", 300), "a client"))}).Subject("a client")
	longer := (&Token{IDToken: NewSensitive(made(strings.Repeat("a", 301), "a client"))}).Subject("a client")
	if long == longer || len(long) > 255 || strings.Contains(long, "aaaa") {
		t.Errorf("two persons with long names are %q and %q", long, longer)
	}
}

func FuzzAuthorizationAnswer(f *testing.F) {
	for _, seed := range []string{"code=a&state=b", "error=x&error_description=%00", "access_token=a&expires_in=1e9", "iss=%zz", "iss=http://[::1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		answer, _ := url.ParseQuery(text) // what can be read of it is enough
		for _, request := range []AuthorizationRequest{{URL: "https://vendor.example/a"}, {URL: "https://vendor.example/a", Implicit: true}} {
			given, refusal := request.Read(answer)
			if given.IsEmpty() == (refusal == nil) {
				t.Errorf("%q gives neither or both", text)
			}
			if refusal != nil && (refusal.Code == "" || len(refusal.Code)+len(refusal.Description) > 512) {
				t.Errorf("%q is refused with %+v", text, refusal)
			}
		}
	})
}

func TestARefusalHasTheReasonWhoseSectionHelps(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]Reason{
		"access_denied":             ReasonAccessDenied,
		"consent_required":          ReasonAccessDenied,
		"login_required":            ReasonAccessDenied,
		IssuerMismatch:              ReasonAccessDenied,
		"a_word_of_its_own":         ReasonAccessDenied,
		"invalid_scope":             ReasonInvalidScope,
		"invalid_request":           ReasonInvalidRequest,
		"unauthorized_client":       ReasonUnauthorizedClient,
		"unsupported_response_type": ReasonUnsupportedGrantType,
		"server_error":              ReasonVendorUnavailable,
		"temporarily_unavailable":   ReasonVendorUnavailable,
		UnusableAnswer:              ReasonMalformedResponse,
	} {
		if got := (Refusal{Code: code}).Reason(); got != want {
			t.Errorf("%s is %s, want %s", code, got, want)
		}
	}
}
