package oauthtest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// catalogue is the embedded one with its endpoints pointed at the server.
func catalogue(t *testing.T, s *oauthtest.Server) *oauth.Catalogue {
	t.Helper()
	overrides, err := s.Overrides(os.DirFS("../vendors"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, entry := range overrides {
		if err = os.WriteFile(filepath.Join(dir, name), entry, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	loaded, err := oauth.LoadCatalogue(dir)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// keyPair is a signing key with its certificate, in PEM.
func keyPair(t *testing.T) (key, certificate []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp.acme.example"},
		NotBefore: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// credentials are the values of a credentials Secret, given as keys and values.
func credentials(pairs ...string) oauth.Credentials {
	values := oauth.Credentials{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = oauth.NewSensitive(pairs[i+1])
	}
	return values
}

// TestTheExampleManifestsGetTokens has the client and the server, which share no code, agree on every vendor and unattended grant.
func TestTheExampleManifestsGetTokens(t *testing.T) {
	key, certificate := keyPair(t)
	tests := map[string]oauth.Settings{
		"SFR": {
			Vendor:      "sfr-global-contact-center",
			Parameters:  map[string]string{"tenant": "sfrxxx01-sfrresell"},
			Credentials: credentials("client_id", "sfr-api", "client_secret", "change-me", "username", "api-admin", "password", "change-me"),
		},
		"Genesys, client credentials": {
			Vendor:      "genesys-cloud",
			Parameters:  map[string]string{"region": "mypurecloud.de"},
			Credentials: credentials("client_id", "6a6ee7a1-3a4c-4b6d-9a3f-0e8a1b2c3d4e", "client_secret", "change-me"),
		},
		"Genesys, SAML2 bearer": {
			Vendor: "genesys-cloud", Grant: oauth.SAML2Bearer,
			Parameters: map[string]string{"region": "mypurecloud.com", "org_name": "acme-contact"},
			SAML2Bearer: oauth.AssertionSettings{
				Issuer: "https://idp.acme.example/metadata", Subject: "integration@acme.example",
				Audience: "https://tokens.acme.example/saml", Recipient: "https://tokens.acme.example/saml",
				Attributes: map[string]string{"email": "integration@acme.example", "OrganizationName": "acme-contact"},
			},
			Credentials: credentials("client_id", "77777777-8888-4999-8aaa-bbbbccccdddd", "client_secret", "change-me",
				"saml_signing_key", string(key), "saml_signing_certificate", string(certificate)),
		},
		"Bright Pattern": {
			Vendor:      "bright-pattern",
			Parameters:  map[string]string{"tenant": "example.brightpattern.com", "tenant_parameter": "tenant"},
			Credentials: credentials("client_id", "api.user", "client_secret", "change-me", "host", "example.brightpattern.com"),
		},
		"ABBYY": {
			Vendor: "abbyy-vantage", Grant: oauth.ClientCredentials,
			Parameters:  map[string]string{"region": "us"},
			Credentials: credentials("client_id", "vantage-integration", "client_secret", "change-me"),
		},
		"generic": {
			Vendor: "generic", Grant: oauth.ClientCredentials,
			Endpoints:   oauth.Endpoints{TokenURL: "HERE"},
			Parameters:  map[string]string{"audience": "https://api.warehouse.example"},
			Scopes:      []string{"orders.read", "orders.write"},
			Credentials: credentials("client_id", "warehouse", "client_secret", "change-me"),
		},
	}
	for name, settings := range tests {
		t.Run(name, func(t *testing.T) {
			s := oauthtest.Serve(t)
			provider, err := oauthtest.ExampleIdentityProvider(certificate)
			if err != nil {
				t.Fatal(err)
			}
			s.Trust(provider)
			settings.CABundle, settings.AllowedHosts = s.CABundle(), []string{s.Host()}
			if settings.Endpoints.TokenURL != "" {
				settings.Endpoints.TokenURL = s.TokenURL(oauthtest.Generic)
			}
			flow, err := catalogue(t, s).Resolve(settings)
			if err != nil {
				t.Fatal(err)
			}
			request, err := flow.TokenRequest(time.Now())
			if err != nil {
				t.Fatal(err)
			}
			client := oauth.NewClient(oauth.ClientOptions{
				AllowLoopback: true, Now: time.Now, Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
			})
			t.Cleanup(client.CloseIdleConnections)
			token, err := client.Token(t.Context(), request)
			if err != nil {
				t.Fatalf("%v; the server saw %v", err, s.Requests())
			}
			if !s.IsLive(token.AccessToken.Reveal()) {
				t.Error("the token is not live")
			}
		})
	}
}
