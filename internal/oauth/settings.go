package oauth

import (
	"cmp"
	"time"
)

// GrantType is how a token is asked for. The values are those of OAuthToken's spec.grantType.
type GrantType string

// The grants.
const (
	ClientCredentials GrantType = "ClientCredentials" // RFC 6749, section 4.4
	Password          GrantType = "Password"          // RFC 6749, section 4.3
	AuthorizationCode GrantType = "AuthorizationCode" // RFC 6749, section 4.1, with RFC 7636
	Implicit          GrantType = "Implicit"          // RFC 6749, section 4.2
	SAML2Bearer       GrantType = "SAML2Bearer"       // RFC 7522
	RefreshToken      GrantType = "RefreshToken"      // RFC 6749, section 6
)

// TakesRefreshToken tells whether the grant can begin with a refresh token from the credentials, which was obtained elsewhere.
func (g GrantType) TakesRefreshToken() bool { return g == RefreshToken || g == AuthorizationCode }

// OnceKey is the key under which the credentials may hold what the grant can send once; empty: it takes nothing of that kind.
func (g GrantType) OnceKey() string {
	switch {
	case g.TakesRefreshToken():
		return "refresh_token"
	case g == SAML2Bearer:
		return "assertion"
	}
	return ""
}

// known tells whether it is one of those above.
func (g GrantType) known() bool {
	switch g {
	case ClientCredentials, Password, AuthorizationCode, Implicit, SAML2Bearer, RefreshToken:
		return true
	}
	return false
}

// interactive tells whether a person must consent in a browser.
func (g GrantType) interactive() bool { return g == AuthorizationCode || g == Implicit }

// ClientAuthentication is how the client proves who it is (RFC 6749, section 2.3).
type ClientAuthentication string

// The ways of client authentication.
const (
	ClientSecretBasic ClientAuthentication = "ClientSecretBasic"
	ClientSecretPost  ClientAuthentication = "ClientSecretPost"
	None              ClientAuthentication = "None"
)

// known tells whether it is one of those above.
func (a ClientAuthentication) known() bool {
	return a == ClientSecretBasic || a == ClientSecretPost || a == None
}

// Endpoints are the URLs of an authorization server. A catalogue entry holds them as templates over its parameters.
type Endpoints struct {
	TokenURL         string `json:"tokenURL,omitempty"`
	AuthorizationURL string `json:"authorizationURL,omitempty"`
	RevocationURL    string `json:"revocationURL,omitempty"`
	IssuerURL        string `json:"issuerURL,omitempty"`
}

// namedEndpoint is one of the endpoints and the field that holds it.
type namedEndpoint struct {
	field string
	url   *string
}

// all lists the endpoints by field.
func (e *Endpoints) all() []namedEndpoint {
	return []namedEndpoint{
		{"tokenURL", &e.TokenURL},
		{"authorizationURL", &e.AuthorizationURL},
		{"revocationURL", &e.RevocationURL},
		{"issuerURL", &e.IssuerURL},
	}
}

// fillFrom takes over what is not set.
func (e *Endpoints) fillFrom(other Endpoints) {
	from := other.all()
	for i, endpoint := range e.all() {
		*endpoint.url = cmp.Or(*endpoint.url, *from[i].url)
	}
}

// Credentials are the values of a credentials Secret by key, after its key mapping, without trailing newlines.
type Credentials map[string]Sensitive

// AssertionSettings is spec.saml2Bearer: what an assertion that is signed here says. Zero values take the vendor's or the default.
type AssertionSettings struct {
	Issuer, Subject, Audience, Recipient string
	Attributes                           map[string]string
	Lifetime                             time.Duration // 5 min when 0
	Form                                 string        // "Assertion" or "Response"
	Encoding                             string        // "Base64URL" or "Base64"
}

// Settings is all that a user states of one OAuthToken that shapes its requests, and what the platform allows.
type Settings struct {
	Vendor                  string
	Grant                   GrantType // empty: the vendor's
	Parameters              map[string]string
	AuthorizationParameters map[string]string
	Scopes                  []string // empty: the vendor's
	Endpoints               Endpoints
	ClientAuthentication    ClientAuthentication // empty: the vendor's
	CABundle                []byte               // PEM
	SAML2Bearer             AssertionSettings

	// Credentials are nil while the Secret is absent: then only what does not depend on them is checked.
	Credentials Credentials
	// AllowedHosts are the Secret's and the manager's host patterns: exact names or *.example.com, with :port where it is not 443.
	AllowedHosts []string
	// InsecureHTTPHosts are the hosts to which plain http may be spoken: the same form, but no port means 80.
	InsecureHTTPHosts []string
	// EnableImplicit and EnableInteractive say whether the manager serves these grants.
	EnableImplicit, EnableInteractive bool
}
