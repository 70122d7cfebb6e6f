package oauth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/internal/xmlsec"
)

// keyPair is an identity provider's key in PEM forms, and its certificate.
type keyPair struct{ pkcs8, traditional, certificate string }

var (
	rsaPair   = sync.OnceValue(func() keyPair { return newKeyPair(must(rsa.GenerateKey(rand.Reader, 2048)), 2020, 2100) })
	ecdsaPair = sync.OnceValue(func() keyPair { return newKeyPair(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), 2020, 2100) })
	widePair  = sync.OnceValue(func() keyPair { return newKeyPair(must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)), 2020, 2100) })
)

func newKeyPair(key crypto.Signer, firstYear, lastYear int) keyPair {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp.acme.example"}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(lastYear, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	pair := keyPair{
		pkcs8:       pemText("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))),
		certificate: pemText("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))),
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		pair.traditional = pemText("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	case *ecdsa.PrivateKey: // as openssl ecparam -genkey writes it
		pair.traditional = pemText("EC PARAMETERS", []byte{6, 0}) + pemText("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(key)))
	}
	return pair
}

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// samlSettings are those of the example for Genesys Cloud, with a key pair.
func samlSettings(key, certificate string, change func(*AssertionSettings)) Settings {
	s := Settings{
		Vendor: "genesys-cloud", Grant: SAML2Bearer, Parameters: map[string]string{"region": "mypurecloud.com", "org_name": "acme-contact"},
		SAML2Bearer: AssertionSettings{
			Issuer: "https://idp.acme.example/metadata", Subject: "integration@acme.example", Audience: "https://tokens.acme.example/saml",
			Recipient:  "https://tokens.acme.example/acs?a=1&b=2",
			Attributes: map[string]string{"email": "integration@acme.example", "OrganizationName": `Ünïcode <&> "quoted" 'single' 漢`},
		},
		Credentials: client("saml_signing_key", key, "saml_signing_certificate", certificate),
	}
	if change != nil {
		change(&s.SAML2Bearer)
	}
	return s
}

// sentAssertion is the assertion of a new token request, as it is sent.
func sentAssertion(t *testing.T, flow *Flow) string {
	t.Helper()
	_, body := sent(t, mustTokenRequest(t, flow))
	return body.Get("assertion")
}

// TestSignedAssertionsVerify asks xmlsec1, which shares no code with us, whether a signature is good.
func TestSignedAssertionsVerify(t *testing.T) {
	tests := map[string]struct {
		key, others, certificate string
		form                     string
	}{
		"RSA, PKCS#8, in a response":       {rsaPair().pkcs8, "", rsaPair().certificate, formResponse},
		"RSA, PKCS#1, by itself":           {rsaPair().traditional, "", rsaPair().certificate, formAssertion},
		"ECDSA P-256, PKCS#8, by itself":   {ecdsaPair().pkcs8, "", ecdsaPair().certificate, formAssertion},
		"ECDSA P-256, SEC1, in a response": {ecdsaPair().traditional, "", ecdsaPair().certificate, formResponse},
		"ECDSA P-521, by itself":           {widePair().pkcs8, "", widePair().certificate, formAssertion},
		"the certificate behind another":   {rsaPair().pkcs8, ecdsaPair().certificate, rsaPair().certificate, formAssertion},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			flow := mustResolve(t, samlSettings(test.key, test.others+test.certificate, func(s *AssertionSettings) { s.Form = test.form }))
			document := must(base64.StdEncoding.DecodeString(sentAssertion(t, flow)))
			if err := xmlsec.Verify(t.Context(), document, []byte(test.certificate)); err != nil {
				t.Errorf("the signature is refused: %v\n%s", err, document)
			}
			for _, part := range []string{"integration@acme", "tokens.acme.example/acs", "OrganizationName", "NotOnOrAfter=\"2026"} {
				at := bytes.LastIndex(document, []byte(part)) // the last: what stands before it may belong to the response
				if at < 0 {
					t.Fatalf("%q is not in the document", part)
				}
				changed := bytes.Clone(document)
				changed[at] ^= 1
				if xmlsec.Verify(t.Context(), changed, []byte(test.certificate)) == nil {
					t.Errorf("a change in %q is not noticed", part)
				}
			}
		})
	}
}

// TestAssertionsSayWhatRFC7522Demands reads the example's assertion, element by element.
func TestAssertionsSayWhatRFC7522Demands(t *testing.T) {
	flow := mustResolve(t, samlSettings(rsaPair().pkcs8, rsaPair().certificate, nil))
	root := readXML(t, must(base64.StdEncoding.DecodeString(sentAssertion(t, flow))))
	if got, want := outline(root), "Response(Issuer Status(StatusCode) Assertion(Issuer Signature Subject(NameID SubjectConfirmation("+
		"SubjectConfirmationData)) Conditions(AudienceRestriction(Audience)) AuthnStatement(AuthnContext(AuthnContextClassRef)) "+
		"AttributeStatement(Attribute(AttributeValue) Attribute(AttributeValue))))"; got != want {
		t.Errorf("elements\n%s, want\n%s", got, want)
	}
	paths := map[string]string{
		"/Response/@Destination": "https://tokens.acme.example/acs?a=1&b=2",
		"/Response/@Version":     "2.0", "/Response/@IssueInstant": "2026-03-04T05:06:07Z",
		"/Response/Status/StatusCode/@Value": "urn:oasis:names:tc:SAML:2.0:status:Success",
		"//Assertion/@Version":               "2.0", "//Assertion/@IssueInstant": "2026-03-04T05:06:07Z",
		"//Assertion/Issuer":                             "https://idp.acme.example/metadata",
		"//Subject/NameID":                               "integration@acme.example",
		"//SubjectConfirmation/@Method":                  "urn:oasis:names:tc:SAML:2.0:cm:bearer",
		"//SubjectConfirmationData/@Recipient":           "https://tokens.acme.example/acs?a=1&b=2",
		"//SubjectConfirmationData/@NotOnOrAfter":        "2026-03-04T05:11:07Z",
		"//Conditions/@NotBefore":                        "2026-03-04T05:05:37Z",
		"//Conditions/@NotOnOrAfter":                     "2026-03-04T05:11:07Z",
		"//Audience":                                     "https://tokens.acme.example/saml",
		"//AuthnStatement/@AuthnInstant":                 "2026-03-04T05:06:07Z",
		"//Attribute[@Name='email']/AttributeValue":      "integration@acme.example",
		"//Attribute[@Name='OrganizationName']/*":        `Ünïcode <&> "quoted" 'single' 漢`,
		"//Signature/SignedInfo/SignatureMethod/@*":      "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
		"//SignedInfo/CanonicalizationMethod/@*":         "http://www.w3.org/2001/10/xml-exc-c14n#",
		"//SignedInfo/Reference/DigestMethod/@Algorithm": "http://www.w3.org/2001/04/xmlenc#sha256",
	}
	got := make(map[string]string)
	for path := range paths {
		got[path] = textAt(root, path)
	}
	if diff := cmp.Diff(paths, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if reference := textAt(root, "//SignedInfo/Reference/@URI"); reference != "#"+textAt(root, "//Assertion/@ID") {
		t.Errorf("the signature refers to %q", reference)
	}
}

func TestAssertionsTakeTheirDefaultsFromTheVendorAndTheRFC(t *testing.T) {
	settings := samlSettings(ecdsaPair().pkcs8, ecdsaPair().certificate, func(s *AssertionSettings) {
		*s = AssertionSettings{Issuer: "idp", Subject: "user", Lifetime: time.Minute}
	})
	settings.Vendor, settings.Parameters = "generic", nil
	settings.Endpoints, settings.AllowedHosts = Endpoints{TokenURL: "https://login.acme.example/token"}, []string{"login.acme.example"}
	root := readXML(t, must(base64.RawURLEncoding.DecodeString(sentAssertion(t, mustResolve(t, settings)))))
	if root.Tag != "Assertion" || textAt(root, "//Audience") != "https://login.acme.example/token" ||
		textAt(root, "//SubjectConfirmationData/@Recipient") != "https://login.acme.example/token" ||
		textAt(root, "//Conditions/@NotOnOrAfter") != "2026-03-04T05:07:07Z" || root.FindElement("//AttributeStatement") != nil {
		t.Errorf("assertion %s", outline(root))
	}
	settings.SAML2Bearer.Form, settings.SAML2Bearer.Encoding = formResponse, encodingBase64
	root = readXML(t, must(base64.StdEncoding.DecodeString(sentAssertion(t, mustResolve(t, settings)))))
	if root.Tag != "Response" {
		t.Errorf("the user's form does not win: %s", root.Tag)
	}
}

func TestEveryRequestHasAnAssertionOfItsOwn(t *testing.T) {
	flow := mustResolve(t, samlSettings(rsaPair().pkcs8, rsaPair().certificate, nil))
	seen := make(map[string]bool)
	for range 3 {
		root := readXML(t, must(base64.StdEncoding.DecodeString(sentAssertion(t, flow))))
		for _, path := range []string{"/Response/@ID", "//Assertion/@ID"} {
			id := textAt(root, path)
			if len(id) != 33 || seen[id] {
				t.Errorf("ID %q is short or was used before", id)
			}
			seen[id] = true
		}
	}
}

// RFC 7522, section 2.1: an assertion must not be line wrapped, as many a tool that encodes it does.
func TestAReadyAssertionIsSentInOneLine(t *testing.T) {
	for _, kept := range []string{"PHNhbWw+", "\n PHNhbWw+\n\n", "PHNh\nbWw+\n", "PHNh\r\n\tbWw+\r\n"} {
		settings := samlSettings("", "", func(s *AssertionSettings) { *s = AssertionSettings{} })
		settings.Credentials = client("assertion", kept)
		flow := mustResolve(t, settings)
		if got := sentAssertion(t, flow); got != "PHNhbWw+" {
			t.Errorf("%q is sent as %q", kept, got)
		}
		ready, ok := flow.ReadyAssertion()
		if _, once := flow.Once(); !ok || ready.Reveal() != "PHNhbWw+" || !once.Equal(ready) || !settings.Credentials.Once(SAML2Bearer).Equal(ready) {
			t.Errorf("%q is known as %q, %t, and once as %q", kept, ready.Reveal(), ok, once.Reveal())
		}
	}
}

func TestAReadyAssertionThatIsNotEncodedIsRefused(t *testing.T) {
	for _, kept := range []string{`<saml:Assertion ID="hidden"/>`, "\n<?xml version=\"1.0\"?>\n<hidden/>\n", "\ufeff<hidden/>"} {
		settings := samlSettings("", "", func(s *AssertionSettings) { *s = AssertionSettings{} })
		settings.Credentials = client("assertion", kept)
		_, err := mustLoad(t, "").Resolve(settings)
		wantFault(t, err, ReasonCredentialsIncomplete, "the key assertion of the credentials Secret holds XML as it is: ")
		if strings.Contains(err.Error(), "hidden") {
			t.Errorf("the fault quotes it: %v", err)
		}
	}
}

func TestFaultsOfASigningPair(t *testing.T) {
	old := newKeyPair(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), 2020, 2025)
	coming := newKeyPair(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), 2030, 2040)
	tests := map[string]struct {
		key, certificate string
		want             []string
	}{
		"neither is PEM": {
			"(PEM)", "(PEM)",
			[]string{"saml_signing_certificate holds no certificate: ", "saml_signing_key holds no usable key: "},
		},
		"the key is encrypted":             {pemText("ENCRYPTED PRIVATE KEY", []byte("x")), rsaPair().certificate, []string{"saml_signing_key holds no usable key: "}},
		"the key is cut":                   {pemText("PRIVATE KEY", []byte("x")), rsaPair().certificate, []string{"saml_signing_key holds no usable key: "}},
		"the certificate is cut":           {rsaPair().pkcs8, pemText("CERTIFICATE", []byte("x")), []string{"saml_signing_certificate holds no certificate: "}},
		"the certificate of another key":   {rsaPair().pkcs8, ecdsaPair().certificate, []string{"saml_signing_certificate does not belong to saml_signing_key: "}},
		"the certificate has expired":      {old.pkcs8, old.certificate, []string{"saml_signing_certificate has expired: "}},
		"the certificate is not valid yet": {coming.pkcs8, coming.certificate, []string{"saml_signing_certificate is not valid yet: "}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := mustResolve(t, samlSettings(test.key, test.certificate, nil)).TokenRequest(testNow)
			for _, fault := range test.want {
				wantFault(t, err, ReasonCredentialsIncomplete, fault)
			}
		})
	}
}

func readXML(t *testing.T, text []byte) *etree.Element {
	t.Helper()
	document := etree.NewDocument()
	if err := document.ReadFromBytes(text); err != nil {
		t.Fatal(err)
	}
	return document.Root()
}

// outline shows the elements, those of a signature left out.
func outline(element *etree.Element) string {
	var children []string
	for _, child := range element.ChildElements() {
		children = append(children, outline(child))
	}
	if len(children) == 0 || element.Tag == "Signature" {
		return element.Tag
	}
	return element.Tag + "(" + strings.Join(children, " ") + ")"
}

// textAt is the text of an element, or the value of an attribute where the path ends in /@name; @* is the first.
func textAt(root *etree.Element, path string) string {
	path, attribute, ok := strings.Cut(path, "/@")
	element := root.FindElement(path)
	switch {
	case element == nil:
		return "(absent)"
	case !ok:
		return element.Text()
	case attribute == "*":
		return element.Attr[0].Value
	}
	return element.SelectAttrValue(attribute, "(absent)")
}
