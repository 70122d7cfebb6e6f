package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"k8s.io/utils/clock"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// lifetime is that of the vendor's tokens, so short that renewals are seen. Those of the SCIM client keep their 450 days.
const lifetime = 20 * time.Second

// catalogueFolder holds the catalogue's entries.
const catalogueFolder = "internal/oauth/vendors"

// scriptedVendor plays all vendors, over TLS.
type scriptedVendor struct {
	*oauthtest.Server
	overrides string // folder for --vendors-dir: the catalogue's entries, which lead to this server
	authority string // file with the certificate of the authority that signed the server's
}

// startVendor has browsers come back to redirectURI.
func startVendor(folder, redirectURI string) (*scriptedVendor, error) {
	v := &scriptedVendor{
		Server:    oauthtest.New(oauthtest.WithLifetime(lifetime)),
		overrides: filepath.Join(folder, "vendors"), authority: filepath.Join(folder, "vendor-ca.pem"),
	}
	if err := v.StartTLS(); err != nil {
		return nil, fmt.Errorf("the scripted vendor does not start: %w", err)
	}
	v.RegisterRedirectURI(redirectURI)
	return v, v.write()
}

// The person whom the scripted vendor knows.
const (
	personName     = "ada"
	personPassword = "change-me"
)

// write makes the files that point the manager here.
func (v *scriptedVendor) write() error {
	entries, err := v.Overrides(os.DirFS(catalogueFolder))
	if err != nil {
		return err
	}
	if err := os.Mkdir(v.overrides, 0o700); err != nil {
		return err
	}
	for name, entry := range entries {
		if err := os.WriteFile(filepath.Join(v.overrides, name), entry, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(v.authority, v.CABundle(), 0o600)
}

// trustNewPair makes the key pair of an identity provider, which the vendor trusts from then on, in PEM.
func (v *scriptedVendor) trustNewPair(c clock.PassiveClock) (key, certificate []byte, err error) {
	key, certificate, err = newKeyPair(c.Now())
	if err != nil {
		return nil, nil, fmt.Errorf("make a key pair: %w", err)
	}
	provider, err := oauthtest.ExampleIdentityProvider(certificate)
	if err != nil {
		return nil, nil, err
	}
	v.Trust(provider)
	return key, certificate, nil
}

// newKeyPair is a private key and its self-signed certificate, good for a day.
func newKeyPair(now time.Time) (key, certificate []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp.acme.example"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), nil
}
