package oauth

import (
	"cmp"
	"encoding/base64"
	"strings"
	"time"
)

// saml2BearerGrant asks with a SAML assertion (RFC 7522): a ready one from the credentials, or one signed here for each request.
type saml2BearerGrant struct{}

// The forms and encodings of an assertion that is signed here.
const (
	formAssertion = "Assertion"
	formResponse  = "Response"

	encodingBase64URL = "Base64URL"
	encodingBase64    = "Base64"
)

// readyAssertion is the assertion that the credentials hold, in one line (RFC 7522, section 2.1): tools that encode it break it into several.
func (c Credentials) readyAssertion() (Sensitive, bool) {
	assertion := strings.Join(strings.Fields(c["assertion"].Reveal()), "")
	return NewSensitive(assertion), assertion != ""
}

// signs tells whether there is anything to sign an assertion with.
func (c Credentials) signs() bool {
	return !c["saml_signing_key"].IsEmpty() || !c["saml_signing_certificate"].IsEmpty()
}

// awaitsAssertion tells whether neither an assertion is there nor anything stated by which one could be made: it was sent and tidied away, or is
// still to come.
func (s Settings) awaitsAssertion() bool {
	_, ready := s.Credentials.readyAssertion()
	stated := s.SAML2Bearer
	return s.Credentials != nil && !ready && !s.Credentials.signs() && stated.Issuer+stated.Subject+stated.Audience+stated.Recipient == "" &&
		len(stated.Attributes) == 0 && stated.Lifetime == 0
}

func (saml2BearerGrant) keys(s Settings) []string {
	if _, ready := s.Credentials.readyAssertion(); ready {
		return []string{"assertion"}
	}
	if s.awaitsAssertion() {
		return nil
	}
	return []string{"saml_signing_key", "saml_signing_certificate"}
}

func (saml2BearerGrant) check(s Settings, faults *faults) {
	assertion, ready := s.Credentials.readyAssertion()
	ready = ready || s.awaitsAssertion()
	if strings.Contains(assertion.Reveal(), "<") {
		faults.addCredentials("the key assertion of the credentials Secret holds XML as it is: encode it first, with base64url, or with base64 where the " +
			"vendor wants that")
	}
	switch {
	case ready && s.Credentials.signs():
		faults.addCredentials("the credentials Secret holds both an assertion and a signing key or certificate: " +
			"remove the key assertion, or saml_signing_key and saml_signing_certificate")
	case !ready && s.SAML2Bearer.Issuer == "":
		faults.addSpec("spec.saml2Bearer.issuer is missing: name the identity provider that signs the assertion")
	}
	if !ready && s.SAML2Bearer.Subject == "" {
		faults.addSpec("spec.saml2Bearer.subject is missing: name the user whom the token is for")
	}
	format := AssertionFormat{Form: s.SAML2Bearer.Form, Encoding: s.SAML2Bearer.Encoding}
	checkAssertionFormat("spec.saml2Bearer.", format, faults.addSpec)
	checkAssertionText(s.SAML2Bearer, faults)
}

func checkAssertionFormat(path string, format AssertionFormat, add func(string, ...any)) {
	if form := cmp.Or(format.Form, formAssertion); form != formAssertion && form != formResponse {
		add("%sform must be Assertion or Response, not %s", path, quote(form))
	}
	if encoding := cmp.Or(format.Encoding, encodingBase64URL); encoding != encodingBase64URL && encoding != encodingBase64 {
		add("%sencoding must be Base64URL or Base64, not %s", path, quote(encoding))
	}
}

func (saml2BearerGrant) parameters(f *Flow, now time.Time) (form, error) {
	assertion, ready := f.ReadyAssertion()
	if !ready {
		var err error
		if assertion, err = f.signedAssertion(now); err != nil {
			return nil, err
		}
	}
	bearer := form{"grant_type": NewSensitive("urn:ietf:params:oauth:grant-type:saml2-bearer"), "assertion": assertion}
	return joinForms(bearer, f.scopeForm()), nil
}

// signedAssertion builds, signs and encodes a new assertion. Its form and encoding are the user's, else the vendor's, else those
// of RFC 7522, section 2.1.
func (f *Flow) signedAssertion(now time.Time) (Sensitive, error) {
	var faults faults
	signer := parseSAMLSigner(f.settings.Credentials, now, &faults)
	if err := faults.err(); err != nil {
		return Sensitive{}, err
	}
	settings, vendor := f.settings.SAML2Bearer, f.Vendor.Grants[SAML2Bearer].Assertion
	settings.Audience = cmp.Or(settings.Audience, f.Endpoints.TokenURL)
	settings.Recipient = cmp.Or(settings.Recipient, f.Endpoints.TokenURL)
	settings.Form = cmp.Or(settings.Form, vendor.Form, formAssertion)
	document, err := newSAMLDocument(settings, now, signer)
	if err != nil {
		faults.addCredentials("the assertion can't be signed with saml_signing_key: check that it is an RSA or ECDSA key")
		return Sensitive{}, faults.err()
	}
	if cmp.Or(settings.Encoding, vendor.Encoding, encodingBase64URL) == encodingBase64 {
		return NewSensitive(base64.StdEncoding.EncodeToString(document)), nil
	}
	return NewSensitive(base64.RawURLEncoding.EncodeToString(document)), nil
}
