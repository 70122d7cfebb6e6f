package oauth

import (
	"cmp"
	"net/url"
	"strings"
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


// Error implements error: all faults, joined.
func (e *ConfigError) Error() string { return strings.Join(e.Faults, "; ") }

// NeedsDiscovery tells whether the token endpoint is to be found by discovery first (see WithMetadata).
func (f *Flow) NeedsDiscovery() bool { return f.Endpoints.IssuerURL != "" && f.Endpoints.TokenURL == "" }

// WithMetadata returns a copy whose endpoints, where not stated, are those that discovery found. Each of them must be one to which
// the credentials may be sent; the error is a *ConfigError.
func (f *Flow) WithMetadata(_ *Metadata) (*Flow, error) { return f, nil }

// TokenRequest is the grant's own request. With SAML2Bearer it holds an assertion that is signed at this call, or the ready one from
// the credentials (see ReadyAssertion). The error is a *ConfigError.
func (f *Flow) TokenRequest(_ time.Time) (*Request, error) { return nil, nil }

// RefreshRequest asks for a token with a refresh token (RFC 6749, section 6).
func (f *Flow) RefreshRequest(_ Sensitive) *Request { return nil }

// RevocationRequest asks the server to forget a token (RFC 7009, section 2.1); nil where no revocation endpoint is known. The hint
// is access_token or refresh_token.
func (f *Flow) RevocationRequest(_ Sensitive, _ string) *Request { return nil }

// AssumedLifetime is the vendor's life of an access token whose answer does not tell; 0 where the vendor states none.
func (f *Flow) AssumedLifetime() time.Duration { return time.Duration(f.Vendor.Lifetimes.Assumed) }

// RefreshTokenLifetime is the vendor's absolute life of a refresh token; 0 where it is not known.
func (f *Flow) RefreshTokenLifetime() time.Duration { return time.Duration(f.Vendor.Lifetimes.RefreshToken) }

// RefreshTokenRotation says whether a refresh token can be spent only once.
func (f *Flow) RefreshTokenRotation() Rotation { return cmp.Or(f.Vendor.RefreshTokenRotation, RotationUnknown) }

// ReadyAssertion is the assertion from the credentials, where this flow sends one. Such an assertion serves once.
func (f *Flow) ReadyAssertion() (Sensitive, bool) { return Sensitive{}, false }
