package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// samlSigner is an identity provider's key pair.
type samlSigner struct {
	key         crypto.Signer
	certificate *x509.Certificate
}

// sign adds an enveloped signature over the element (RFC 7522, section 3, item 9), with SHA-256 and exclusive canonicalisation, so
// that it stays good inside of a response. The schema wants it right behind the issuer, which is the first child.
func (s *samlSigner) sign(element *etree.Element) error {
	signing, err := dsig.NewSigningContext(s.key, [][]byte{s.certificate.Raw})
	if err != nil {
		return err
	}
	signing.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	signature, err := signing.ConstructSignature(element, true)
	if err != nil {
		return err
	}
	element.InsertChildAt(1, signature)
	return nil
}

// parseSAMLSigner reads the pair from the credentials. What is wrong with it becomes faults with their remedies.
func parseSAMLSigner(credentials Credentials, now time.Time, faults *faults) *samlSigner {
	key, err := parsePrivateKey([]byte(credentials["saml_signing_key"].Reveal()))
	if err != nil {
		faults.addCredentials("saml_signing_key holds no usable key: " +
			"put an unencrypted RSA or ECDSA key in PEM there (PKCS#8, PKCS#1 or SEC1)")
	}
	certificates := parseCertificates([]byte(credentials["saml_signing_certificate"].Reveal()))
	if len(certificates) == 0 {
		faults.addCredentials("saml_signing_certificate holds no certificate: put the key's X.509 certificate in PEM there")
	}
	if key == nil || len(certificates) == 0 {
		return nil
	}
	for _, certificate := range certificates {
		if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); ok && public.Equal(certificate.PublicKey) {
			checkValidity(certificate, now, faults)
			return &samlSigner{key: key, certificate: certificate}
		}
	}
	faults.addCredentials("saml_signing_certificate does not belong to saml_signing_key: put the certificate of this key there")
	return nil
}

func checkValidity(certificate *x509.Certificate, now time.Time, faults *faults) {
	switch {
	case now.After(certificate.NotAfter):
		faults.addCredentials("saml_signing_certificate has expired: put a new one there, and give it to the vendor as well")
	case now.Before(certificate.NotBefore):
		faults.addCredentials("saml_signing_certificate is not valid yet: put one there that is")
	}
}

// parsePrivateKey reads the first private key of a PEM text.
func parsePrivateKey(text []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			return asSigner(key, err)
		case "RSA PRIVATE KEY":
			key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
			return asSigner(key, err)
		case "EC PRIVATE KEY":
			key, err := x509.ParseECPrivateKey(block.Bytes)
			return asSigner(key, err)
		}
	}
	return nil, errors.New("no private key")
}

func asSigner(key any, err error) (crypto.Signer, error) {
	if err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return xmlECDSA{key}, nil
	}
	return nil, errors.New("neither RSA nor ECDSA")
}

// parseCertificates reads all certificates of a PEM text; unreadable ones are left out.
func parseCertificates(text []byte) []*x509.Certificate {
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if certificate, err := x509.ParseCertificate(block.Bytes); block.Type == "CERTIFICATE" && err == nil {
			certificates = append(certificates, certificate)
		}
	}
	return certificates
}

// xmlECDSA signs as XML Signature wants it (xmldsig-core1, section 6.4.3): the two numbers one after the other, each as long as the
// curve's order. crypto/ecdsa, and with it goxmldsig, would give an ASN.1 sequence, which other programs refuse.
type xmlECDSA struct{ *ecdsa.PrivateKey }

// Sign implements crypto.Signer.
func (k xmlECDSA) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	sequence, err := k.PrivateKey.Sign(random, digest, options)
	if err != nil {
		return nil, err
	}
	var numbers struct{ R, S *big.Int }
	if _, err = asn1.Unmarshal(sequence, &numbers); err != nil {
		return nil, err
	}
	size := (k.Params().N.BitLen() + 7) / 8
	signature := make([]byte, 2*size)
	numbers.R.FillBytes(signature[:size])
	numbers.S.FillBytes(signature[size:])
	return signature, nil
}
