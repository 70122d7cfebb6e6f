package oauth

import (
	"errors"
	"time"
)

// Vendor is one entry of the catalogue: a vendor's token service as data. Each file of the catalogue holds one, in YAML or JSON
// with the field names below; unknown fields are faults. Adding a vendor is adding such a file and the golden files of its
// requests.
type Vendor struct {
	// Name is what spec.vendor says: lower-case letters, digits and hyphens, at most 63 characters.
	Name string `json:"name"`
	// Title is the vendor's name as people write it.
	Title string `json:"title"`
	// Documentation is the page on which the vendor describes its token service.
	Documentation string `json:"documentation,omitempty"`
	// Parameters are the values that a user states, in spec.parameters or in the credentials Secret, by name.
	Parameters map[string]Parameter `json:"parameters,omitempty"`
	// AcceptsAnyParameter lets spec.parameters hold names that are not declared. They are sent in token and refresh requests
	// under their own names. Values from the credentials Secret are never taken this way.
	AcceptsAnyParameter bool `json:"acceptsAnyParameter,omitempty"`
	// Endpoints are templates: {name} is a parameter's value, escaped; a part in square brackets is left out where one of its
	// parameters has no value. A parameter in the host must be a host name or a part of one. A host that depends on nothing but
	// parameters with listed values is fixed by the entry, and credentials may be sent there without further permission.
	Endpoints Endpoints `json:"endpoints,omitzero"`
	// ClientAuthentication is how clients of this vendor authenticate: ClientSecretBasic, ClientSecretPost or None.
	ClientAuthentication ClientAuthentication `json:"clientAuthentication"`
	// RawBasic joins client_id and client_secret for ClientSecretBasic without form-encoding each first. It is for servers that
	// get RFC 6749, section 2.3.1, wrong.
	RawBasic bool `json:"rawBasic,omitempty"`
	// Grants are the grants that the vendor serves.
	Grants map[GrantType]VendorGrant `json:"grants"`
	// Lifetimes are facts of the vendor that its answers leave out.
	Lifetimes Lifetimes `json:"lifetimes,omitzero"`
	// RefreshTokenRotation says whether a refresh token can be spent only once: Rotating, Static, or Unknown (the default),
	// which is treated as Rotating. Static makes it safe to repeat a refresh whose outcome is not known.
	RefreshTokenRotation Rotation `json:"refreshTokenRotation,omitempty"`
	// FailureHints tell the user what to look at for a known failure, in a sentence. The key is an OAuth error code such as
	// invalid_client, a condition's reason such as InvalidClient, or no_refresh_token for an answer that should have held one.
	FailureHints map[string]string `json:"failureHints,omitempty"`
}

// Parameter is a value that a user states, and where it goes: into the endpoint templates that name it, and to the placements.
type Parameter struct {
	// Description is one sentence for the documentation.
	Description string `json:"description"`
	// Grants are the grants that take it; empty: all.
	Grants []GrantType `json:"grants,omitempty"`
	// Required makes its absence a fault, unless nothing of the request would hold it.
	Required bool `json:"required,omitempty"`
	// Default is the value where the user states none.
	Default string `json:"default,omitempty"`
	// Values are all values that it may have; empty: any.
	Values []ParameterValue `json:"values,omitempty"`
	// Placements say under which names it is sent; none: it is used in endpoint templates or in conditions only.
	Placements []Placement `json:"placements,omitempty"`
}

// ParameterValue is an allowed value of a parameter.
type ParameterValue struct {
	// Value is what is sent.
	Value string `json:"value"`
	// Description is for the documentation.
	Description string `json:"description,omitempty"`
	// Aliases are other ways to write it.
	Aliases []string `json:"aliases,omitempty"`
}

// RequestKind is one of the requests in which a parameter may be sent.
type RequestKind string

// The kinds of request.
const (
	InTokenRequest         RequestKind = "Token"         // the grant's own request to the token endpoint
	InRefreshRequest       RequestKind = "Refresh"       // RFC 6749, section 6
	InAuthorizationRequest RequestKind = "Authorization" // the browser's request, RFC 6749, section 4.1.1
)

// Placement is a place where a parameter is sent.
type Placement struct {
	// Request is the kind of request: Token, Refresh or Authorization.
	Request RequestKind `json:"request"`
	// As is the name in that request. Names of the protocol are refused, except scope in an entry whose grants say noScope.
	As string `json:"as"`
	// When limits it to cases in which other parameters have one of the values listed.
	When map[string][]string `json:"when,omitempty"`
}

// VendorGrant is how a vendor serves a grant.
type VendorGrant struct {
	// Preferred marks the grant of an OAuthToken that names none. A vendor with one grant needs no mark.
	Preferred bool `json:"preferred,omitempty"`
	// Scopes are asked for where the user states none.
	Scopes []string `json:"scopes,omitempty"`
	// NoScope says that the vendor takes no scopes with this grant: none are sent, and stating some is a fault.
	NoScope bool `json:"noScope,omitempty"`
	// ClientAuthentication is given where it differs from the vendor's.
	ClientAuthentication ClientAuthentication `json:"clientAuthentication,omitempty"`
	// TokenParameters are further fixed parameters of the token request.
	TokenParameters map[string]string `json:"tokenParameters,omitempty"`
	// AuthorizationParameters are further fixed parameters of the authorization request.
	AuthorizationParameters map[string]string `json:"authorizationParameters,omitempty"`
	// TokenScopes are asked for in the token request of a code too, which RFC 6749, section 4.1.3, does not have; the user's replace them.
	// Only with AuthorizationCode.
	TokenScopes []string `json:"tokenScopes,omitempty"`
	// NoPKCE leaves out the S256 code challenge of the authorization request (RFC 7636; RFC 9700, section 2.1.1). It is for servers that
	// refuse one. Only with AuthorizationCode.
	NoPKCE bool `json:"noPKCE,omitempty"`
	// Assertion is the form of assertions that are signed here; only with SAML2Bearer.
	Assertion AssertionFormat `json:"assertion,omitzero"`
}

// AssertionFormat is how a SAML assertion is put into the request. The zero value is that of RFC 7522, section 2.1.
type AssertionFormat struct {
	// Form is Assertion (the default), or Response for vendors that want the whole SAML response around it.
	Form string `json:"form,omitempty"`
	// Encoding is Base64URL without padding (the default), or Base64.
	Encoding string `json:"encoding,omitempty"`
}

// Lifetimes are a vendor's facts about its tokens.
type Lifetimes struct {
	// Assumed is the life of an access token whose answer does not tell, such as 1h; absent: none is documented.
	Assumed Duration `json:"assumed,omitempty"`
	// RefreshToken is the absolute life of a refresh token from the first authorization on; absent: not documented.
	RefreshToken Duration `json:"refreshToken,omitempty"`
}

// Rotation says whether refresh tokens can be spent only once.
type Rotation string

// The kinds of rotation.
const (
	RotationUnknown Rotation = "Unknown"
	RotationYes     Rotation = "Rotating"
	RotationNo      Rotation = "Static"
)

// Duration is a time span in Go's notation, such as 720h. It is positive.
type Duration time.Duration

// UnmarshalText reads Go's notation.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil || parsed <= 0 {
		return errors.New("must be a positive duration such as 90m or 720h")
	}
	*d = Duration(parsed)
	return nil
}

// MarshalText writes Go's notation.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }
