package oauth

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// AuthorizationRequest is what a browser is sent to the authorization endpoint with (RFC 6749, sections 4.1.1 and 4.2.1), but for what is
// drawn anew for each attempt. It holds nothing secret, and can be compared with ==.
type AuthorizationRequest struct {
	// URL is the endpoint with all parameters that are the same for each attempt.
	URL string `json:"url"`
	// RedirectURI is where the browser comes back; the token request repeats it (RFC 6749, section 4.1.3).
	RedirectURI string `json:"redirectURI"`
	// Implicit tells that the token itself comes back, in the fragment (RFC 6749, section 4.2.2).
	Implicit bool `json:"implicit,omitempty"`
	// PKCE tells that a code challenge is sent (RFC 7636).
	PKCE bool `json:"pkce,omitempty"`
	// Issuer is the authorization server's identifier; empty: not known.
	Issuer string `json:"issuer,omitempty"`
	// IssuerRequired tells that the server announced to name itself in its answers (RFC 9207, section 3).
	IssuerRequired bool `json:"issuerRequired,omitempty"`
}

// AuthorizationRequest is the request of an interactive grant. The authorization endpoint must be known (see NeedsAuthorizationEndpoint).
// The error is a *ConfigError.
func (f *Flow) AuthorizationRequest(redirectURI string) (AuthorizationRequest, error) {
	endpoint, query, err := parseAuthorizationEndpoint(f.Endpoints.AuthorizationURL)
	if err != nil {
		var faults faults
		faults.addSpec("spec.endpoints.authorizationURL %s", err)
		return AuthorizationRequest{}, faults.err()
	}
	request := AuthorizationRequest{
		RedirectURI: redirectURI, Implicit: f.Grant == Implicit, PKCE: f.Grant == AuthorizationCode && !f.Vendor.Grants[f.Grant].NoPKCE,
		Issuer: f.Endpoints.IssuerURL, IssuerRequired: f.namesIssuer,
	}
	for name, value := range f.authorizationForm {
		query.Del(name)
		if !value.IsEmpty() { // an empty one means the same as none (RFC 6749, section 3.1)
			query.Set(name, value.Reveal())
		}
	}
	query.Set("response_type", "code")
	if request.Implicit {
		query.Set("response_type", "token")
	}
	query.Set("client_id", f.ClientID)
	query.Set("redirect_uri", redirectURI)
	if len(f.Scopes) > 0 {
		query.Set("scope", strings.Join(f.Scopes, " "))
	}
	endpoint.RawQuery = query.Encode()
	request.URL = endpoint.String()
	return request, nil
}

// parseAuthorizationEndpoint reads the endpoint and its query, which is kept (RFC 6749, section 3.1). The query can't bring parameters of the
// protocol: a request object, say, would replace all that is sent beside it (RFC 9101, section 6.3), the code challenge too.
func parseAuthorizationEndpoint(text string) (*url.URL, url.Values, error) {
	endpoint, _, err := parseEndpoint(text)
	if err != nil {
		return nil, nil, err
	}
	query, err := url.ParseQuery(endpoint.RawQuery)
	if err != nil {
		return nil, nil, errors.New("must have a query that can be read, or none")
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		switch {
		case isProtocolParameter(name):
			return nil, nil, fmt.Errorf("must not hold %s in its query: it belongs to the protocol and is set by tokensync", quote(name))
		case len(query[name]) > 1:
			return nil, nil, fmt.Errorf("must not hold %s twice in its query", quote(name))
		}
	}
	return endpoint, query, nil
}

// NewVerifier draws a code verifier: 43 characters from 256 random bits (RFC 7636, section 4.1).
func NewVerifier() Sensitive { return NewSensitive(oauth2.GenerateVerifier()) }

// Start is the address that a browser is sent to, with the state of this attempt (RFC 6749, section 10.12) and the S256 challenge of its
// verifier (RFC 7636, section 4.2), which counts only with PKCE.
func (r AuthorizationRequest) Start(state, verifier Sensitive) string {
	address, err := url.Parse(r.URL)
	if err != nil {
		return r.RedirectURI // can't be: the URL was made from one that had been parsed
	}
	query := address.Query()
	query.Set("state", state.Reveal())
	if r.PKCE {
		query.Set("code_challenge", oauth2.S256ChallengeFromVerifier(verifier.Reveal()))
		query.Set("code_challenge_method", "S256")
	}
	address.RawQuery = query.Encode()
	return address.String()
}

// Host is where the browser is sent, for a person to see.
func (r AuthorizationRequest) Host() string {
	address, err := url.Parse(r.URL)
	if err != nil {
		return ""
	}
	return address.Host
}
