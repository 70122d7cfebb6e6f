package oauth

import "context"

// Metadata is what an authorization server publishes of itself (RFC 8414, section 2; OpenID Connect Discovery 1.0, section 3). Only
// what this package can use is read.
type Metadata struct {
	// Issuer equals the issuer asked for, character by character.
	Issuer string `json:"issuer"`
	// TokenEndpoint is never empty.
	TokenEndpoint string `json:"token_endpoint"`
	// AuthorizationEndpoint is empty where the server has none.
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	// RevocationEndpoint is empty where the server has none.
	RevocationEndpoint string `json:"revocation_endpoint"`
	// GrantTypesSupported are the values of grant_type; empty where the server does not tell.
	GrantTypesSupported []string `json:"grant_types_supported"`
	// TokenEndpointAuthMethodsSupported are the ways of client authentication; empty where the server does not tell, which means
	// client_secret_basic.
	TokenEndpointAuthMethodsSupported []string `json:"token_endpoint_auth_methods_supported"`
	// AuthorizationResponseIssParameterSupported tells that the authorization answer holds iss (RFC 9207, section 3).
	AuthorizationResponseIssParameterSupported bool `json:"authorization_response_iss_parameter_supported"`
}

// Discover reads the metadata of an issuer. Both addresses are tried where the issuer has a path: the one that OpenID Connect appends to
// and the one that RFC 8414 inserts into. An error is always an *Error.
func (c *Client) Discover(_ context.Context, _ string, _ []byte) (*Metadata, error) {
	return nil, &Error{Class: Transient, Reason: ReasonVendorUnavailable, Message: "not built yet"}
}
