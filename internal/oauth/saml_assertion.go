package oauth

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// Names of SAML 2.0 (saml-core-2.0-os).
const (
	samlAssertionNamespace = "urn:oasis:names:tc:SAML:2.0:assertion"
	samlProtocolNamespace  = "urn:oasis:names:tc:SAML:2.0:protocol"
	samlBearer             = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	samlContext            = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
	samlBasicName          = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
	samlSuccess            = "urn:oasis:names:tc:SAML:2.0:status:Success"
)

const (
	// assertionLifetime is how long an assertion is good where the user states nothing: it is used at once.
	assertionLifetime = 5 * time.Minute
	// assertionSkew is how far the server's clock may be behind ours.
	assertionSkew = 30 * time.Second
)

// newSAMLDocument builds and signs an assertion that fulfils RFC 7522, section 3, and puts it into a response where the settings
// say so. All settings but the lifetime and the attributes are given.
func newSAMLDocument(settings AssertionSettings, now time.Time, signer *samlSigner) ([]byte, error) {
	assertion := newAssertion(settings, now.UTC().Truncate(time.Second))
	if err := signer.sign(assertion); err != nil {
		return nil, err
	}
	root := assertion
	if settings.Form == formResponse {
		root = newResponse(settings, now.UTC().Truncate(time.Second), assertion)
	}
	document := etree.NewDocumentWithRoot(root)
	// What was digested is the canonical form: characters are written as it has them.
	document.WriteSettings = etree.WriteSettings{CanonicalEndTags: true, CanonicalText: true, CanonicalAttrVal: true}
	return document.WriteToBytes()
}

// newAssertion is the unsigned assertion; its children are in the order of the schema.
func newAssertion(s AssertionSettings, now time.Time) *etree.Element {
	end := xmlTime(now.Add(cmp.Or(s.Lifetime, assertionLifetime)))
	assertion := etree.NewElement("saml:Assertion")
	assertion.CreateAttr("xmlns:saml", samlAssertionNamespace)
	identify(assertion, now)
	child(assertion, "saml:Issuer").SetText(s.Issuer) // RFC 7522, section 3, item 1

	subject := child(assertion, "saml:Subject") // items 3 and 5
	child(subject, "saml:NameID").SetText(s.Subject)
	confirmation := child(subject, "saml:SubjectConfirmation", "Method", samlBearer)
	child(confirmation, "saml:SubjectConfirmationData", "NotOnOrAfter", end, "Recipient", s.Recipient)

	conditions := child(assertion, "saml:Conditions", "NotBefore", xmlTime(now.Add(-assertionSkew)), "NotOnOrAfter", end) // item 4
	child(child(conditions, "saml:AudienceRestriction"), "saml:Audience").SetText(s.Audience)                             // item 2

	// Item 7 would leave it out where no user was present; services that take browsers' assertions, as Genesys Cloud does,
	// demand it.
	authentication := child(assertion, "saml:AuthnStatement", "AuthnInstant", xmlTime(now))
	child(child(authentication, "saml:AuthnContext"), "saml:AuthnContextClassRef").SetText(samlContext)
	addAttributes(assertion, s.Attributes)
	return assertion
}

// addAttributes adds the attribute statement, which must not be empty.
func addAttributes(assertion *etree.Element, attributes map[string]string) {
	if len(attributes) == 0 {
		return
	}
	statement := child(assertion, "saml:AttributeStatement")
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		attribute := child(statement, "saml:Attribute", "Name", name, "NameFormat", samlBasicName)
		child(attribute, "saml:AttributeValue").SetText(attributes[name])
	}
}

// newResponse is what an identity provider would have a browser post (saml-core, section 3.3.3).
func newResponse(s AssertionSettings, now time.Time, assertion *etree.Element) *etree.Element {
	response := etree.NewElement("samlp:Response")
	response.CreateAttr("xmlns:samlp", samlProtocolNamespace)
	response.CreateAttr("xmlns:saml", samlAssertionNamespace)
	identify(response, now)
	response.CreateAttr("Destination", s.Recipient)
	child(response, "saml:Issuer").SetText(s.Issuer)
	child(child(response, "samlp:Status"), "samlp:StatusCode", "Value", samlSuccess)
	response.AddChild(assertion)
	return response
}

// identify gives an element what servers recognise a repeated one by: an ID of 128 random bits, new each time. An XML ID must not
// start with a digit.
func identify(element *etree.Element, now time.Time) {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails; see its documentation
	element.CreateAttr("ID", "_"+hex.EncodeToString(id))
	element.CreateAttr("IssueInstant", xmlTime(now))
	element.CreateAttr("Version", "2.0")
}

// child appends an element with attributes given as names and values.
func child(parent *etree.Element, tag string, attributes ...string) *etree.Element {
	element := parent.CreateElement(tag)
	for pair := range slices.Chunk(attributes, 2) {
		element.CreateAttr(pair[0], pair[1])
	}
	return element
}

func xmlTime(t time.Time) string { return t.Format("2006-01-02T15:04:05Z") }

// checkAssertionText refuses what XML can't hold, or would hold changed (line ends).
func checkAssertionText(s AssertionSettings, faults *faults) {
	texts := map[string]string{"issuer": s.Issuer, "subject": s.Subject, "audience": s.Audience, "recipient": s.Recipient}
	for name, value := range s.Attributes {
		texts["attributes"] += name + value
	}
	for _, field := range slices.Sorted(maps.Keys(texts)) {
		if !utf8.ValidString(texts[field]) || strings.ContainsFunc(texts[field], unfitForXML) {
			faults.addSpec("spec.saml2Bearer.%s must not hold line breaks or other control characters", field)
		}
	}
}

// unfitForXML follows the definition of Char in XML 1.0, section 2.2.
func unfitForXML(r rune) bool { return unicode.IsControl(r) || r == 0xFFFE || r == 0xFFFF }
