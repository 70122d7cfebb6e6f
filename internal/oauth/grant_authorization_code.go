package oauth

import (
	"strings"
	"time"
)

// interactiveGrant is a grant whose tokens begin with a person's consent in a browser: AuthorizationCode (RFC 6749, section 4.1) and
// Implicit (section 4.2). It has no token request of its own; see AuthorizationRequest and CodeRequest.
type interactiveGrant struct{}

func (interactiveGrant) keys(Settings) []string { return nil }

func (interactiveGrant) check(Settings, *faults) {}

func (interactiveGrant) parameters(f *Flow, _ time.Time) (form, error) {
	var faults faults
	faults.addSpec("grant %s begins in a browser: it has no token request without an authorization", f.Grant)
	return nil, faults.err()
}

// codeGrant is AuthorizationCode. A refresh token that was obtained elsewhere serves as one that a person's consent has brought.
type codeGrant struct{ interactiveGrant }

func (codeGrant) keys(s Settings) []string {
	if s.Credentials["refresh_token"].IsEmpty() {
		return nil
	}
	return []string{"refresh_token"}
}

// CodeRequest exchanges an authorization code (RFC 6749, section 4.1.3), which can be done once. redirectURI is that of the authorization
// request, and verifier the one whose challenge was sent there (RFC 7636, section 4.5); empty: none was. Vendors that want a scope here too
// get it.
func (f *Flow) CodeRequest(code, verifier Sensitive, redirectURI string) *Request {
	parameters := form{
		"grant_type": NewSensitive("authorization_code"), "code": code, "redirect_uri": NewSensitive(redirectURI), "code_verifier": verifier,
	}
	if len(f.tokenScopes) > 0 {
		parameters["scope"] = NewSensitive(strings.Join(f.tokenScopes, " "))
	}
	request := f.request(f.Endpoints.TokenURL, joinForms(f.tokenForm, parameters))
	request.once = true
	return request
}
