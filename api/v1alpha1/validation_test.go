package v1alpha1_test

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// refusal is a rule of the API: specs that it refuses, what it says, and the nearest that it accepts.
type refusal struct {
	name     string
	object   string   // name of the OAuthToken; default: token
	refused  []string // specs
	want     string   // the whole of the one cause: field, and what the user reads
	accepted []string // specs
	rename   string   // name of the OAuthToken that is accepted; default: object
}

const (
	wantDuration  = "must be from 1s to 876000h, in whole hours, minutes and seconds, such as 90s, 15m or 720h; a day is 24h"
	wantAge       = "must be from 10s to 876000h, in whole hours, minutes and seconds, such as 90s, 15m or 720h; a day is 24h"
	wantRefresh   = "must be from 1m to 876000h, in whole hours, minutes and seconds, such as 90s, 15m or 720h; a day is 24h"
	wantLifetime  = "must be from 10s to 24h, in whole hours, minutes and seconds, such as 90s, 15m or 1h30m; a day is 24h"
	wantURL       = "must be an absolute URL without user information, fragment and blanks, such as https://login.example.com/oauth/token"
	wantSecret    = "must be the name of a Secret: lower-case letters, digits, hyphens and dots"
	wantParameter = "names of parameters have 1 to 64 letters, digits and _ . : -"
	wantSAMLName  = "must have at least one character and hold no control characters such as line breaks, which XML can't hold: remove them"
)

func refusals() []refusal {
	return slices.Concat(vendorRefusals(), parameterRefusals(), endpointRefusals(), grantRefusals(), renewalRefusals(),
		targetRefusals(), templateRefusals())
}

func vendorRefusals() []refusal {
	return []refusal{
		{
			name:     "a vendor is a name of the catalogue",
			refused:  []string{`vendor: Genesys`, `vendor: genesys_cloud`, `vendor: ""`, `vendor: -x`, `vendor: a.b`},
			want:     "spec.vendor: must be the name of a catalogue entry: lower-case letters, digits and hyphens, such as genesys-cloud",
			accepted: []string{`vendor: genesys-cloud`, `vendor: a-vendor-of-ours`},
		},
		{
			name:     "credentials are in a Secret with a possible name",
			refused:  []string{`credentialsSecretRef: {name: My_Secret}`, `credentialsSecretRef: {name: ""}`, `credentialsSecretRef: {name: a/b}`},
			want:     "spec.credentialsSecretRef.name: " + wantSecret,
			accepted: []string{`credentialsSecretRef: {name: my-secret.v1}`},
		},
		{
			name:     "vendor generic has no grant of its own",
			refused:  []string{`{vendor: generic, endpoints: {tokenURL: "https://a.example/token"}}`},
			want:     "spec.grantType: vendor generic has no preferred grant: name one of ClientCredentials, Password, AuthorizationCode, Implicit, SAML2Bearer, RefreshToken",
			accepted: []string{`{vendor: generic, grantType: Password, endpoints: {tokenURL: "https://a.example/token"}}`},
		},
		{
			name: "vendor generic has no endpoints of its own",
			refused: []string{
				`{vendor: generic, grantType: ClientCredentials}`,
				`{vendor: generic, grantType: ClientCredentials, endpoints: {revocationURL: "https://a.example/revoke"}}`,
				`{vendor: generic, grantType: AuthorizationCode, endpoints: {authorizationURL: "https://a.example/authorize"}}`,
			},
			want: "spec.endpoints: vendor generic has no endpoints of its own: set endpoints.tokenURL, or endpoints.issuerURL for " +
				"discovery (grant Implicit: endpoints.authorizationURL)",
			accepted: []string{
				`{vendor: generic, grantType: ClientCredentials, endpoints: {tokenURL: "https://a.example/token"}}`,
				`{vendor: generic, grantType: ClientCredentials, endpoints: {issuerURL: "https://a.example"}}`,
				`{vendor: generic, grantType: Implicit, endpoints: {authorizationURL: "https://a.example/authorize"}}`,
			},
		},
		{
			name: "vendor generic has no authorization endpoint of its own",
			refused: []string{
				`{vendor: generic, grantType: AuthorizationCode, endpoints: {tokenURL: "https://a.example/token"}}`,
				`{vendor: generic, grantType: Implicit, endpoints: {tokenURL: "https://a.example/token", revocationURL: "https://a.example/revoke"}}`,
			},
			want: "spec.endpoints: grantType AuthorizationCode and Implicit begin in a browser, and vendor generic has no address for that: set " +
				"endpoints.authorizationURL, or endpoints.issuerURL for discovery",
			accepted: []string{
				`{vendor: generic, grantType: AuthorizationCode, endpoints: {tokenURL: "https://a.example/token", authorizationURL: "https://a.example/authorize"}}`,
				`{vendor: generic, grantType: AuthorizationCode, endpoints: {tokenURL: "https://a.example/token", issuerURL: "https://a.example"}}`,
				`{vendor: generic, grantType: Implicit, endpoints: {issuerURL: "https://a.example"}}`,
				`{vendor: generic, grantType: Password, endpoints: {tokenURL: "https://a.example/token"}}`,
				`{vendor: genesys-cloud, grantType: AuthorizationCode, endpoints: {tokenURL: "https://a.example/token"}}`,
			},
		},
		{
			name: "vendor generic has no revocation endpoint of its own",
			refused: []string{
				`{vendor: generic, grantType: Password, endpoints: {tokenURL: "https://a.example/token"}, revokeOnDelete: true}`,
			},
			want: "spec.revokeOnDelete: vendor generic has no revocation endpoint of its own: set endpoints.revocationURL, or " +
				"endpoints.issuerURL for discovery, or remove revokeOnDelete",
			accepted: []string{
				`{vendor: generic, grantType: Password, endpoints: {tokenURL: "https://a.example/token", revocationURL: "https://a.example/r"}, revokeOnDelete: true}`,
				`{vendor: generic, grantType: Password, endpoints: {issuerURL: "https://a.example"}, revokeOnDelete: true}`,
				`{vendor: generic, grantType: Password, endpoints: {tokenURL: "https://a.example/token"}, revokeOnDelete: false}`,
				`{vendor: genesys-cloud, revokeOnDelete: true}`,
			},
		},
		{
			name:     "a grant is one of those that the contract names",
			refused:  []string{`grantType: client_credentials`},
			want:     `spec.grantType: Unsupported value: "client_credentials": supported values: "ClientCredentials", "Password", "AuthorizationCode", "Implicit", "SAML2Bearer", "RefreshToken"`,
			accepted: []string{`grantType: ClientCredentials`, `grantType: RefreshToken`},
		},
		{
			name:     "the Secrets' names are made from the OAuthToken's",
			object:   strings.Repeat("a", 201),
			refused:  []string{``},
			want:     "metadata.name may have at most 200 characters, since the names of Secrets are made from it: choose a shorter one",
			accepted: []string{``},
			rename:   strings.Repeat("a", 200),
		},
	}
}

func parameterRefusals() []refusal {
	const (
		ofRequest = "spec.parameters: a parameter of the protocol itself (such as grant_type, client_id, password, redirect_uri, state) " +
			"can't be set here: credentials belong in the credentials Secret, the rest is the operator's"
		ofAuthorization = "spec.authorizationParameters: a parameter of the protocol itself (such as response_type, client_id, " +
			"redirect_uri, state, scope) can't be set here: use the fields of the spec, the rest is the operator's"
	)
	protocol := []string{
		"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "assertion", "username", "password",
		"code", "code_verifier", "code_challenge", "code_challenge_method", "redirect_uri", "state", "nonce", "response_type",
		"response_mode", "request", "request_uri", "refresh_token", "Grant_Type", "client.id",
	}
	return []refusal{
		{
			name:     "no parameter of the protocol is among the parameters",
			refused:  entries("parameters", protocol),
			want:     ofRequest,
			accepted: []string{`parameters: {scope: "a vendor's own use", tenant: acme, clientele: x, codex: x, request_id: x}`},
		},
		{
			name: "a scope for any server is among the scopes",
			refused: []string{
				`{vendor: generic, grantType: Password, endpoints: {tokenURL: "https://a.example/token"}, parameters: {scope: x}}`,
				`{vendor: generic, grantType: Password, endpoints: {tokenURL: "https://a.example/token"}, parameters: {audience: x, Scope: x}}`,
			},
			want: "spec.parameters: scope can't be set here, since it would stand beside the operator's own: use spec.scopes",
			accepted: []string{
				`{vendor: generic, grantType: Password, endpoints: {tokenURL: "https://a.example/token"}, parameters: {scopes: x}, scopes: [x]}`,
			},
		},
		{
			name:     "no parameter of the protocol is among those of the authorization request",
			refused:  entries("authorizationParameters", append(protocol, "scope")),
			want:     ofAuthorization,
			accepted: []string{`authorizationParameters: {prompt: login, org: acme}`},
		},
		{
			name:     "names of parameters can be sent as they are",
			refused:  entries("parameters", []string{"a b", "a[]", "é", "", "a&b", "a=b", strings.Repeat("a", 65)}),
			want:     "spec.parameters: " + wantParameter,
			accepted: entries("parameters", []string{"a.b:c-d_e", strings.Repeat("a", 64), "7"}),
		},
		{
			name:     "names of parameters of the authorization request can be sent as they are",
			refused:  entries("authorizationParameters", []string{"a b", "", strings.Repeat("a", 65)}),
			want:     "spec.authorizationParameters: " + wantParameter,
			accepted: entries("authorizationParameters", []string{strings.Repeat("a", 64)}),
		},
		{
			name:    "parameters of the authorization request need one",
			refused: []string{`{grantType: ClientCredentials, authorizationParameters: {prompt: login}}`},
			want: "spec.authorizationParameters: go only with grantType AuthorizationCode or Implicit: " +
				"use parameters for the token request",
			accepted: []string{
				`{grantType: AuthorizationCode, authorizationParameters: {prompt: login}}`,
				`{grantType: Implicit, authorizationParameters: {prompt: login}}`,
			},
		},
		{
			name:    "a scope is one word",
			refused: []string{`scopes: ["a b"]`, `scopes: [""]`, `scopes: ['a"b']`, `scopes: ['a\b']`, `scopes: [é]`, `scopes: ["a\tb"]`},
			want: "spec.scopes[]: a scope is one word of printable ASCII without blanks, quotes or backslashes (RFC 6749, section 3.3): " +
				"write each scope as an item of its own",
			accepted: []string{`scopes: [orders.read, "https://a.example/x#y", "a:b/c[d]~!"]`},
		},
	}
}

func endpointRefusals() []refusal {
	bad := []string{
		"ftp://a.example/", "/oauth/token", "a.example/token", "//a.example/token", "https:a.example", "https://a.example/#f",
		"https://a.example/?x#", "https://user@a.example/", "https://u:p@a.example/", "https://@a.example/", "https://a.example/ b",
		"https://a .example/", " https://a.example/", "https://a.example/\\n", "javascript:alert(1)", "data:text/plain,x", "https://",
		"https:///x", "https://:443/", "https://a.example:x/", "https://a.example:/", "https://a.example/%zz", `https://a.example\\@b`,
		"https://ä.example/", "",
	}
	good := []string{
		"https://a.example", "https://a.example:8443/oauth/token?audience=x@y", "http://127.0.0.1:8080/token", "https://[2001:db8::1]/t",
		"HTTPS://A.EXAMPLE/token",
	}
	var table []refusal
	for _, field := range []string{"tokenURL", "authorizationURL", "revocationURL", "issuerURL"} {
		table = append(table, refusal{
			name:     field + " is absolute, for browsers and clients alike",
			refused:  quoted("endpoints: {"+field+": %}", bad),
			want:     "spec.endpoints." + field + ": " + wantURL,
			accepted: quoted("endpoints: {"+field+": %}", good),
		})
	}
	return append(table,
		refusal{
			name:     "endpoints without one say nothing",
			refused:  []string{`endpoints: {}`},
			want:     "spec.endpoints: must hold tokenURL, authorizationURL, revocationURL or issuerURL: add one, or remove endpoints",
			accepted: []string{`endpoints: {revocationURL: "https://a.example"}`},
		},
		refusal{
			name: "certificates are base64 that Go reads",
			refused: quoted("caBundle: %", []string{
				"-----BEGIN CERTIFICATE-----", "LS0tLS1CRUdJTg=", "LS0tLS1CRUdJTg", "LS0t_-__", "LS0t LS0t", "A", "=", "====", "LS0t====",
				"AAA=AAA=", "A===", "AAAA\\tAAAA",
			}),
			want: "spec.caBundle: must be PEM certificates encoded as a whole in base64, with padding: the output of `base64 -w0 ca.pem`",
			accepted: quoted("caBundle: %", []string{
				"LS0tLS1CRUdJTg==", "LS0tLS1CRUdJTiA=", "LS0t\\nLS0t\\n", "LS0tLS1CRUdJTg=\\r\\n=\\r\\n", "",
			}),
		})
}

func grantRefusals() []refusal {
	const grant = `grantType: SAML2Bearer, saml2Bearer: `
	table := []refusal{
		{
			name:     "an assertion needs the grant that sends it",
			refused:  []string{`saml2Bearer: {issuer: a}`, `{grantType: Password, saml2Bearer: {issuer: a}}`},
			want:     "spec.saml2Bearer: goes only with grantType SAML2Bearer: set that, or remove saml2Bearer",
			accepted: []string{`{grantType: SAML2Bearer, saml2Bearer: {issuer: a}}`},
		},
		{
			name:     "names of attributes fit into XML",
			refused:  []string{`{` + grant + `{attributes: {"": x}}}`, `{` + grant + `{attributes: {"a\nb": x}}}`, `{` + grant + `{attributes: {` + strings.Repeat("a", 257) + `: x}}}`},
			want:     "spec.saml2Bearer.attributes: names of attributes have 1 to 256 characters, none of them a control character",
			accepted: []string{`{` + grant + `{attributes: {` + strings.Repeat("a", 256) + `: "x y"}}}`},
		},
		{
			name:     "values of attributes fit into XML",
			refused:  quoted(`{`+grant+`{attributes: {a: %}}}`, []string{"", "a\\nb", "a\\0b"}),
			want:     "spec.saml2Bearer.attributes[]: " + wantSAMLName,
			accepted: quoted(`{`+grant+`{attributes: {a: %}}}`, []string{"a b", "é"}),
		},
		{
			name:     "an assertion lives for a moment",
			refused:  quoted(`{`+grant+`{lifetime: %}}`, []string{"9s", "24h1s", "25h", "banana", "", "0s"}),
			want:     "spec.saml2Bearer.lifetime: " + wantLifetime,
			accepted: quoted(`{`+grant+`{lifetime: %}}`, []string{"10s", "24h", "5m"}),
		},
	}
	for _, field := range []string{"issuer", "subject", "audience", "recipient"} {
		table = append(table, refusal{
			name:     field + " fits into XML",
			refused:  quoted(`{`+grant+`{`+field+`: %}}`, []string{"", "a\\nb", "a\\u0007"}),
			want:     "spec.saml2Bearer." + field + ": " + wantSAMLName,
			accepted: quoted(`{`+grant+`{`+field+`: %}}`, []string{"https://idp.example/metadata"}),
		})
	}
	return table
}

func renewalRefusals() []refusal {
	bad := []string{
		"banana", "1d", "99999999999h", "", "-5m", "0s", "1.5h", "5", " 5m", "5m ", "5m5m", "1s1h", "100ms", "876000h1s", "h", "+5m",
		"9223372036854775807s",
	}
	good := []string{"1m", "1h30m", "90s", "876000h", "00060s"}
	table := []refusal{
		{
			name:     "renewBefore and its percentage exclude each other",
			refused:  []string{`renewal: {renewBefore: 5m, renewBeforePercentage: 5}`},
			want:     "spec.renewal: renewBefore and renewBeforePercentage exclude each other: keep one",
			accepted: []string{`renewal: {renewBefore: 5m}`, `renewal: {renewBeforePercentage: 99}`, `renewal: {renewBeforePercentage: 1}`},
		},
	}
	for field, bounds := range map[string]struct{ want, below, lowest string }{
		"renewBefore":          {wantDuration, "0h0m0s", "1s"},
		"assumedLifetime":      {wantDuration, "0m", "1s"},
		"maxTokenAge":          {wantAge, "9s", "10s"},
		"refreshTokenLifetime": {wantRefresh, "59s", "1m"},
	} {
		table = append(table, refusal{
			name:     field + " is a duration that Go reads and that makes sense",
			refused:  quoted(`renewal: {`+field+`: %}`, append(slices.Clone(bad), bounds.below)),
			want:     "spec.renewal." + field + ": " + bounds.want,
			accepted: quoted(`renewal: {`+field+`: %}`, append(slices.Clone(good), bounds.lowest)),
		})
	}
	return table
}

func targetRefusals() []refusal {
	return []refusal{
		{
			name:     "the target is not the credentials Secret",
			refused:  []string{`target: {name: credentials}`},
			want:     "spec.target.name: must differ from credentialsSecretRef.name: the operator does not write to the credentials Secret",
			accepted: []string{`target: {name: credentials-token}`},
		},
		{
			name:   "the target is not the credentials Secret where its name is the default",
			object: "credentials",
			refused: []string{
				``, `target: {type: Opaque}`,
			},
			want: "spec.target.name: without it the target Secret would be the credentials Secret, which has the OAuthToken's name: " +
				"set it to another name",
			accepted: []string{`target: {name: token}`, `credentialsSecretRef: {name: other}`},
		},
		{
			name:     "the target is no state Secret",
			refused:  []string{`target: {name: x-oauth-state}`},
			want:     "spec.target.name: a name that ends in -oauth-state is kept for state Secrets: choose another",
			accepted: []string{`target: {name: x-oauth-state-token}`},
		},
		{
			name:    "the target is no state Secret where its name is the default",
			object:  "x-oauth-state",
			refused: []string{``, `target: {deletionPolicy: Retain}`},
			want: "spec.target.name: without it the target Secret would have the OAuthToken's name, and names that end in -oauth-state " +
				"are kept for state Secrets: set it to another name",
			accepted: []string{`target: {name: x}`},
		},
		{
			name:     "the credentials are not in the state Secret's place",
			object:   "x",
			refused:  []string{`credentialsSecretRef: {name: x-oauth-state}`},
			want:     "spec.credentialsSecretRef.name: this is the name of the OAuthToken's state Secret: keep the credentials under another name",
			accepted: []string{`credentialsSecretRef: {name: y-oauth-state}`},
		},
		{
			name:     "the target has the name of a Secret",
			refused:  []string{`target: {name: My_Token}`, `target: {name: ""}`, `target: {name: "a b"}`},
			want:     "spec.target.name: " + wantSecret,
			accepted: []string{`target: {name: my-token.v1}`},
		},
		{
			name: "no type of Kubernetes' own that means something else",
			refused: []string{
				`target: {type: kubernetes.io/tls}`, `target: {type: kubernetes.io/service-account-token}`,
				`target: {type: bootstrap.kubernetes.io/token}`, `target: {type: kubernetes.io/dockercfg}`, `target: {type: ""}`,
			},
			want: "spec.target.type: must be Opaque, kubernetes.io/dockerconfigjson, kubernetes.io/basic-auth, or a type of your own " +
				"without kubernetes.io/",
			accepted: []string{`target: {type: Opaque}`, `target: {type: example.com/token}`},
		},
		{
			name:    "a pull secret has its key",
			refused: []string{`target: {type: kubernetes.io/dockerconfigjson}`, `target: {type: kubernetes.io/dockerconfigjson, template: {data: {config.json: x}}}`},
			want: "spec.target: type kubernetes.io/dockerconfigjson needs a key .dockerconfigjson in template.data, such as " +
				`'{{ dockerconfigjson "registry.example.com" "user" .AccessToken }}'`,
			accepted: []string{`target: {type: kubernetes.io/dockerconfigjson, template: {data: {.dockerconfigjson: x}}}`},
		},
		{
			name:     "basic authentication has a user or a password",
			refused:  []string{`target: {type: kubernetes.io/basic-auth}`, `target: {type: kubernetes.io/basic-auth, template: {data: {user: x}}}`},
			want:     "spec.target: type kubernetes.io/basic-auth needs a key username or password in template.data",
			accepted: []string{`target: {type: kubernetes.io/basic-auth, template: {data: {password: "{{ .AccessToken }}"}}}`},
		},
		{
			name:     "a Secret without default keys has others",
			refused:  []string{`target: {defaultKeys: Omit}`, `target: {defaultKeys: Omit, template: {data: {}}}`},
			want:     "spec.target: with defaultKeys Omit the Secret would be empty: add template.data",
			accepted: []string{`target: {defaultKeys: Omit, template: {data: {token: x}}}`, `target: {defaultKeys: Include}`},
		},
		{
			name: "a template's key is none of the default keys",
			refused: append(entries("target: {template: {data", []string{
				"access_token", "token_type", "authorization", "expires_at", "scope", "id_token",
			}, "}}"), `target: {defaultKeys: Include, template: {data: {scope: x}}}`),
			want: "spec.target: template.data holds a default key (access_token, token_type, authorization, expires_at, scope, id_token): " +
				"rename it, or set defaultKeys to Omit",
			accepted: []string{`target: {template: {data: {token: x}}}`, `target: {defaultKeys: Omit, template: {data: {access_token: x}}}`},
		},
	}
}

func templateRefusals() []refusal {
	const data, labels, annotations = "target: {template: {data", "target: {template: {metadata: {labels", "target: {template: {metadata: {annotations"
	return []refusal{
		{
			name:     "a template's key is one of a Secret",
			refused:  entries(data, []string{"a/b", "", ".", "..", "..data", "a b", strings.Repeat("a", 254)}, "}}"),
			want:     "spec.target.template.data: keys of a Secret have 1 to 253 letters, digits and - _ . and don't start with two dots",
			accepted: entries(data, []string{"token.json", ".npmrc", strings.Repeat("a", 253)}, "}}"),
		},
		{
			name: "labels are labels",
			refused: append(entries(labels, []string{"a/b/c", "", "a b", strings.Repeat("a", 64)}, "}}}"),
				labels+`: {team: "not a value"}}}}`),
			want: "spec.target.template.metadata.labels: must be valid labels: names such as example.com/team, values of at most 63 " +
				"letters, digits and - _ .",
			accepted: append(entries(labels, []string{"team", "example.com/team", strings.Repeat("a", 63)}, "}}}"), labels+`: {team: ""}}}}`),
		},
		{
			name:    "labels that tell whose a Secret is are the operator's",
			refused: entries(labels, []string{"tokensync.dev/role", "kubernetes.io/metadata.name", "app.kubernetes.io/managed-by"}, "}}}"),
			want: "spec.target.template.metadata.labels: labels under tokensync.dev/ and kubernetes.io/, and app.kubernetes.io/managed-by, " +
				"are not to be set here: remove them",
			accepted: entries(labels, []string{"app.kubernetes.io/part-of", "example.com/managed-by"}, "}}}"),
		},
		{
			name:     "annotations are annotations",
			refused:  entries(annotations, []string{"a/b/c", "", "a b"}, "}}}"),
			want:     "spec.target.template.metadata.annotations: must be valid names of annotations, such as example.com/owner",
			accepted: entries(annotations, []string{"note", "Example.com/Owner"}, "}}}"),
		},
		{
			name:     "annotations that tell whose a Secret is are the operator's",
			refused:  entries(annotations, []string{"tokensync.dev/owner", "kubernetes.io/service-account.name"}, "}}}"),
			want:     "spec.target.template.metadata.annotations: annotations under tokensync.dev/ and kubernetes.io/ are not to be set here: remove them",
			accepted: entries(annotations, []string{"argocd.argoproj.io/sync-wave", "app.kubernetes.io/part-of"}, "}}}"),
		},
	}
}

// quoted fills each value, in double quotes, into the place of % in a spec.
func quoted(spec string, values []string) []string {
	specs := make([]string, len(values))
	for i, value := range values {
		specs[i] = strings.ReplaceAll(spec, "%", `"`+value+`"`)
	}
	return specs
}

// entries gives for each key a spec with a map that holds it alone. The ends close what the field's name has opened.
func entries(field string, keys []string, ends ...string) []string {
	return quoted(field+": {%: x}"+strings.Join(ends, ""), keys)
}

// testRefusals shows that every rule refuses what it should, says so in one sentence at the right field, and lets the nearest good
// value pass.
func (s apiServer) testRefusals(t *testing.T) {
	told := map[string]bool{}
	for _, tt := range refusals() {
		t.Run(tt.name, func(t *testing.T) {
			object := cmp.Or(tt.object, "token")
			for _, spec := range tt.refused {
				got := s.causes(t, manifest(t, object, spec))
				if !slices.Equal(got, []string{tt.want}) {
					t.Errorf("refused for %q with\n%s\nwant\n%s", spec, strings.Join(got, "\n"), tt.want)
				}
			}
			for _, spec := range tt.accepted {
				if got := s.causes(t, manifest(t, cmp.Or(tt.rename, object), spec)); len(got) > 0 {
					t.Errorf("%q is not accepted:\n%s", spec, strings.Join(got, "\n"))
				}
			}
			told[tt.want] = true
		})
	}
	for _, rule := range rulesOf(t, "spec") {
		if !told[rule] {
			t.Errorf("no case shows the rule that says: %s", rule)
		}
	}
}

// causes are the reasons why an object would be refused, each as "field: what the user reads"; none if it would be accepted.
func (s apiServer) causes(t *testing.T, object []byte) []string {
	t.Helper()
	answer := s.tryCreate(t, object)
	if answer.code < 400 {
		return nil
	}
	status := answer.status(t)
	if status.Details == nil || len(status.Details.Causes) == 0 {
		return []string{status.Message}
	}
	var causes []string
	for _, cause := range status.Details.Causes {
		if text := causeText(cause); !strings.HasPrefix(text, "some validation rules were not checked") {
			causes = append(causes, text)
		}
	}
	return causes
}

var (
	index = regexp.MustCompile(`\[[^\]]*\]`)
	value = regexp.MustCompile(`(?s)^(Invalid value: (("([^"\\]|\\.)*"|null): )?|Required value: |Forbidden: )`)
)

// causeText is a cause without the value that it quotes and without the indexes of its field.
func causeText(cause metav1.StatusCause) string {
	text := value.ReplaceAllString(cause.Message, "")
	if cause.Field == "" || cause.Field == "<nil>" {
		return text
	}
	return index.ReplaceAllString(cause.Field, "[]") + ": " + text
}
