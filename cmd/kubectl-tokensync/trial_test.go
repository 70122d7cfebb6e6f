package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"tokensync.dev/tokensync/internal/kubetest"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// counter is where somebody tries manifests, with a scripted vendor instead of the real ones.
type counter struct {
	*oauthtest.Server

	t                *testing.T
	vendorsDir       string
	key, certificate string // of the identity provider that the vendors trust
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	c := &counter{Server: oauthtest.New(), t: t, vendorsDir: t.TempDir()}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	entries, err := c.Overrides(os.DirFS(filepath.Join(kubetest.Root(), "internal", "oauth", "vendors")))
	if err != nil || len(entries) == 0 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for name, entry := range entries {
		if err := os.WriteFile(filepath.Join(c.vendorsDir, name), entry, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.trustPair()
	return c
}

// trustPair makes a signing key and its certificate, which Genesys and Generic trust.
func (c *counter) trustPair() {
	c.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		c.t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		c.t.Fatal(err)
	}
	c.key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
	c.certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		c.t.Fatal(err)
	}
	for vendor, organisation := range map[oauthtest.Vendor]string{oauthtest.Genesys: placeholder, oauthtest.Generic: ""} {
		c.Trust(oauthtest.IdentityProvider{
			Vendor: vendor, OrgName: organisation, Issuer: "https://idp.example.com/metadata", Audience: c.TokenURL(vendor), Recipient: c.TokenURL(vendor),
			Certificates: []*x509.Certificate{certificate},
		})
	}
}

// canary is part of each value of a credentials Secret that must never be seen.
const canary = "canary-7f3a"

// manifest is the example of a vendor and a grant, filled in so that the scripted vendor takes it.
func (c *counter) manifest(catalogue *oauth.Catalogue, vendor string, grant oauth.GrantType) string {
	c.t.Helper()
	entry, ok := catalogue.Vendor(vendor)
	if !ok {
		c.t.Fatalf("there is no vendor %s", vendor)
	}
	client := oauthtest.Client{
		Vendor: oauthtest.Vendor(vendor), ID: "client", Secret: canary + "-secret", Tenant: placeholder, RefreshTokens: true,
		Grants: []string{oauthtest.ClientCredentials, oauthtest.Password, oauthtest.RefreshToken, oauthtest.SAML2Bearer}, Scopes: entry.Grants[grant].Scopes,
	}
	c.Register(client)
	tenant := placeholder
	if client.Vendor == oauthtest.Generic {
		tenant = ""
	}
	c.SetPassword(oauthtest.User{Vendor: client.Vendor, Tenant: tenant, Username: "robot", Password: canary + "-password"})
	values := map[string]string{
		"client_id": client.ID, "client_secret": client.Secret, "username": "robot", "password": canary + "-password",
		"refresh_token": c.NewRefreshToken(client.Vendor, client.ID, ""), "saml_signing_key": c.key, "saml_signing_certificate": c.certificate,
	}
	text := strings.ReplaceAll(example(entry, grant), "https://"+exampleHost+"/oauth/token", c.TokenURL(oauthtest.Generic))
	file, err := readManifest(strings.NewReader(text), "shop")
	if err != nil {
		c.t.Fatal(err)
	}
	secret := file.secrets[0]
	for key := range secret.Data {
		if value, ok := values[key]; ok {
			secret.Data[key] = []byte(value)
		}
	}
	var documents []string
	for _, object := range []any{secret, file.tokens[0]} {
		document, err := yaml.Marshal(object)
		if err != nil {
			c.t.Fatal(err)
		}
		documents = append(documents, string(document))
	}
	return strings.Join(documents, "---\n")
}

// try runs `kubectl tokensync test` without a cluster, and returns what was said and the exit status. It sees to it that nothing secret was.
func (c *counter) try(manifest string, arguments ...string) (said string, exit int) {
	c.t.Helper()
	var out bytes.Buffer
	command := newCommand(genericiooptions.IOStreams{In: strings.NewReader(manifest), Out: &out, ErrOut: &out}, time.Now, nil)
	command.SetArgs(append([]string{
		"test", "-f", "-", "--offline", "--namespace=shop", "--vendors-dir=" + c.vendorsDir, "--enable-implicit", "--allow-loopback",
		"--allowed-hosts=" + c.Host(), "--insecure-http-hosts=" + c.Host(),
	}, arguments...))
	exit = exitStatus(command.ExecuteContext(c.t.Context()), &out)
	c.isDiscreet(out.String())
	return out.String(), exit
}

// isDiscreet fails where a word of what was said is a token, or part of the credentials.
func (c *counter) isDiscreet(said string) {
	c.t.Helper()
	if strings.Contains(said, canary) || strings.Contains(said, "PRIVATE KEY") {
		c.t.Errorf("credentials are shown:\n%s", said)
	}
	for _, word := range strings.FieldsFunc(said, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`"',;:=`, r) }) {
		if c.IsLive(word) || c.RefreshTokenIsLive(word) {
			c.t.Errorf("a token is shown:\n%s", said)
		}
	}
}

func (c *counter) catalogue() *oauth.Catalogue {
	c.t.Helper()
	catalogue, err := oauth.LoadCatalogue(c.vendorsDir)
	if err != nil {
		c.t.Fatal(err)
	}
	return catalogue
}

func TestEveryVendorAndGrantIsTried(t *testing.T) {
	c := newCounter(t)
	catalogue := c.catalogue()
	for _, vendor := range entriesOf(catalogue) {
		for _, grant := range grantsOf(vendor) {
			t.Run(vendor.Name+" "+string(grant), func(t *testing.T) {
				c.t = t
				before := c.Count(oauthtest.Match{Endpoint: oauthtest.AnyEndpoint})
				said, exit := c.try(c.manifest(catalogue, vendor.Name, grant))
				want, requests := "issued a token", 1
				switch grant {
				case oauth.AuthorizationCode, oauth.Implicit:
					want, requests = "a person is needed, so no token was requested", 0
				case oauth.RefreshToken:
					want, requests = "With --spend it is tried all the same", 0
				case oauth.ClientCredentials, oauth.Password, oauth.SAML2Bearer:
				}
				wants(t, said, exit, want, 0)
				if got := c.Count(oauthtest.Match{Endpoint: oauthtest.AnyEndpoint}) - before; got != requests {
					t.Errorf("%d requests were made, want %d", got, requests)
				}
			})
		}
	}
}

func TestWhatIsToldOfAToken(t *testing.T) {
	c := newCounter(t)
	manifest := c.manifest(c.catalogue(), "generic", oauth.Password)
	said, exit := c.try(manifest, "--revoke")
	for _, want := range []string{
		"  ok       request       " + c.Host() + " issued a token\n", "renewed after about ", "refresh token one came with it",
		`Secret "generic" would hold access_token, authorization, expires_at, `, "  warning  vendor        RFC 9700, section 2.4, forbids the grant Password",
		"no revocation endpoint is known",
	} {
		wants(t, said, exit, want, 0)
	}
}

func TestATokenIsRevokedWhereThatIsWanted(t *testing.T) {
	c := newCounter(t)
	manifest := c.manifest(c.catalogue(), "generic", oauth.ClientCredentials)
	manifest = strings.Replace(manifest, "    tokenURL:", "    revocationURL: "+c.RevocationURL(oauthtest.Generic)+"\n    tokenURL:", 1)
	if said, exit := c.try(manifest); exit != 0 || c.Count(oauthtest.Match{Endpoint: oauthtest.RevocationEndpoint}) != 0 {
		t.Errorf("a token is revoked that others may hold too:\n%s", said)
	}
	said, exit := c.try(manifest, "--revoke")
	wants(t, said, exit, "the access token is revoked", 0)
	if got := c.Count(oauthtest.Match{Endpoint: oauthtest.RevocationEndpoint, Outcome: oauthtest.Revoked}); got == 0 {
		t.Error("nothing is revoked")
	}
}

func TestARevocationEndpointIsDiscoveredBesideAStatedTokenURL(t *testing.T) {
	c := newCounter(t)
	manifest := c.manifest(c.catalogue(), "generic", oauth.ClientCredentials)
	manifest = strings.Replace(manifest, "    tokenURL:", "    issuerURL: "+c.IssuerURL(oauthtest.Generic)+"\n    tokenURL:", 1)
	said, exit := c.try(manifest, "--revoke")
	wants(t, said, exit, "the access token is revoked", 0)
	if got := c.Count(oauthtest.Match{Endpoint: oauthtest.RevocationEndpoint, Outcome: oauthtest.Revoked}); got == 0 {
		t.Error("nothing is revoked")
	}
	said, exit = c.try(strings.Replace(manifest, c.IssuerURL(oauthtest.Generic), c.IssuerURL(oauthtest.Generic)+"/none", 1), "--revoke")
	wants(t, said, exit, "issued a token", 1)
	wants(t, said, exit, "FAULT    revocation", 1)
}

func TestASeedIsSpentOnlyOnRequest(t *testing.T) {
	c := newCounter(t)
	manifest := c.manifest(c.catalogue(), "generic", oauth.RefreshToken)
	said, exit := c.try(manifest, "--spend")
	wants(t, said, exit, "what was in the Secret is spent by this try (--spend)", 0)
	wants(t, said, exit, "issued a token", 0)
}

func TestASeedStandsForAPersonsConsent(t *testing.T) {
	c := newCounter(t)
	manifest := c.manifest(c.catalogue(), "genesys-cloud", oauth.AuthorizationCode)
	seed := base64.StdEncoding.EncodeToString([]byte(c.NewRefreshToken("genesys-cloud", "client", "")))
	said, exit := c.try(strings.Replace(manifest, "  client_id: ", "  refresh_token: "+seed+"\n  client_id: ", 1))
	wants(t, said, exit, "the refresh token in the Secret stands for a person's consent", 0)
	wants(t, said, exit, "used of it: client_id, client_secret, refresh_token", 0)
	if strings.Contains(said, "a person is needed") || c.Count(oauthtest.Match{Endpoint: oauthtest.AnyEndpoint}) != 0 {
		t.Errorf("a person is asked, or something was sent:\n%s", said)
	}
}

func TestDiscoveryIsTried(t *testing.T) {
	c := newCounter(t)
	manifest := c.manifest(c.catalogue(), "generic", oauth.ClientCredentials)
	manifest = strings.Replace(manifest, "tokenURL: "+c.TokenURL(oauthtest.Generic), "issuerURL: "+c.IssuerURL(oauthtest.Generic), 1)
	said, exit := c.try(manifest)
	wants(t, said, exit, c.Host()+" names its endpoints", 0)
	wants(t, said, exit, "issued a token", 0)
	said, exit = c.try(strings.Replace(manifest, c.IssuerURL(oauthtest.Generic), c.IssuerURL(oauthtest.Generic)+"/none", 1))
	wants(t, said, exit, "FAULT    discovery", 1)
}

func TestFailuresOfAVendorAreExplained(t *testing.T) {
	for name, test := range map[string]struct {
		fault oauthtest.Fault
		want  string
	}{
		"a page instead of a token": {oauthtest.HTMLPage(), "MalformedResponse: The token endpoint answered with "},
		"nothing":                   {oauthtest.EmptyBody(), "MalformedResponse: The token endpoint answered with "},
		"a wrong secret":            {oauthtest.OAuthError("invalid_client"), "InvalidClient: "},
		"an error with status 200":  {oauthtest.ErrorWithStatus200("invalid_scope"), "InvalidScope: "},
		"a redirect":                {oauthtest.Redirect(302, "https://evil.example/"), "FAULT    request"},
		"a vendor that is away":     {oauthtest.Unavailable(nil), "VendorUnavailable: "},
		"a pause":                   {oauthtest.TooManyRequests(oauthtest.InSeconds(60)), "RateLimited: "},
		"all that was sent, echoed": {oauthtest.EchoSecrets("invalid_request"), "InvalidRequest: "},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCounter(t)
			c.Fail(oauthtest.Match{}, test.fault)
			said, exit := c.try(c.manifest(c.catalogue(), "sfr-global-contact-center", oauth.Password))
			wants(t, said, exit, test.want, 1)
			wants(t, said, exit, "https://tokensync.dev/docs/failures#", 1)
		})
	}
}

// edit changes a manifest.
type edit struct{ old, with string }

func TestMistakesInAManifestAreExplained(t *testing.T) {
	const cc = oauth.ClientCredentials
	for name, test := range map[string]struct {
		vendor    string
		edits     []edit
		arguments string
		want      string
		exit      int
	}{
		"a missing key":                 {"genesys-cloud", []edit{{"  client_secret:", "  secret:"}}, "", "the credentials Secret lacks client_secret: add what is missing", 1},
		"an unknown vendor":             {"genesys-cloud", []edit{{"vendor: genesys-cloud", "vendor: genesis"}}, "", `spec.vendor "genesis" is not in the catalogue: use one of abbyy-vantage`, 1},
		"a grant that is lacking":       {"genesys-cloud", []edit{{"grantType: ClientCredentials", "grantType: Password"}}, "", `spec.grantType "Password" is not served by vendor genesys-cloud`, 1},
		"a parameter that is unknown":   {"genesys-cloud", []edit{{"    region:", "    zone: x\n    region:"}}, "", `vendor genesys-cloud has no parameter "zone"`, 1},
		"a parameter in both places":    {"genesys-cloud", []edit{{"  client_id:", "  region: bXlwdXJlY2xvdWQuZGU=\n  client_id:"}}, "", "parameter region stands in spec.parameters and in the credentials Secret: remove one of them", 1},
		"a parameter stated twice":      {"genesys-cloud", []edit{{"    region:", "    region: mypurecloud.de\n    region:"}}, "", `key "region" already set in map`, 1},
		"a field that is unknown":       {"genesys-cloud", []edit{{"  grantType:", "  granttype:"}}, "", `unknown field "spec.granttype"`, 1},
		"no label":                      {"genesys-cloud", []edit{{"    tokensync.dev/role: credentials", "    app: shop"}}, "", "lacks the label by which its owner lets Tokensync use it: add tokensync.dev/role: credentials", 1},
		"another label":                 {"genesys-cloud", []edit{{"tokensync.dev/role: credentials", "tokensync.dev/role: target"}}, "", "the label tokensync.dev/role of Secret \"genesys-cloud-client\" must be credentials", 1},
		"a mapping to nothing":          {"genesys-cloud", []edit{{"  labels:", "  annotations:\n    tokensync.dev/keys: client_id=LOST\n  labels:"}}, "", "to a key that the Secret lacks", 1},
		"a host that is not allowed":    {"generic", []edit{{"tokenURL: http", "tokenURL: https://login.acme.example/token # "}}, "", "the credentials may not be sent to host login.acme.example", 1},
		"plain http":                    {"generic", []edit{{"tokenURL: http", "tokenURL: http://login.acme.example/token # "}}, "", "plain http is spoken only to hosts that the manager's --insecure-http-hosts names", 1},
		"a Secret that is elsewhere":    {"genesys-cloud", []edit{{"    name: genesys-cloud-client", "    name: lost"}}, "", `Secret "lost" is not in the file, and with --offline it can't be read from a cluster`, 1},
		"a Secret of another namespace": {"genesys-cloud", []edit{{"namespace: shop", "namespace: elsewhere"}}, "", `Secret "genesys-cloud-client" is not in the file`, 1},
		"a template that can't be read": {"genesys-cloud", []edit{{"  vendor:", "  target:\n    template:\n      data:\n        a: \"{{ .Nope\"\n  vendor:"}}, "", "TemplateFailed: template.data[a] is no valid template", 1},
		"a template that fails":         {"genesys-cloud", []edit{{"  vendor:", "  target:\n    template:\n      data:\n        a: \"{{ .Extra.nope }}\"\n  vendor:"}}, "", "TemplateFailed: template.data[a] uses \"nope\", which the vendor's answer does not hold", 1},
		"no OAuthToken":                 {"genesys-cloud", []edit{{"kind: OAuthToken", "kind: Token"}}, "", "there is no OAuthToken in the file, only Token", 1},
		"no kind":                       {"genesys-cloud", []edit{{"kind: OAuthToken", "sort: OAuthToken"}}, "", "document 2 of the file: this is no Kubernetes object", 1},
		"a number for a text":           {"genesys-cloud", []edit{{"  vendor: genesys-cloud", "  vendor: 7"}}, "", "put the value in quotes", 1},
		"no YAML":                       {"genesys-cloud", []edit{{"kind: OAuthToken", "kind: [OAuthToken"}}, "", "document 2 of the file: ", 1},
		"a value that is an anchor":     {"genesys-cloud", []edit{{"  vendor: genesys-cloud", "  vendor: *" + canary}}, "", "document 2 of the file: ", 1},
		"a request that is left out":    {"genesys-cloud", nil, "--no-request", "left out (--no-request)", 0},
		"vendors that are none":         {"genesys-cloud", nil, "--vendors-dir=/does/not/exist", "/does/not/exist", 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCounter(t)
			manifest := c.manifest(c.catalogue(), test.vendor, cc)
			for _, e := range test.edits {
				if !strings.Contains(manifest, e.old) {
					t.Fatalf("%q is not in:\n%s", e.old, manifest)
				}
				manifest = strings.Replace(manifest, e.old, e.with, 1)
			}
			said, exit := c.try(manifest, strings.Fields(test.arguments)...)
			wants(t, said, exit, test.want, test.exit)
		})
	}
}

func TestAnEndOfAClientSecretThatCanNotBeReadIsTold(t *testing.T) {
	c := newCounter(t)
	manifest := c.manifest(c.catalogue(), "genesys-cloud", oauth.ClientCredentials)
	manifest = strings.Replace(manifest, "  labels:", "  annotations:\n    tokensync.dev/client-secret-expires-at: \"2027-05-01\"\n  labels:", 1)
	said, exit := c.try(manifest)
	wants(t, said, exit, "  warning  credentials   the annotation tokensync.dev/client-secret-expires-at of Secret \"genesys-cloud-client\" is no time such as ", 0)
	wants(t, said, exit, "issued a token", 0)
}

func TestEachOAuthTokenOfAFileIsTried(t *testing.T) {
	c := newCounter(t)
	one := c.manifest(c.catalogue(), "genesys-cloud", oauth.ClientCredentials)
	two := strings.Replace(c.manifest(c.catalogue(), "abbyy-vantage", oauth.ClientCredentials), "client_secret:", "lost:", 1)
	said, exit := c.try("# a comment\n---\n" + one + "---\n" + two + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n")
	wants(t, said, exit, "OAuthToken genesys-cloud, namespace shop\n  ok ", 1)
	wants(t, said, exit, "issued a token", 1)
	wants(t, said, exit, "\nOAuthToken abbyy-vantage, namespace shop\n  FAULT ", 1)
}

func TestALifetimeThatIsNotToldIsAssumed(t *testing.T) {
	c := newCounter(t)
	c.Fail(oauthtest.Match{}, oauthtest.Status(200, "application/json", `{"access_token":"`+canary+`-token","token_type":"bearer","scope":"a"}`))
	said, exit := c.try(c.manifest(c.catalogue(), "abbyy-vantage", oauth.ClientCredentials))
	wants(t, said, exit, "the vendor does not say how long the token lives; 24h are assumed", 0)
	wants(t, said, exit, "granted: a; asked for, but not granted: openid permissions global.wildcard", 0)
}

func TestClaimsOfAJWTAreShownAsUnverified(t *testing.T) {
	c := newCounter(t)
	token := "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEiLCJzZWNyZXQiOiJjYW5hcnktN2YzYSIsImV4cCI6MTg5MzQ1OTYwMH0." + "c2lnbmF0dXJl"
	c.Fail(oauthtest.Match{}, oauthtest.Status(200, "application/json", `{"access_token":"`+token+`","token_type":"bearer","expires_in":60}`))
	said, exit := c.try(c.manifest(c.catalogue(), "genesys-cloud", oauth.ClientCredentials))
	wants(t, said, exit, "its signature is NOT verified:\n                         sub        ada\n                         exp        2030-01-01T01:00:00Z\n", 0)
	wants(t, said, exit, "under 4 minutes: pods may see expired tokens", 0)
	for part := range strings.SplitSeq(token, ".") {
		if strings.Contains(said, part) {
			t.Errorf("a part of the token is shown:\n%s", said)
		}
	}
}

func TestNoVerbositySendsBodiesToTheTerminal(t *testing.T) {
	command := newCommand(genericiooptions.NewTestIOStreamsDiscard(), time.Now, nil)
	command.SetArgs([]string{"test", "-f", "-", "-v=9"})
	if err := command.ExecuteContext(context.Background()); err == nil || !strings.Contains(err.Error(), "unknown shorthand flag: 'v'") {
		t.Errorf("-v is taken: %v", err)
	}
}
