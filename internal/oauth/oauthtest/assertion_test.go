package oauthtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// signer is an identity provider's key with its certificate.
type signer struct {
	key         crypto.Signer
	certificate []byte // DER
}

func newSigner(t *testing.T) signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := certificateTemplate("idp", 3)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key, der}
}

func parse(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// sign puts an enveloped signature into the element.
func (s signer) sign(t *testing.T, element *etree.Element) *etree.Element {
	t.Helper()
	signing, err := dsig.NewSigningContext(s.key, [][]byte{s.certificate})
	if err != nil {
		t.Fatal(err)
	}
	signing.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	signed, err := signing.SignEnveloped(element)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// rightAssertion is what the SAML2 example manifest asks for, at epoch.
const rightAssertion = `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a1" Version="2.0" IssueInstant="2026-03-01T12:00:00Z">` +
	`<saml:Issuer>https://idp.acme.example/metadata</saml:Issuer>` +
	`<saml:Subject><saml:NameID>integration@acme.example</saml:NameID>` +
	`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">` +
	`<saml:SubjectConfirmationData NotOnOrAfter="2026-03-01T12:05:00Z" Recipient="https://tokens.acme.example/saml"/>` +
	`</saml:SubjectConfirmation></saml:Subject>` +
	`<saml:Conditions NotBefore="2026-03-01T12:00:00Z" NotOnOrAfter="2026-03-01T12:05:00Z">` +
	`<saml:AudienceRestriction><saml:Audience>https://tokens.acme.example/saml</saml:Audience></saml:AudienceRestriction>` +
	`</saml:Conditions></saml:Assertion>`

const rightResponse = `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r1" Version="2.0" ` +
	`Destination="https://tokens.acme.example/saml"><samlp:Status>` +
	`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status></samlp:Response>`

func element(t *testing.T, xml string) *etree.Element {
	t.Helper()
	document := etree.NewDocument()
	if err := document.ReadFromString(xml); err != nil {
		t.Fatal(err)
	}
	return document.Root()
}

func serialize(t *testing.T, root *etree.Element) string {
	t.Helper()
	document := etree.NewDocument()
	document.SetRoot(root)
	xml, err := document.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return xml
}

// response wraps a signed assertion.
func (s signer) response(t *testing.T, assertion string) string {
	t.Helper()
	root := element(t, rightResponse)
	root.AddChild(s.sign(t, element(t, assertion)))
	return serialize(t, root)
}

func samlForm(xml string) string {
	return url.Values{
		"grant_type": {SAML2Bearer}, "orgName": {"acme-contact"}, "assertion": {base64.StdEncoding.EncodeToString([]byte(xml))},
	}.Encode()
}

// samlServer trusts the signer as the SAML2 example manifest's identity provider.
func samlServer(t *testing.T, trusted signer) *Server {
	t.Helper()
	s := New(WithClock(func() time.Time { return epoch }))
	provider, err := ExampleIdentityProvider(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: trusted.certificate}))
	if err != nil {
		t.Fatal(err)
	}
	s.Trust(provider)
	return s
}

func samlCall(form string) call {
	return call{path: genesysPath, basic: []string{"77777777-8888-4999-8aaa-bbbbccccdddd", "change-me"}, form: form}
}

func TestGenesysJudgesAssertions(t *testing.T) {
	trusted, stranger := newSigner(t), newSigner(t)
	changed := func(old, replacement string) string {
		if !strings.Contains(rightAssertion, old) {
			t.Fatalf("%q is not in the assertion", old)
		}
		return samlForm(trusted.response(t, strings.ReplaceAll(rightAssertion, old, replacement)))
	}
	signedResponse := element(t, rightResponse)
	signedResponse.AddChild(element(t, rightAssertion))
	anonymous := element(t, rightResponse)
	anonymous.AddChild(element(t, strings.Replace(rightAssertion, ` ID="_a1"`, "", 1)))
	tests := map[string]struct {
		form string
		want string // the description; empty: accepted
	}{
		"a signed assertion":     {samlForm(trusted.response(t, rightAssertion)), ""},
		"a signed response":      {samlForm(serialize(t, trusted.sign(t, signedResponse))), ""},
		"no organization":        {with(samlForm("<x/>"), "orgName", ""), "orgName is missing"},
		"another organization":   {with(samlForm("<x/>"), "orgName", "other"), "unknown organization"},
		"base64url":              {with(samlForm(""), "assertion", "PHg_"), "the assertion is not standard base64"},
		"no padding":             {with(samlForm(""), "assertion", "PHgvPj4"), "the assertion is not standard base64"},
		"no XML":                 {samlForm("x"), "the assertion is not XML"},
		"a bare assertion":       {samlForm(serialize(t, trusted.sign(t, element(t, rightAssertion)))), "a SAML Response is expected"},
		"an unsigned assertion":  {samlForm(strings.Replace(rightResponse, "</samlp:Response>", rightAssertion+"</samlp:Response>", 1)), "no assertion is signed by a trusted key"},
		"a stranger's signature": {samlForm(stranger.response(t, rightAssertion)), "no assertion is signed by a trusted key"},
		"a changed byte":         {samlForm(strings.Replace(trusted.response(t, rightAssertion), ">integration@", ">administration@", 1)), "no assertion is signed by a trusted key"},
		"no assertion":           {samlForm(rightResponse), "no assertion is signed by a trusted key"},
		"a second, unsigned assertion": {
			samlForm(strings.Replace(trusted.response(t, rightAssertion), "</samlp:Response>", rightAssertion+"</samlp:Response>", 1)),
			"no assertion is signed by a trusted key",
		},
		"a failed response": {
			samlForm(strings.Replace(trusted.response(t, rightAssertion), "status:Success", "status:Requester", 1)),
			"the SAML response is not a success, or is meant for somebody else",
		},
		"another destination": {
			samlForm(strings.Replace(trusted.response(t, rightAssertion), `Destination="https://tokens`, `Destination="https://other`, 1)),
			"the SAML response is not a success, or is meant for somebody else",
		},
		"another issuer":              {changed("idp.acme.example", "idp.other.example"), "the issuer is not the organization's"},
		"another audience":            {changed("<saml:Audience>https://tokens", "<saml:Audience>https://other"), "the audience is wrong"},
		"another recipient":           {changed(`Recipient="https://tokens`, `Recipient="https://other`), "the recipient is wrong"},
		"no subject":                  {changed("<saml:NameID>integration@acme.example</saml:NameID>", ""), "the subject is missing"},
		"another subject":             {changed("integration@", "nobody@"), "no user is the subject"},
		"not yet valid":               {changed(`NotBefore="2026-03-01T12:00:00Z"`, `NotBefore="2026-03-01T12:00:01Z"`), "the assertion is not valid yet"},
		"past its end":                {changed(`NotBefore="2026-03-01T12:00:00Z" NotOnOrAfter="2026-03-01T12:05:00Z"`, `NotOnOrAfter="2026-03-01T12:00:00Z"`), "the assertion has no end or is past it"},
		"no end":                      {changed(` NotOnOrAfter="2026-03-01T12:05:00Z">`, `>`), "the assertion has no end or is past it"},
		"a confirmation past its end": {changed(`Data NotOnOrAfter="2026-03-01T12:05:00Z"`, `Data NotOnOrAfter="2026-03-01T12:00:00Z"`), "the confirmation has no end or is past it"},
		"another confirmation":        {changed("cm:bearer", "cm:sender-vouches"), "the confirmation method is not bearer"},
		"no ID":                       {samlForm(serialize(t, trusted.sign(t, anonymous))), "the assertion has no ID"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := samlCall(test.form).do(samlServer(t, trusted))
			got, _ := object(t, w.Body.String())["error_description"].(string)
			if got != test.want {
				t.Errorf("status %d, description %q, want %q", w.Code, got, test.want)
			}
		})
	}
}

func TestAnECDSASignatureMustHaveTheFormOfXMLSignature(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := certificateTemplate("idp", 3)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	trusted := signer{key, der} // signs in ASN.1, as goxmldsig does
	asn1Response := element(t, trusted.response(t, rightAssertion))
	rawResponse := asn1Response.Copy()
	value := rawResponse.FindElement("//SignatureValue")
	encoded, err := base64.StdEncoding.DecodeString(value.Text())
	if err != nil {
		t.Fatal(err)
	}
	var numbers struct{ R, S *big.Int }
	if _, err = asn1.Unmarshal(encoded, &numbers); err != nil {
		t.Fatal(err)
	}
	raw := append(numbers.R.FillBytes(make([]byte, 32)), numbers.S.FillBytes(make([]byte, 32))...)
	value.SetText(base64.StdEncoding.EncodeToString(raw))
	for name, test := range map[string]struct {
		response *etree.Element
		want     int
	}{"in ASN.1": {asn1Response, 400}, "raw": {rawResponse, 200}} {
		t.Run(name, func(t *testing.T) {
			if w := samlCall(samlForm(serialize(t, test.response))).do(samlServer(t, trusted)); w.Code != test.want {
				t.Errorf("status %d, want %d: %s", w.Code, test.want, w.Body)
			}
		})
	}
}

func TestAnAssertionIsAcceptedOnce(t *testing.T) {
	trusted := newSigner(t)
	s := samlServer(t, trusted)
	form := samlForm(trusted.response(t, rightAssertion))
	if w := samlCall(form).do(s); w.Code != 200 {
		t.Fatalf("first: %s", w.Body)
	}
	if w := samlCall(form).do(s); object(t, w.Body.String())["error"] != invalidGrant {
		t.Errorf("second: status %d, %s", w.Code, w.Body)
	}
}

func TestAGenericServerTakesABareAssertionInBase64URL(t *testing.T) {
	trusted := newSigner(t)
	s := samlServer(t, trusted)
	provider, _ := s.registry.provider(Genesys, "acme-contact")
	provider.Vendor, provider.OrgName = Generic, ""
	s.Trust(provider)
	s.Register(Client{Vendor: Generic, ID: "app", Secret: "s", Grants: []string{SAML2Bearer}})
	xml := serialize(t, trusted.sign(t, element(t, rightAssertion)))
	for _, test := range []struct {
		encoding *base64.Encoding
		want     int
	}{{base64.URLEncoding, 400}, {base64.StdEncoding, 400}, {base64.RawURLEncoding, 200}} {
		form := url.Values{"grant_type": {SAML2Bearer}, "assertion": {test.encoding.EncodeToString([]byte(xml + " "))}}.Encode()
		if w := (call{path: genericPath, basic: []string{"app", "s"}, form: form}).do(s); w.Code != test.want {
			t.Errorf("status %d, want %d: %s", w.Code, test.want, w.Body)
		}
	}
}
