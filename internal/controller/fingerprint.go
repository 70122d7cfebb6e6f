package controller

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"

	"tokensync.dev/tokensync/internal/oauth"
)

// HashKeySize is the length of the hash key in bytes.
const HashKeySize = 32

const (
	fingerprintVersion = "v1:"
	keyIDSize          = 4
	partSize           = 16
)

// hasher makes keyed hashes, so that nobody who reads them can try out guesses of a password.
type hasher struct{ key []byte }

// sum is the HMAC-SHA-256 of parts, each with its length, so that no two lists of parts look alike.
func (h hasher) sum(parts ...string) []byte {
	mac := hmac.New(sha256.New, h.key)
	for _, part := range parts {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}

// fingerprint tells what shaped a token request: which spec and which credentials. It stands on the target Secret as request-hash.
type fingerprint struct {
	keyID       string // tells a lost key from a changed request
	spec        string
	credentials string // empty: the credentials are not known
	alike       string // of credentials that differ in no more than that one that was sent, and serves no more, is there or not; empty: none
}

// statement is the part of a spec that shapes requests, in a form that must never change: neither Go names nor the catalogue's
// contents are in it, so that an upgrade of the operator requests nothing. Empty members are left out for the same reason.
type statement struct {
	Vendor         string            `json:"vendor,omitempty"`
	Grant          string            `json:"grantType,omitempty"`
	Parameters     map[string]string `json:"parameters,omitempty"`
	Authorization  map[string]string `json:"authorizationParameters,omitempty"`
	Scopes         []string          `json:"scopes,omitempty"`
	TokenURL       string            `json:"tokenURL,omitempty"`
	AuthorizeURL   string            `json:"authorizationURL,omitempty"`
	IssuerURL      string            `json:"issuerURL,omitempty"`
	Authentication string            `json:"clientAuthentication,omitempty"`
	CABundle       []byte            `json:"caBundle,omitempty"`
	Issuer         string            `json:"samlIssuer,omitempty"`
	Subject        string            `json:"samlSubject,omitempty"`
	Audience       string            `json:"samlAudience,omitempty"`
	Recipient      string            `json:"samlRecipient,omitempty"`
	Attributes     map[string]string `json:"samlAttributes,omitempty"`
	Lifetime       int64             `json:"samlLifetimeSeconds,omitempty"`
	Form           string            `json:"samlForm,omitempty"`
	Encoding       string            `json:"samlEncoding,omitempty"`
}

// fingerprintOf hashes what the user stated. used are the keys of the credentials that shape the request; nil credentials leave
// their part empty.
func fingerprintOf(h hasher, s oauth.Settings, used []string) fingerprint {
	spec, err := json.Marshal(statement{
		Vendor: s.Vendor, Grant: string(s.Grant), Parameters: s.Parameters, Authorization: s.AuthorizationParameters,
		Scopes: s.Scopes, TokenURL: s.Endpoints.TokenURL, AuthorizeURL: s.Endpoints.AuthorizationURL,
		IssuerURL: s.Endpoints.IssuerURL, Authentication: string(s.ClientAuthentication), CABundle: s.CABundle,
		Issuer: s.SAML2Bearer.Issuer, Subject: s.SAML2Bearer.Subject, Audience: s.SAML2Bearer.Audience,
		Recipient: s.SAML2Bearer.Recipient, Attributes: s.SAML2Bearer.Attributes,
		Lifetime: int64(s.SAML2Bearer.Lifetime.Seconds()), Form: s.SAML2Bearer.Form, Encoding: s.SAML2Bearer.Encoding,
	})
	if err != nil {
		panic("a struct of strings does not encode") // json.Marshal fails on no value of these types
	}
	f := fingerprint{keyID: encode(h.sum("key id")[:keyIDSize]), spec: encode(h.sum("spec", string(spec))[:partSize])}
	if s.Credentials != nil {
		parts := []string{"credentials"}
		for _, key := range used {
			parts = append(parts, key, s.Credentials[key].Reveal())
		}
		f.credentials = encode(h.sum(parts...)[:partSize])
	}
	return f
}

// String is the annotation's value.
func (f fingerprint) String() string {
	return fingerprintVersion + strings.Join([]string{f.keyID, f.spec, f.credentials}, ".")
}

// parseFingerprint reads an annotation. One of another version, or none, gives ok false.
func parseFingerprint(text string) (f fingerprint, ok bool) {
	rest, ok := strings.CutPrefix(text, fingerprintVersion)
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 3 {
		return fingerprint{}, false
	}
	return fingerprint{keyID: parts[0], spec: parts[1], credentials: parts[2]}, true
}

// sameSpec tells whether recorded belongs to the spec of f. A record made with another key or version says nothing, and counts as the
// same: the token is kept, and stamped anew.
func (f fingerprint) sameSpec(recorded string) bool {
	r, ok := parseFingerprint(recorded)
	return !ok || r.keyID != f.keyID || r.spec == f.spec
}

// surelySameSpec is sameSpec for where what is not known must not count as the same.
func (f fingerprint) surelySameSpec(recorded string) bool {
	r, ok := parseFingerprint(recorded)
	return ok && r.keyID == f.keyID && r.spec == f.spec
}

// same tells whether recorded belongs to the spec and the credentials of f, as far as these are known.
func (f fingerprint) same(recorded string) bool {
	r, ok := parseFingerprint(recorded)
	return !ok || r.keyID != f.keyID || r.spec == f.spec && (f.credentials == "" || r.credentials == f.credentials || f.alike != "" && r.credentials == f.alike)
}

// equal tells whether recorded was certainly made of the spec and the credentials of f.
func (f fingerprint) equal(recorded string) bool {
	r, ok := parseFingerprint(recorded)
	return ok && f.surelySameSpec(recorded) && f.credentials != "" && r.credentials == f.credentials
}

func encode(sum []byte) string { return base64.RawURLEncoding.EncodeToString(sum) }

// recognises tells whether a request-hash was made with this key and in this version.
func (h hasher) recognises(recorded string) bool {
	r, ok := parseFingerprint(recorded)
	return ok && r.keyID == encode(h.sum("key id")[:keyIDSize])
}
