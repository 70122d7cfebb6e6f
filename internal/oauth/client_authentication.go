package oauth

import (
	"encoding/base64"
	"net/url"
)

// authenticateClient is what the client adds to a request to prove who it is (RFC 6749, section 2.3): the value of the
// Authorization header, or parameters of the body, never both.
func (f *Flow) authenticateClient() (authorization Sensitive, body form) {
	secret := f.settings.Credentials["client_secret"]
	switch {
	case secret.IsEmpty(): // as the grant Implicit allows
	case f.ClientAuthentication == ClientSecretBasic:
		return basicAuthorization(f.ClientID, secret, f.Vendor.RawBasic), nil
	case f.ClientAuthentication == ClientSecretPost:
		return Sensitive{}, form{"client_id": NewSensitive(f.ClientID), "client_secret": secret}
	}
	// RFC 6749, section 3.2.1: a client without authentication sends its client_id.
	return Sensitive{}, form{"client_id": NewSensitive(f.ClientID)}
}

// basicAuthorization joins id and secret, each form-encoded first (RFC 6749, section 2.3.1): a colon in the id would end it
// otherwise. Servers that compare the raw text get it raw.
func basicAuthorization(id string, secret Sensitive, raw bool) Sensitive {
	encode := url.QueryEscape
	if raw {
		encode = func(text string) string { return text }
	}
	pair := encode(id) + ":" + encode(secret.Reveal())
	return NewSensitive("Basic " + base64.StdEncoding.EncodeToString([]byte(pair)))
}
