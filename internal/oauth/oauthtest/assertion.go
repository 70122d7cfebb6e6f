package oauthtest

import (
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

// The namespaces and constants of SAML 2.0 that are looked for.
const (
	samlProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	samlAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
	samlBearer    = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	samlSuccess   = "urn:oasis:names:tc:SAML:2.0:status:Success"
)

// The roots that a document may have.
const (
	assertionRoot = "Assertion"
	responseRoot  = "Response"
)

// judge refuses an assertion that a vendor would refuse (RFC 7522, section 3), and one that it has seen before. Only what the
// signature covers is believed.
func (x *exchange) judge(xml []byte, root string, provider IdentityProvider) *refusal {
	document := etree.NewDocument()
	if err := document.ReadFromBytes(xml); err != nil || document.Root() == nil {
		return refuse(invalidGrant, "the assertion is not XML")
	}
	if document.Root().Tag != root {
		return refuse(invalidGrant, "a SAML %s is expected", root)
	}
	if root == responseRoot && !successful(document.Root(), provider) {
		return refuse(invalidGrant, "the SAML response is not a success, or is meant for somebody else")
	}
	now := x.server.now()
	assertion := signedAssertion(document.Root(), provider, now)
	if assertion == nil {
		return refuse(invalidGrant, "no assertion is signed by a trusted key")
	}
	return x.judgeSigned(inspector{assertion}, provider, now)
}

// judgeSigned checks, in the order of RFC 7522, section 3, what the assertion says.
func (x *exchange) judgeSigned(a inspector, provider IdentityProvider, now time.Time) *refusal {
	id := a.root.SelectAttrValue("ID", "")
	end := a.time("NotOnOrAfter", "Conditions")
	switch {
	case a.text("Issuer") != provider.Issuer:
		return refuse(invalidGrant, "the issuer is not the organization's")
	case a.text("Conditions", "AudienceRestriction", "Audience") != provider.Audience:
		return refuse(invalidGrant, "the audience is wrong")
	case a.text("Subject", "NameID") == "":
		return refuse(invalidGrant, "the subject is missing")
	case len(provider.Subjects) > 0 && !slices.Contains(provider.Subjects, a.text("Subject", "NameID")):
		return refuse(invalidGrant, "no user is the subject")
	case a.time("NotBefore", "Conditions").After(now):
		return refuse(invalidGrant, "the assertion is not valid yet")
	case !end.After(now):
		return refuse(invalidGrant, "the assertion has no end or is past it")
	case a.attribute("Method", "Subject", "SubjectConfirmation") != samlBearer:
		return refuse(invalidGrant, "the confirmation method is not bearer")
	case a.attribute("Recipient", "Subject", "SubjectConfirmation", "SubjectConfirmationData") != provider.Recipient:
		return refuse(invalidGrant, "the recipient is wrong")
	case !a.time("NotOnOrAfter", "Subject", "SubjectConfirmation", "SubjectConfirmationData").After(now):
		return refuse(invalidGrant, "the confirmation has no end or is past it")
	case id == "":
		return refuse(invalidGrant, "the assertion has no ID")
	case !x.server.vault.accept(provider.Issuer+" "+id, end):
		return refuse(invalidGrant, "the assertion was used before")
	}
	return nil
}

// successful tells whether the response says so, and is meant for the recipient where it says for whom.
func successful(response *etree.Element, provider IdentityProvider) bool {
	status, err := etreeutils.NSFindOne(response, samlProtocol, "StatusCode")
	if err != nil || status == nil || status.SelectAttrValue("Value", "") != samlSuccess {
		return false
	}
	destination := response.SelectAttrValue("Destination", provider.Recipient)
	return destination == provider.Recipient
}

// signedAssertion is the one assertion, if it or the response around it is signed by the provider; else nil.
func signedAssertion(root *etree.Element, provider IdentityProvider, now time.Time) *etree.Element {
	useASN1(root)
	judge := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: provider.Certificates})
	judge.Clock = dsig.NewFakeClockAt(now)
	if signed, err := judge.Validate(root); err == nil {
		return theAssertion(signed)
	}
	assertion := theAssertion(root)
	if assertion == nil {
		return nil
	}
	signed, err := judge.Validate(assertion)
	if err != nil {
		return nil
	}
	return signed
}

// useASN1 turns ECDSA signatures into the form that goxmldsig verifies, which is not XML Signature's: that is both numbers one after
// the other, each as long as the curve's order (RFC 6931, section 2.3.6). What is not of that form is made invalid.
func useASN1(root *etree.Element) {
	for _, signature := range root.FindElements("//Signature") {
		method, value := signature.FindElement("./SignedInfo/SignatureMethod"), signature.FindElement("./SignatureValue")
		if method == nil || value == nil || !strings.Contains(method.SelectAttrValue("Algorithm", ""), "#ecdsa-") {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(value.Text())
		half := len(raw) / 2
		if err != nil || len(raw) != 2*half || !slices.Contains([]int{32, 48, 66}, half) { // P-256, P-384, P-521
			value.SetText("")
			continue
		}
		numbers := struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])}
		if encoded, err := asn1.Marshal(numbers); err == nil {
			value.SetText(base64.StdEncoding.EncodeToString(encoded))
		}
	}
}

// theAssertion is the root itself or its one assertion, with the namespaces of its parents; nil where there are none or several.
func theAssertion(root *etree.Element) *etree.Element {
	if root.Tag == assertionRoot && root.NamespaceURI() == samlAssertion {
		return root
	}
	found := 0
	for _, child := range root.ChildElements() {
		if child.Tag == assertionRoot {
			found++
		}
	}
	assertion, err := etreeutils.NSSelectOne(root, samlAssertion, assertionRoot)
	if found != 1 || err != nil {
		return nil
	}
	return assertion
}

// inspector reads an assertion. A path that does not lead anywhere reads as empty.
type inspector struct{ root *etree.Element }

func (i inspector) at(path ...string) *etree.Element {
	element := i.root
	for _, tag := range path {
		children := element.ChildElements()
		at := slices.IndexFunc(children, func(c *etree.Element) bool { return c.Tag == tag && c.NamespaceURI() == samlAssertion })
		if at < 0 {
			return etree.NewElement("none")
		}
		element = children[at]
	}
	return element
}

func (i inspector) text(path ...string) string { return i.at(path...).Text() }

func (i inspector) attribute(name string, path ...string) string {
	return i.at(path...).SelectAttrValue(name, "")
}

// time is the attribute's instant; the zero time where it has none.
func (i inspector) time(name string, path ...string) time.Time {
	instant, err := time.Parse(time.RFC3339Nano, i.attribute(name, path...))
	if err != nil {
		return time.Time{}
	}
	return instant
}
