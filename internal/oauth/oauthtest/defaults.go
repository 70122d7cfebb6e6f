package oauthtest

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// The example manifests' values that more than one place needs.
const (
	exampleSecret = "change-me"
	exampleTenant = "5c0a1f3e-2222-4333-8444-555566667777" // at ABBYY; the manifests name none
)

// registerExamples registers the clients and users of the example manifests.
func (s *Server) registerExamples() {
	s.Register(
		Client{Vendor: SFR, ID: "sfr-api", Secret: exampleSecret, Grants: []string{Password}},
		Client{
			Vendor: Genesys, ID: "6a6ee7a1-3a4c-4b6d-9a3f-0e8a1b2c3d4e", Secret: exampleSecret,
			Grants: []string{ClientCredentials},
		},
		Client{ // a SCIM client, with the longest life that one can be given
			Vendor: Genesys, ID: "0f9b2c1e-1111-4222-8333-444455556666", Secret: exampleSecret,
			Grants: []string{ClientCredentials}, Lifetime: 38_880_000 * time.Second,
		},
		Client{
			Vendor: Genesys, ID: "77777777-8888-4999-8aaa-bbbbccccdddd", Secret: exampleSecret,
			Grants: []string{SAML2Bearer},
		},
		Client{
			Vendor: Genesys, ID: "12121212-3434-4565-8787-909090909090", Secret: exampleSecret,
			Grants: []string{AuthorizationCode, RefreshToken}, Scopes: []string{"users", "conversations"},
			RefreshTokens: true, Rotation: Rotate,
		},
		Client{
			Vendor: Genesys, ID: "99999999-0000-4111-8222-333344445555", Grants: []string{Implicit}, Authentication: None,
		},
		Client{
			Vendor: BrightPattern, ID: "api.user", Secret: exampleSecret,
			Grants: []string{ClientCredentials}, Tenant: "example.brightpattern.com",
		},
		Client{
			Vendor: ABBYY, ID: "vantage-integration", Secret: exampleSecret, Tenant: exampleTenant,
			Grants: []string{ClientCredentials, Password, AuthorizationCode, RefreshToken},
			Scopes: []string{"openid", "permissions", "global.wildcard"}, RefreshTokens: true,
		},
		Client{
			Vendor: Generic, ID: "warehouse", Secret: exampleSecret, Grants: []string{ClientCredentials},
			Scopes:     []string{"orders.read", "orders.write"},
			Parameters: map[string]string{"audience": "https://api.warehouse.example"},
		},
	)
	s.SetPassword(User{SFR, "sfrxxx01-sfrresell", "api-admin", exampleSecret})
	s.SetPassword(User{ABBYY, exampleTenant, "integration@acme.example", exampleSecret})
	// who signs in at the vendors' pages
	for vendor, tenant := range map[Vendor]string{Genesys: "", ABBYY: exampleTenant, Generic: ""} {
		s.SetPassword(User{vendor, tenant, ExampleUsername, ExamplePassword})
	}
}

// ExampleIdentityProvider is the one that the SAML2 example manifest speaks for, with the certificate that is in that manifest's
// place (PEM).
func ExampleIdentityProvider(certificate []byte) (IdentityProvider, error) {
	block, _ := pem.Decode(certificate)
	if block == nil {
		return IdentityProvider{}, errors.New("the identity provider's certificate is not PEM")
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return IdentityProvider{}, fmt.Errorf("reading the identity provider's certificate: %w", err)
	}
	return IdentityProvider{
		Vendor:       Genesys,
		OrgName:      "acme-contact",
		Issuer:       "https://idp.acme.example/metadata",
		Audience:     "https://tokens.acme.example/saml",
		Recipient:    "https://tokens.acme.example/saml",
		Subjects:     []string{"integration@acme.example"},
		Certificates: []*x509.Certificate{parsed},
	}, nil
}
