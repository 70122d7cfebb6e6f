package oauth

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// client are credentials that suffice for most grants, and more.
func client(more ...string) Credentials {
	c := credentials(map[string]string{
		"client_id": "id", "client_secret": "hidden-secret", "username": "user", "password": "hidden-password",
	})
	for i := 0; i+1 < len(more); i += 2 {
		c[more[i]] = NewSensitive(more[i+1])
	}
	return c
}

// TestExamplesResolve resolves what the example manifests state.
func TestExamplesResolve(t *testing.T) {
	saml := AssertionSettings{
		Issuer: "https://idp.acme.example/metadata", Subject: "integration@acme.example", Audience: "https://tokens.acme.example/saml",
		Recipient:  "https://tokens.acme.example/saml",
		Attributes: map[string]string{"email": "integration@acme.example", "OrganizationName": "acme-contact"},
	}
	type want struct {
		Grant          GrantType
		TokenURL       string
		Authentication ClientAuthentication
		Scopes, Used   []string
	}
	tests := map[string]struct {
		settings Settings
		want     want
	}{
		"ABBYY Vantage, authorization code": {
			Settings{Vendor: "abbyy-vantage", Grant: AuthorizationCode, Parameters: map[string]string{"region": "eu"}, Credentials: client()},
			want{
				AuthorizationCode, "https://vantage-eu.abbyy.com/auth2/connect/token", ClientSecretPost,
				[]string{"openid", "permissions", "global.wildcard", "offline_access"},
				[]string{"client_id", "client_secret"},
			},
		},
		"ABBYY Vantage, client credentials": {
			Settings{Vendor: "abbyy-vantage", Grant: ClientCredentials, Parameters: map[string]string{"region": "us"}, Credentials: client()},
			want{
				ClientCredentials, "https://vantage-us.abbyy.com/auth2/connect/token", ClientSecretPost,
				[]string{"openid", "permissions", "global.wildcard"},
				[]string{"client_id", "client_secret"},
			},
		},
		"Bright Pattern": {
			Settings{
				Vendor: "bright-pattern", Parameters: map[string]string{"tenant": "example.brightpattern.com", "tenant_parameter": "tenant"},
				Credentials: client("host", "example.brightpattern.com"),
			},
			want{
				ClientCredentials, "https://example.brightpattern.com/configapi/v2/oauth/token", ClientSecretPost,
				nil,
				[]string{"client_id", "client_secret", "host"},
			},
		},
		"generic": {
			Settings{
				Vendor: "generic", Grant: ClientCredentials, Scopes: []string{"orders.read", "orders.write"},
				Endpoints: Endpoints{
					TokenURL:      "https://login.warehouse.example/oauth2/token",
					RevocationURL: "https://login.warehouse.example/oauth2/revoke",
				},
				ClientAuthentication: ClientSecretBasic, Parameters: map[string]string{"audience": "https://api.warehouse.example"},
				AllowedHosts: []string{"login.warehouse.example"}, Credentials: client(),
			},
			want{
				ClientCredentials, "https://login.warehouse.example/oauth2/token", ClientSecretBasic,
				[]string{"orders.read", "orders.write"},
				[]string{"client_id", "client_secret"},
			},
		},
		"Genesys Cloud, authorization code": {
			Settings{
				Vendor: "genesys-cloud", Grant: AuthorizationCode, Parameters: map[string]string{"region": "mypurecloud.com.au"},
				Scopes: []string{"users", "conversations"}, Credentials: client(),
			},
			want{
				AuthorizationCode, "https://login.mypurecloud.com.au/oauth/token", ClientSecretBasic,
				[]string{"users", "conversations"},
				[]string{"client_id", "client_secret"},
			},
		},
		"Genesys Cloud, client credentials": {
			Settings{Vendor: "genesys-cloud", Grant: ClientCredentials, Parameters: map[string]string{"region": "mypurecloud.de"}, Credentials: client()},
			want{ClientCredentials, "https://login.mypurecloud.de/oauth/token", ClientSecretBasic, nil, []string{"client_id", "client_secret"}},
		},
		"Genesys Cloud, implicit": {
			Settings{
				Vendor: "genesys-cloud", Grant: Implicit, Parameters: map[string]string{"region": "mypurecloud.com"},
				Credentials: credentials(map[string]string{"client_id": "99999999-0000-4111-8222-333344445555"}),
			},
			want{Implicit, "https://login.mypurecloud.com/oauth/token", ClientSecretBasic, nil, []string{"client_id"}},
		},
		"Genesys Cloud, SAML 2 bearer": {
			Settings{
				Vendor: "genesys-cloud", Grant: SAML2Bearer, SAML2Bearer: saml,
				Parameters:  map[string]string{"region": "mypurecloud.com", "org_name": "acme-contact"},
				Credentials: client("saml_signing_key", "(PEM)", "saml_signing_certificate", "(PEM)"),
			},
			want{
				SAML2Bearer, "https://login.mypurecloud.com/oauth/token", ClientSecretBasic, nil,
				[]string{"client_id", "client_secret", "saml_signing_certificate", "saml_signing_key"},
			},
		},
		"Genesys Cloud, a SCIM client": {
			Settings{Vendor: "genesys-cloud", Grant: ClientCredentials, Parameters: map[string]string{"region": "mypurecloud.ie"}, Credentials: client()},
			want{ClientCredentials, "https://login.mypurecloud.ie/oauth/token", ClientSecretBasic, nil, []string{"client_id", "client_secret"}},
		},
		"SFR Global Contact Center": {
			Settings{Vendor: "sfr-global-contact-center", Parameters: map[string]string{"tenant": "sfrxxx01-sfrresell"}, Credentials: client()},
			want{
				Password, "https://auth.sfrglobalcc.com/identity/connect/token", ClientSecretPost,
				[]string{"supervisor_api"},
				[]string{"client_id", "client_secret", "password", "username"},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.settings.EnableInteractive, test.settings.EnableImplicit = true, true
			flow := mustResolve(t, test.settings)
			got := want{flow.Grant, flow.Endpoints.TokenURL, flow.ClientAuthentication, flow.Scopes, flow.UsedCredentials}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("flow (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGenesysCloudKnowsEveryRegionByBothNames(t *testing.T) {
	vendor, _ := mustLoad(t, "").Vendor("genesys-cloud")
	regions := vendor.Parameters["region"].Values
	if len(regions) != 18 {
		t.Errorf("%d regions, want 18", len(regions))
	}
	for _, region := range regions {
		for _, name := range append(region.Aliases, region.Value) {
			flow := mustResolve(t, Settings{Vendor: "genesys-cloud", Parameters: map[string]string{"region": name}, Credentials: client()})
			if want := "https://login." + region.Value + "/oauth/token"; flow.Endpoints.TokenURL != want || len(region.Aliases) != 1 {
				t.Errorf("region %s: %s, want %s", name, flow.Endpoints.TokenURL, want)
			}
		}
	}
}

// TestFaults changes one thing of settings that are good, and expects one fault.
func TestFaults(t *testing.T) {
	genesys := Settings{Vendor: "genesys-cloud", Parameters: map[string]string{"region": "mypurecloud.de"}, Credentials: client()}
	bright := Settings{
		Vendor: "bright-pattern", Parameters: map[string]string{"tenant": "t.example"}, Credentials: client("host", "cc.acme.example"),
	}
	saml := genesys
	saml.Grant, saml.Parameters = SAML2Bearer, map[string]string{"region": "mypurecloud.de", "org_name": "acme"}
	saml.Credentials = client("assertion", "hidden-assertion")
	generic := genericSettings(nil)
	generic.Credentials = client()
	tests := map[string]struct {
		settings Settings
		change   func(*Settings)
		reason   Reason
		fault    string
	}{
		"an unknown vendor": {
			genesys, func(s *Settings) { s.Vendor = "genesis" }, ReasonInvalidSpec,
			`spec.vendor "genesis" is not in the catalogue: use one of ` + strings.Join(mustLoad(t, "").Names(), ", "),
		},
		"a grant that the vendor lacks": {
			genesys, func(s *Settings) { s.Grant = Password }, ReasonInvalidSpec,
			`spec.grantType "Password" is not served by vendor genesys-cloud: use one of AuthorizationCode, ClientCredentials, Implicit, SAML2Bearer`,
		},
		"no grant where the vendor prefers none": {
			generic, func(s *Settings) { s.Grant = "" }, ReasonInvalidSpec, `spec.grantType is missing: vendor generic has no preferred grant; use one of Auth`,
		},
		"an interactive grant that is not served": {
			genesys, func(s *Settings) { s.Grant, s.EnableImplicit = AuthorizationCode, true }, ReasonInvalidSpec,
			`spec.grantType AuthorizationCode needs a person's consent in a browser, and the portal is turned off`,
		},
		"the implicit grant while it is turned off": {
			genesys, func(s *Settings) { s.Grant, s.EnableInteractive = Implicit, true }, ReasonInvalidSpec,
			`spec.grantType Implicit is turned off: use AuthorizationCode, or start the manager with --enable-implicit`,
		},
		"a missing parameter": {
			genesys, func(s *Settings) { s.Parameters = nil }, ReasonInvalidSpec,
			`parameter region is missing: set spec.parameters.region or that key of the credentials Secret to one of mypurecloud.com or us-east-1, `,
		},
		"an empty parameter is a missing one": {
			genesys, func(s *Settings) { s.Parameters["region"] = "" }, ReasonInvalidSpec, `parameter region is missing`,
		},
		"a parameter that this grant needs": {
			saml, func(s *Settings) { delete(s.Parameters, "org_name") }, ReasonInvalidSpec, `parameter org_name is missing`,
		},
		"an unknown parameter": {
			genesys, func(s *Settings) { s.Parameters["regoin"] = "x" }, ReasonInvalidSpec,
			`spec.parameters: vendor genesys-cloud has no parameter "regoin"; it has org_name, region`,
		},
		"a parameter of another grant": {
			genesys, func(s *Settings) { s.Parameters["org_name"] = "x" }, ReasonInvalidSpec,
			`spec.parameters: org_name is taken only with grant SAML2Bearer: remove it`,
		},
		"a parameter given twice": {
			bright, func(s *Settings) { s.Credentials["tenant"] = NewSensitive("hidden-tenant") }, ReasonInvalidSpec,
			`parameter tenant stands in spec.parameters and in the credentials Secret: remove one of them`,
		},
		"an undeclared parameter given twice": {
			generic, func(s *Settings) {
				s.Parameters, s.Credentials = map[string]string{"audience": "x"}, client("audience", "hidden-audience")
			}, ReasonInvalidSpec, `parameter audience stands in spec.parameters and in the credentials Secret`,
		},
		"a region that does not exist": {
			genesys, func(s *Settings) { s.Parameters["region"] = "evil.example/" }, ReasonInvalidSpec,
			`spec.parameters.region: "evil.example/" is not allowed; use one of mypurecloud.com`,
		},
		"a region from the Secret that does not exist": {
			genesys, func(s *Settings) { s.Parameters, s.Credentials = nil, client("region", "hidden-region") }, ReasonInvalidSpec,
			`parameter region in the credentials Secret has a value that is not allowed: use one of mypurecloud.com`,
		},
		"scopes where the vendor takes none": {
			genesys, func(s *Settings) { s.Scopes = []string{"x"} }, ReasonInvalidSpec,
			`spec.scopes must be empty: vendor genesys-cloud takes no scopes with grant ClientCredentials`,
		},
		"two scopes in one": {
			generic, func(s *Settings) { s.Scopes = []string{"a b"} }, ReasonInvalidSpec, `spec.scopes: "a b" is no scope`,
		},
		"a scope as parameter": {
			generic, func(s *Settings) { s.Parameters = map[string]string{"scope": "x"} }, ReasonInvalidSpec,
			`spec.parameters must not hold scope: use spec.scopes`,
		},
		"parameters for a browser where the vendor's grant needs none": {
			genesys, func(s *Settings) { s.AuthorizationParameters = map[string]string{"prompt": "login"} }, ReasonInvalidSpec,
			`spec.authorizationParameters are never sent with grant ClientCredentials, which asks nobody in a browser: set spec.grantType to one of ` +
				`AuthorizationCode, Implicit, or remove them, or use spec.parameters for the token request`,
		},
		"parameters for a browser where the vendor knows no such grant": {
			bright, func(s *Settings) { s.AuthorizationParameters = map[string]string{"prompt": "login"} }, ReasonInvalidSpec,
			`spec.authorizationParameters are never sent with grant ClientCredentials, which asks nobody in a browser: remove them, or use spec.parameters`,
		},
		"an unknown client authentication": {
			genesys, func(s *Settings) { s.ClientAuthentication = "Digest" }, ReasonInvalidSpec, `spec.clientAuthentication "Digest" is not known`,
		},
		"a CA bundle without certificates": {
			genesys, func(s *Settings) { s.CABundle = []byte("x") }, ReasonInvalidSpec, `spec.caBundle holds no certificate`,
		},
		"generic without an endpoint": {
			generic, func(s *Settings) { s.Endpoints = Endpoints{} }, ReasonInvalidSpec, `spec.endpoints.tokenURL is missing: vendor generic has none`,
		},
		"a host that nobody allows": {
			generic, func(s *Settings) { s.AllowedHosts = nil }, ReasonEndpointNotAllowed,
			`spec.endpoints.tokenURL: the credentials may not be sent to host login.acme.example; the owner of the credentials Secret allows ` +
				`it with the annotation tokensync.dev/allowed-hosts: login.acme.example, a platform administrator with --allowed-hosts`,
		},
		"a host parameter that stands in the spec": {
			bright, func(s *Settings) { s.Parameters["host"], s.Credentials = "evil.example", client() }, ReasonEndpointNotAllowed,
			`the vendor's tokenURL: the credentials may not be sent to host evil.example`,
		},
		"an endpoint that replaces the vendor's": {
			genesys, func(s *Settings) { s.Endpoints.TokenURL = "https://evil.example/token" }, ReasonEndpointNotAllowed,
			`spec.endpoints.tokenURL: the credentials may not be sent to host evil.example`,
		},
		"a revocation endpoint elsewhere": {
			generic, func(s *Settings) { s.Endpoints.RevocationURL = "https://evil.example/" }, ReasonEndpointNotAllowed,
			`spec.endpoints.revocationURL: the credentials may not be sent to host evil.example`,
		},
		"an issuer elsewhere": {
			generic, func(s *Settings) { s.Endpoints = Endpoints{IssuerURL: "https://evil.example/"} }, ReasonEndpointNotAllowed,
			`spec.endpoints.issuerURL: the credentials may not be sent to host evil.example`,
		},
		"an authorization endpoint elsewhere": {
			generic, func(s *Settings) { s.Endpoints.AuthorizationURL = "https://evil.example/" }, ReasonEndpointNotAllowed,
			`spec.endpoints.authorizationURL: the credentials may not be sent to host evil.example`,
		},
		"another port": {
			generic, func(s *Settings) { s.Endpoints.TokenURL = "https://login.acme.example:8443/" }, ReasonEndpointNotAllowed,
			`spec.endpoints.tokenURL: the credentials may not be sent to host login.acme.example:8443; the owner`,
		},
		"plain http": {
			generic, func(s *Settings) {
				s.Endpoints.TokenURL, s.AllowedHosts = "http://login.acme.example/", []string{"login.acme.example:80"}
			}, ReasonEndpointNotAllowed,
			`spec.endpoints.tokenURL must start with https://: plain http is spoken only to hosts that the manager's --insecure-http-hosts names`,
		},
		"user information in a URL": {
			generic, func(s *Settings) { s.Endpoints.TokenURL = "https://login.acme.example@evil.example/" }, ReasonInvalidSpec,
			`spec.endpoints.tokenURL must not hold user information`,
		},
		"no URL at all": {
			generic, func(s *Settings) { s.Endpoints.TokenURL = "login.acme.example/token" }, ReasonInvalidSpec,
			`spec.endpoints.tokenURL must be a URL that starts with https://`,
		},
		"missing credentials": {
			Settings{Vendor: "sfr-global-contact-center", Parameters: map[string]string{"tenant": "x"}},
			func(s *Settings) { s.Credentials = Credentials{} },
			ReasonCredentialsIncomplete,
			`the credentials Secret lacks client_id, client_secret, password, username: add what is missing, or map existing keys with the annotation ` +
				`tokensync.dev/keys`,
		},
		"no secret where authentication needs one": {
			generic, func(s *Settings) { delete(s.Credentials, "client_secret") }, ReasonCredentialsIncomplete, `the credentials Secret lacks client_secret: `,
		},
		"a signing key without its certificate": {
			saml, func(s *Settings) {
				s.Credentials = client("saml_signing_key", "hidden-key")
				s.SAML2Bearer = AssertionSettings{Issuer: "i", Subject: "s"}
			}, ReasonCredentialsIncomplete, `the credentials Secret lacks saml_signing_certificate: `,
		},
		"an assertion and a signing key": {
			saml, func(s *Settings) { s.Credentials["saml_signing_key"] = NewSensitive("hidden-key") }, ReasonCredentialsIncomplete,
			`the credentials Secret holds both an assertion and a signing key or certificate: remove`,
		},
		"an assertion to be signed without issuer": {
			saml, func(s *Settings) {
				s.Credentials = client("saml_signing_key", "k", "saml_signing_certificate", "c")
				s.SAML2Bearer.Subject = "user"
			}, ReasonInvalidSpec, `spec.saml2Bearer.issuer is missing: `,
		},
		"an assertion to be signed without subject": {
			saml, func(s *Settings) {
				s.Credentials = client("saml_signing_key", "k", "saml_signing_certificate", "c")
				s.SAML2Bearer.Issuer = "idp"
			}, ReasonInvalidSpec, `spec.saml2Bearer.subject is missing: `,
		},
		"an assertion of unknown form": {
			saml, func(s *Settings) { s.SAML2Bearer.Form = "Envelope" }, ReasonInvalidSpec, `spec.saml2Bearer.form must be Assertion or Response, not "Envelope"`,
		},
		"an assertion in unknown encoding": {
			saml, func(s *Settings) { s.SAML2Bearer.Encoding = "Hex" }, ReasonInvalidSpec, `spec.saml2Bearer.encoding must be Base64URL or Base64, not "Hex"`,
		},
		"an attribute with a line break": {
			saml, func(s *Settings) { s.SAML2Bearer.Attributes = map[string]string{"a": "b\nc"} }, ReasonInvalidSpec,
			`spec.saml2Bearer.attributes must not hold line breaks`,
		},
		"binary data in a credential": {
			generic, func(s *Settings) { s.Credentials["client_secret"] = NewSensitive("hidden-\xff") }, ReasonCredentialsIncomplete,
			`the value of client_secret in the credentials Secret is not text in UTF-8`,
		},
		"a megabyte in a credential": {
			generic, func(s *Settings) { s.Credentials["client_secret"] = NewSensitive(strings.Repeat("hidden-", 1<<17)) }, ReasonCredentialsIncomplete,
			`the value of client_secret in the credentials Secret is longer than 64 KiB`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := test.settings
			if _, err := mustLoad(t, "").Resolve(s); err != nil && s.Credentials != nil {
				t.Fatalf("the settings have a fault before the change: %v", err)
			}
			s.Parameters, s.Credentials = maps.Clone(s.Parameters), maps.Clone(s.Credentials)
			test.change(&s)
			_, err := mustLoad(t, "").Resolve(s)
			wantFault(t, err, test.reason, test.fault)
			var config *ConfigError
			if errors.As(err, &config) && len(config.Faults) != 1 {
				t.Errorf("faults besides the one expected:\n%s", strings.Join(config.Faults, "\n"))
			}
			if err != nil && strings.Contains(err.Error(), "hidden-") {
				t.Errorf("the error shows a value of the Secret: %v", err)
			}
		})
	}
}

// TestAnAllowedHostThatIsNoneIsNamed: it allows nothing, and whoever wrote it believes that it does.
func TestAnAllowedHostThatIsNoneIsNamed(t *testing.T) {
	const refused = "spec.endpoints.tokenURL: the credentials may not be sent to host login.acme.example; the owner of the credentials Secret allows " +
		"it with the annotation tokensync.dev/allowed-hosts: login.acme.example, a platform administrator with --allowed-hosts"
	for entries, named := range map[string]string{
		"https://login.acme.example":  `"https://login.acme.example"`,
		"login.acme.example/token":    `"login.acme.example/token"`,
		"login.acme.example:":         `"login.acme.example:"`,
		"login.acme.example:https":    `"login.acme.example:https"`,
		"login.acme.example:443000":   `"login.acme.example:443000"`,
		"*":                           `"*"`,
		"*acme.example":               `"*acme.example"`,
		"login.*.example":             `"login.*.example"`,
		"ok.example https://x https*": `"https*", "https://x"`,
		"d/ c/ b/ a/":                 `"a/", "b/", "c/"`, // as many as help
		"other.example *.acme.test acme.test:8443 192.0.2.1 2001:db8::1 [2001:db8::1]:8443 LOGIN.acme.test. _x.acme.test": "",
	} {
		_, err := mustLoad(t, "").Resolve(genericSettings(func(s *Settings) { s.AllowedHosts = strings.Fields(entries) }))
		want := refused
		if named != "" {
			want += "; nothing is allowed by " + named + ": write the name of a host or *.example.com, with :port where it is not 443, and nothing else"
		}
		if err == nil || err.Error() != want {
			t.Errorf("allowed hosts %s: got\n%v\nwant\n%s", entries, err, want)
		}
	}
}

func TestProtocolParametersAreRefusedWhereverTheyAreWritten(t *testing.T) {
	names := []string{
		"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "assertion", "username", "password", "code",
		"code_verifier", "code_challenge", "code_challenge_method", "redirect_uri", "state", "nonce", "response_type", "response_mode",
		"request", "request_uri", "refresh_token", "scope", "Grant_Type", "CLIENT_ID", "client.secret", "Scope",
		"client_id[]", " grant_type", "grant_type ", "a b", "", "ç",
	}
	for _, name := range names {
		for field, change := range map[string]func(*Settings){
			"spec.parameters":              func(s *Settings) { s.Parameters = map[string]string{name: "x"} },
			"spec.authorizationParameters": func(s *Settings) { s.AuthorizationParameters = map[string]string{name: "x"} },
		} {
			t.Run(field+" "+name, func(t *testing.T) {
				s := genericSettings(change)
				_, err := mustLoad(t, "").Resolve(s)
				wantFault(t, err, ReasonInvalidSpec, field)
			})
		}
	}
	_, err := mustLoad(t, "").Resolve(Settings{
		Vendor: "genesys-cloud", Parameters: map[string]string{"region": "mypurecloud.de", "redirect_uri": "https://evil.example"}, Credentials: client(),
	})
	wantFault(t, err, ReasonInvalidSpec, "spec.parameters must not hold redirect_uri: it belongs to the protocol")
}

func TestAllFaultsAreNamedAtOnceAndTheSpecComesFirst(t *testing.T) {
	s := genericSettings(func(s *Settings) {
		s.Parameters = map[string]string{"grant_type": "x", "code": "x"}
		s.Scopes = []string{"a b"}
		s.AllowedHosts = nil
		s.Endpoints.RevocationURL = "http://elsewhere.example/"
		s.Credentials = Credentials{}
	})
	_, err := mustLoad(t, "").Resolve(s)
	var config *ConfigError
	if !errors.As(err, &config) || config.Reason != ReasonInvalidSpec || len(config.Faults) != 7 {
		t.Fatalf("got %v", err)
	}
	s.Parameters, s.Scopes = nil, nil
	if _, err = mustLoad(t, "").Resolve(s); !errors.As(err, &config) || config.Reason != ReasonEndpointNotAllowed || len(config.Faults) != 4 {
		t.Errorf("without the spec's faults: %v", err)
	}
	_, again := mustLoad(t, "").Resolve(s)
	if again.Error() != err.Error() {
		t.Errorf("the same settings give another text:\n%v\n%v", err, again)
	}
}

// TestImplicitNamesBothSwitchesThatItLacks: nothing of it is turned on by default.
func TestImplicitNamesBothSwitchesThatItLacks(t *testing.T) {
	_, err := mustLoad(t, "").Resolve(Settings{
		Vendor: "genesys-cloud", Grant: Implicit, Parameters: map[string]string{"region": "mypurecloud.de"}, Credentials: client(),
	})
	var config *ConfigError
	if !errors.As(err, &config) {
		t.Fatalf("got %v", err)
	}
	want := []string{
		"spec.grantType Implicit is turned off: use AuthorizationCode, or start the manager with --enable-implicit",
		"spec.grantType Implicit needs a person's consent in a browser, and the portal is turned off: use a grant that needs none, " +
			"or start the manager with --portal-bind-address and --portal-url",
	}
	if diff := cmp.Diff(&ConfigError{Reason: ReasonInvalidSpec, Faults: want}, config); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// TestAWrongGrantHidesNoOtherFault: what every grant needs is missing whatever grant is meant.
func TestAWrongGrantHidesNoOtherFault(t *testing.T) {
	for name, test := range map[string]struct {
		settings Settings
		want     []string // what the faults begin with
	}{
		"a grant that the vendor lacks": {
			Settings{Vendor: "genesys-cloud", Grant: Password, Parameters: map[string]string{"typo": "x"}},
			[]string{
				"parameter region is missing: ", `spec.grantType "Password" is not served by vendor genesys-cloud: `,
				`spec.parameters: vendor genesys-cloud has no parameter "typo"; `,
			},
		},
		"with the endpoint that needs it replaced": {
			Settings{
				Vendor: "genesys-cloud", Grant: Password, Endpoints: Endpoints{TokenURL: "https://proxy.acme.example/"}, AllowedHosts: []string{"proxy.acme.example"},
			},
			[]string{`spec.grantType "Password" is not served by vendor genesys-cloud: `},
		},
		"nothing that one grant alone takes": {
			Settings{Vendor: "genesys-cloud", Grant: "Magic", Parameters: map[string]string{"region": "mypurecloud.de"}},
			[]string{`spec.grantType "Magic" is not served by vendor genesys-cloud: `},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.settings.Credentials = client()
			_, err := mustLoad(t, "").Resolve(test.settings)
			var config *ConfigError
			if !errors.As(err, &config) || len(config.Faults) != len(test.want) {
				t.Fatalf("got %v", err)
			}
			for i, fault := range config.Faults {
				if !strings.HasPrefix(fault, test.want[i]) {
					t.Errorf("fault %q, want one that begins with %q", fault, test.want[i])
				}
			}
		})
	}
}

func TestWhileCredentialsAreAbsentOnlyTheRestIsChecked(t *testing.T) {
	tests := map[string]Settings{
		"a region may come with the Secret":             {Vendor: "genesys-cloud"},
		"a host may come with the Secret":               {Vendor: "bright-pattern", Parameters: map[string]string{"tenant": "t"}},
		"the Secret's owner may allow a host":           {Vendor: "generic", Grant: ClientCredentials, Endpoints: Endpoints{TokenURL: "https://a.example"}},
		"an assertion may come, which needs no issuer":  {Vendor: "genesys-cloud", Grant: SAML2Bearer, Parameters: map[string]string{"org_name": "x"}},
		"user name and password come with the Secret":   {Vendor: "sfr-global-contact-center", Parameters: map[string]string{"tenant": "x"}},
		"a first refresh token comes with the Secret":   {Vendor: "generic", Grant: RefreshToken, Endpoints: Endpoints{TokenURL: "https://a.example"}},
		"nothing is used of a Secret that is not there": {Vendor: "abbyy-vantage", Parameters: map[string]string{"region": "eu"}},
	}
	for name, settings := range tests {
		t.Run(name, func(t *testing.T) {
			if flow := mustResolve(t, settings); len(flow.UsedCredentials) != 0 {
				t.Errorf("used credentials %v, want none", flow.UsedCredentials)
			}
		})
	}
	_, err := mustLoad(t, "").Resolve(Settings{Vendor: "genesys-cloud", Parameters: map[string]string{"region": "nowhere", "typo": "x"}})
	wantFault(t, err, ReasonInvalidSpec, `spec.parameters.region: "nowhere" is not allowed`)
	wantFault(t, err, ReasonInvalidSpec, `spec.parameters: vendor genesys-cloud has no parameter "typo"`)
}

func TestUsedCredentialsAreThoseThatShapeTheRequests(t *testing.T) {
	all := client("host", "cc.acme.example", "tenant", "t", "region", "eu", "tenant_id", "x", "refresh_token", "r", "assertion", "a", "org_name", "o")
	tests := map[string]struct {
		settings Settings
		want     []string
	}{
		"parameters of the vendor": {Settings{Vendor: "bright-pattern"}, []string{"client_id", "client_secret", "host", "tenant"}},
		"none of another grant":    {Settings{Vendor: "abbyy-vantage"}, []string{"client_id", "client_secret", "region", "tenant_id"}},
		"no secret that is not sent": {
			genericSettings(func(s *Settings) { s.ClientAuthentication = None }), []string{"client_id"},
		},
		"the first refresh token": {
			genericSettings(func(s *Settings) { s.Grant = RefreshToken }), []string{"client_id", "client_secret", "refresh_token"},
		},
		"a first refresh token in place of a person's consent": {
			genericSettings(func(s *Settings) {
				s.Grant, s.EnableInteractive, s.Endpoints.AuthorizationURL = AuthorizationCode, true, "https://login.acme.example/authorize"
			}), []string{"client_id", "client_secret", "refresh_token"},
		},
		"the ready assertion": {
			genericSettings(func(s *Settings) { s.Grant = SAML2Bearer }), []string{"assertion", "client_id", "client_secret"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.settings.Credentials = all
			if diff := cmp.Diff(test.want, mustResolve(t, test.settings).UsedCredentials); diff != "" {
				t.Errorf("used (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsSentOnceMayBeAway(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Settings)
		key    string
		lacks  string // empty: nothing
	}{
		"a first refresh token":             {func(s *Settings) { s.Grant, s.Credentials["refresh_token"] = RefreshToken, NewSensitive("r") }, "refresh_token", ""},
		"no first refresh token":            {func(s *Settings) { s.Grant = RefreshToken }, "refresh_token", "the credentials Secret lacks refresh_token: "},
		"an assertion":                      {func(s *Settings) { s.Grant, s.Credentials["assertion"] = SAML2Bearer, NewSensitive("a") }, "assertion", ""},
		"no assertion, and nothing to sign": {func(s *Settings) { s.Grant = SAML2Bearer }, "assertion", "the credentials Secret holds no SAML assertion: "},
		"a first refresh token for a person's grant": {func(s *Settings) {
			s.Grant, s.EnableInteractive, s.Endpoints.AuthorizationURL = AuthorizationCode, true, "https://login.acme.example/authorize"
			s.Credentials["refresh_token"] = NewSensitive("r")
		}, "refresh_token", ""},
		"none, which a person's consent brings": {func(s *Settings) {
			s.Grant, s.EnableInteractive, s.Endpoints.AuthorizationURL = AuthorizationCode, true, "https://login.acme.example/authorize"
		}, "refresh_token", ""},
		"nothing is sent once": {func(*Settings) {}, "", ""},
		"an assertion that is signed for each request": {func(s *Settings) {
			s.Grant, s.SAML2Bearer = SAML2Bearer, AssertionSettings{Issuer: "idp", Subject: "user"}
			s.Credentials = client("saml_signing_key", "k", "saml_signing_certificate", "c")
		}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			flow := mustResolve(t, genericSettings(test.change))
			if key, _ := flow.Once(); key != test.key {
				t.Errorf("key %q, want %q", key, test.key)
			}
			if lacking := flow.Lacking(); (lacking == nil) != (test.lacks == "") {
				t.Errorf("lacking: %v", lacking)
			}
			if test.lacks == "" {
				return
			}
			_, err := flow.TokenRequest(time.Now())
			wantFault(t, err, ReasonCredentialsIncomplete, test.lacks)
		})
	}
}

func TestASecretIsMadeWithWhatIsSentOnce(t *testing.T) {
	vendor, _ := mustLoad(t, "").Vendor("generic")
	if diff := cmp.Diff([]string{"client_id", "client_secret", "refresh_token"}, vendor.CredentialKeys(RefreshToken)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"client_id", "client_secret", "saml_signing_certificate", "saml_signing_key"}, vendor.CredentialKeys(SAML2Bearer)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestUndeclaredValuesOfTheSecretAreNeverSent(t *testing.T) {
	_, body := sent(t, mustTokenRequest(t, mustResolve(t, genericSettings(func(s *Settings) {
		s.Credentials["audience"] = NewSensitive("hidden")
	}))))
	if body.Has("audience") {
		t.Errorf("body %v", body)
	}
}

func TestAnEndpointOfTheSpecReplacesTheVendorsAndWhatItNeeded(t *testing.T) {
	flow := mustResolve(t, Settings{
		Vendor: "genesys-cloud", Credentials: client(), AllowedHosts: []string{"proxy.acme.example:8443"},
		Endpoints: Endpoints{TokenURL: "https://proxy.acme.example:8443/genesys"},
	})
	if got := flow.Endpoints.TokenURL; got != "https://proxy.acme.example:8443/genesys" {
		t.Errorf("token URL %s", got)
	}
	flow = mustResolve(t, Settings{
		Vendor: "abbyy-vantage", Parameters: map[string]string{"region": "eu"}, Credentials: client(),
		Endpoints: Endpoints{TokenURL: "https://VANTAGE-eu.abbyy.com./auth2/other/connect/token"},
	})
	if flow.Endpoints.TokenURL == "" {
		t.Error("the vendor's own host needs no permission")
	}
}

func TestDiscoveryFillsInWhatIsAllowed(t *testing.T) {
	settings := genericSettings(func(s *Settings) {
		s.Endpoints, s.AllowedHosts = Endpoints{IssuerURL: "https://login.acme.example"}, []string{"login.acme.example", "*.tokens.acme.example"}
	})
	flow := mustResolve(t, settings)
	if !flow.NeedsDiscovery() {
		t.Fatal("an issuer without token URL needs discovery")
	}
	found, err := flow.WithMetadata(&Metadata{
		TokenEndpoint: "https://eu.tokens.acme.example/token", RevocationEndpoint: "https://login.acme.example/revoke",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Endpoints{
		IssuerURL: "https://login.acme.example", TokenURL: "https://eu.tokens.acme.example/token", RevocationURL: "https://login.acme.example/revoke",
	}
	if diff := cmp.Diff(want, found.Endpoints); diff != "" || found.NeedsDiscovery() || !flow.NeedsDiscovery() {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
	for field, metadata := range map[string]Metadata{
		"tokenURL":         {TokenEndpoint: "https://evil.example/token"},
		"authorizationURL": {TokenEndpoint: "https://login.acme.example/token", AuthorizationEndpoint: "https://evil.example/"},
		"revocationURL":    {TokenEndpoint: "https://login.acme.example/token", RevocationEndpoint: "https://evil.example/"},
	} {
		_, err = flow.WithMetadata(&metadata)
		wantFault(t, err, ReasonEndpointNotAllowed, "the discovered "+field+": the credentials may not be sent to host evil.example")
	}
	_, err = flow.WithMetadata(&Metadata{TokenEndpoint: "http://login.acme.example/token"})
	wantFault(t, err, ReasonEndpointNotAllowed, "the discovered tokenURL must start with https://")
	_, err = flow.WithMetadata(&Metadata{})
	wantFault(t, err, ReasonInvalidSpec, "discovery found no token endpoint")
}

// TestImplicitNeedsNoTokenEndpoint: RFC 8414, section 2, lets servers of that grant alone have none.
func TestImplicitNeedsNoTokenEndpoint(t *testing.T) {
	settings := genericSettings(func(s *Settings) {
		s.Endpoints, s.AllowedHosts = Endpoints{IssuerURL: "https://login.acme.example"}, []string{"login.acme.example"}
		s.Grant, s.EnableInteractive, s.EnableImplicit = Implicit, true, true
	})
	metadata := &Metadata{AuthorizationEndpoint: "https://login.acme.example/authorize"}
	flow, err := mustResolve(t, settings).WithMetadata(metadata)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := flow.AuthorizationRequest(redirectURI); err != nil || flow.NeedsAuthorizationEndpoint() {
		t.Errorf("the authorization request: %v", err)
	}
	settings.Grant = AuthorizationCode
	_, err = mustResolve(t, settings).WithMetadata(metadata)
	wantFault(t, err, ReasonInvalidSpec, "discovery found no token endpoint")
	settings.Endpoints.TokenURL = "https://login.acme.example/token"
	if _, err = mustResolve(t, settings).WithMetadata(metadata); err != nil {
		t.Errorf("with a token endpoint that the spec states: %v", err)
	}
}

func TestAnIssuerOfTheSpecTurnsTheVendorsEndpointsOff(t *testing.T) {
	flow := mustResolve(t, Settings{
		Vendor: "abbyy-vantage", Parameters: map[string]string{"region": "eu"}, Credentials: client(),
		Endpoints: Endpoints{IssuerURL: "https://vantage-eu.abbyy.com/auth2/0e4b1d0e"},
	})
	if !flow.NeedsDiscovery() || flow.Endpoints.TokenURL != "" {
		t.Errorf("endpoints %+v", flow.Endpoints)
	}
}

func TestFactsOfTheVendors(t *testing.T) {
	flow := mustResolve(t, Settings{Vendor: "abbyy-vantage", Parameters: map[string]string{"region": "eu"}, Credentials: client()})
	if flow.RefreshTokenLifetime() != 720*time.Hour || flow.AssumedLifetime() != 24*time.Hour || flow.RefreshTokenRotation() != RotationUnknown {
		t.Errorf("ABBYY: %v, %v, %v", flow.RefreshTokenLifetime(), flow.AssumedLifetime(), flow.RefreshTokenRotation())
	}
	flow = mustResolve(t, genericSettings(nil))
	if flow.RefreshTokenLifetime() != 0 || flow.AssumedLifetime() != 0 || flow.RevocationRequest(NewSensitive("x"), "") != nil {
		t.Error("nothing is known of a generic server")
	}
	if _, ready := flow.ReadyAssertion(); ready {
		t.Error("only SAML2Bearer has a ready assertion")
	}
}

func TestGrantsThatNeedABrowserHaveNoRequestOfTheirOwn(t *testing.T) {
	flow := mustResolve(t, Settings{
		Vendor: "abbyy-vantage", Grant: AuthorizationCode, Parameters: map[string]string{"region": "eu"}, Credentials: client(),
		EnableInteractive: true,
	})
	_, err := flow.TokenRequest(testNow)
	wantFault(t, err, ReasonInvalidSpec, "grant AuthorizationCode begins in a browser")
	if got, want := flow.Endpoints.AuthorizationURL, "https://vantage-eu.abbyy.com/auth2/connect/authorize"; got != want {
		t.Errorf("authorization URL %q, want %q", got, want)
	}
}
