package oauth

import (
	"net/url"
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

// ClientAuthentication is how the client proves who it is (RFC 6749, section 2.3).
type ClientAuthentication string

// The ways of client authentication.
const (
	ClientSecretBasic ClientAuthentication = "ClientSecretBasic"
	ClientSecretPost  ClientAuthentication = "ClientSecretPost"
	None              ClientAuthentication = "None"
)

// Endpoints are the URLs of an authorization server. A catalogue entry holds them as templates over its parameters.
type Endpoints struct {
	TokenURL         string `json:"tokenURL,omitempty"`
	AuthorizationURL string `json:"authorizationURL,omitempty"`
	RevocationURL    string `json:"revocationURL,omitempty"`
	IssuerURL        string `json:"issuerURL,omitempty"`
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
	// InsecureHTTPHosts are the hosts (same form) to which plain http may be spoken.
	InsecureHTTPHosts []string
	// EnableImplicit and EnableInteractive say whether the manager serves these grants.
	EnableImplicit, EnableInteractive bool
}

// ConfigError is a fault in what the user stated: nothing is sent until it is mended. It names every fault at once, and never quotes
// a value that came from a Secret.
type ConfigError struct {
	// Reason is ReasonInvalidSpec, ReasonEndpointNotAllowed or ReasonCredentialsIncomplete: the first of these that applies.
	Reason Reason
	// Faults are sentences for the user, sorted, each with its remedy.
	Faults []string
}

// Flow is a vendor, a grant and a client, checked against the catalogue: all that requests need but the time. It is immutable.
type Flow struct {
	// Vendor is the catalogue's entry.
	Vendor *Vendor
	// Grant is the one asked for, or the vendor's.
	Grant GrantType
	// Endpoints are resolved: the spec's, else the vendor's with its parameters filled in, else discovery's.
	Endpoints Endpoints
	// ClientAuthentication is the spec's, else the vendor's.
	ClientAuthentication ClientAuthentication
	// ClientID is public.
	ClientID string
	// Scopes are the spec's, else the vendor's for this grant.
	Scopes []string
	// UsedCredentials are the keys of the credentials Secret whose values shape the requests of this flow, sorted.
	UsedCredentials []string
	// CABundle is trusted beside the system's certificates.
	CABundle []byte

	settings Settings
	form     url.Values // parameters of the token request beside those of grant and client
}

// Request is one POST to a token or revocation endpoint. It is immutable but for SendBefore, and prints nothing secret.
type Request struct {
	// URL is the endpoint.
	URL string
	// CABundle is trusted beside the system's certificates.
	CABundle []byte
	// SendBefore, where set, is the time after which nothing may be written to the wire. It is checked once the connection stands.
	SendBefore time.Time

	authorization Sensitive // value of the Authorization header; empty: none
	body          Sensitive // application/x-www-form-urlencoded
	refresh       bool      // the body spends a refresh token
	hints         map[string]string
}
