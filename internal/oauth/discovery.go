package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// metadataAge is how long an issuer's metadata are used before they are read again.
	metadataAge = time.Hour
	// metadataPause is how long an issuer that could not be read is left alone, whoever wants to know: less than the shortest pause of a back-off.
	metadataPause = 900 * time.Millisecond
	// maxCachedMetadata bounds the cache against users who make up issuers.
	maxCachedMetadata = 64
)

// Metadata is what an authorization server publishes of itself (RFC 8414, section 2; OpenID Connect Discovery 1.0, section 3). Only
// what this package can use is read. It is shared: treat it as immutable.
type Metadata struct {
	// Issuer equals the issuer asked for, character by character.
	Issuer string
	// TokenEndpoint is empty where the server has none, as one for the grant Implicit alone (RFC 8414, section 2).
	TokenEndpoint string
	// AuthorizationEndpoint is empty where the server has none.
	AuthorizationEndpoint string
	// RevocationEndpoint is empty where the server has none.
	RevocationEndpoint string
	// GrantTypesSupported are values of grant_type; empty where the server does not tell.
	GrantTypesSupported []string
	// TokenEndpointAuthMethodsSupported are the ways of client authentication; empty where the server does not tell, which means
	// client_secret_basic.
	TokenEndpointAuthMethodsSupported []string
	// AuthorizationResponseIssParameterSupported tells that the authorization answer holds iss (RFC 9207, section 3).
	AuthorizationResponseIssParameterSupported bool
}

// Discover reads the metadata of an issuer, at the address that OpenID Connect makes of it and then at that of RFC 8414. They are kept
// for an hour, and a failure for a moment. Whether credentials may be sent to the endpoints in them is for the caller to check. An error is
// always an *Error.
func (c *Client) Discover(ctx context.Context, issuer string, caBundle []byte) (*Metadata, error) {
	key := metadataKey{issuer: issuer, caBundle: sha256.Sum256(caBundle)}
	if known := c.metadata.get(key, c.options.Now()); known.metadata != nil {
		return known.metadata, nil
	} else if known.failure != nil {
		return nil, new(*known.failure)
	}
	metadata, failure := c.readIssuer(ctx, issuer, caBundle)
	if failure != nil {
		if ctx.Err() == nil { // else it says nothing about the issuer
			kept := *failure
			kept.Sent = false // whoever is told of it later has sent nothing
			c.metadata.put(key, cachedMetadata{failure: &kept, readAt: c.options.Now()})
		}
		return nil, failure
	}
	c.metadata.put(key, cachedMetadata{metadata: metadata, readAt: c.options.Now()})
	return metadata, nil
}

// Complete returns a copy of a flow with the endpoints that discovery finds, where they are not stated. The error is an *Error, or a *ConfigError
// where credentials may not be sent to what was found.
func (c *Client) Complete(ctx context.Context, flow *Flow) (*Flow, error) {
	metadata, err := c.Discover(ctx, flow.Endpoints.IssuerURL, flow.CABundle)
	if err != nil {
		return nil, err
	}
	return flow.WithMetadata(metadata)
}

// readIssuer asks at one address after the other.
func (c *Client) readIssuer(ctx context.Context, issuer string, caBundle []byte) (*Metadata, *Error) {
	addresses, failure := c.metadataAddresses(issuer)
	if failure != nil {
		return nil, failure
	}
	for _, address := range addresses {
		metadata, err := c.readMetadata(ctx, issuer, &Request{URL: address, CABundle: caBundle})
		if err == nil {
			return metadata, nil
		}
		if failure == nil || failure.StatusCode == http.StatusNotFound {
			failure = err // "not found" says less than any other failure
		}
		if err.Class == Transient || err.Class == Throttled {
			return nil, err // the other address would tell nothing about this one
		}
	}
	return nil, failure
}

// Knows tells whether Discover would answer from what it keeps.
func (c *Client) Knows(issuer string, caBundle []byte) bool {
	return c.metadata.get(metadataKey{issuer: issuer, caBundle: sha256.Sum256(caBundle)}, c.options.Now()).metadata != nil
}

// metadataAddresses are the two forms for an issuer: OpenID Connect Discovery 1.0, section 4.1, appends to its path, RFC 8414, section
// 3.1, puts the well-known part before it.
func (c *Client) metadataAddresses(issuer string) ([]string, *Error) {
	base, failure := c.parseURL(issuerURL, issuer)
	if failure != nil {
		return nil, failure
	}
	if base.RawQuery != "" || base.ForceQuery { // RFC 8414, section 2
		return nil, &Error{Class: Rejected, Reason: ReasonInvalidSpec, Message: "The issuer URL has a query, which an issuer never has. Correct it."}
	}
	path := strings.TrimSuffix(base.EscapedPath(), "/")
	origin := (&url.URL{Scheme: base.Scheme, Host: base.Host}).String()
	return []string{
		origin + path + "/.well-known/openid-configuration",
		origin + "/.well-known/oauth-authorization-server" + path,
	}, nil
}

func (c *Client) readMetadata(ctx context.Context, issuer string, r *Request) (*Metadata, *Error) {
	answer, failure := c.exchange(ctx, metadataDocument, r)
	if failure != nil {
		return nil, failure
	}
	if !answer.isSuccess() {
		return nil, metadataFailure(answer)
	}
	members, err := parseObject(answer.body)
	if err != nil {
		return nil, answer.malformed(answer.describe())
	}
	metadata := metadataOf(members)
	return metadata, c.checkMetadata(issuer, metadata)
}

// metadataFailure differs from that of a token request: there are no credentials that could be wrong.
func metadataFailure(a *answer) *Error {
	failure := readFailure(a)
	if failure.Class == Rejected {
		failure.Reason = ReasonInvalidSpec
	}
	if failure.Class == Rejected || a.is4xx() && failure.Class == Malformed {
		failure.Message = "The issuer publishes no metadata that can be read without credentials. Correct endpoints.issuerURL, or give " +
			"endpoints.tokenURL instead."
	}
	return failure
}

func metadataOf(members object) *Metadata {
	list := func(name string) (values []string) {
		_ = json.Unmarshal(members[name], &values) // what is no list says nothing
		return values
	}
	return &Metadata{
		Issuer:                            stringOf(members["issuer"]),
		TokenEndpoint:                     stringOf(members["token_endpoint"]),
		AuthorizationEndpoint:             stringOf(members["authorization_endpoint"]),
		RevocationEndpoint:                stringOf(members["revocation_endpoint"]),
		GrantTypesSupported:               list("grant_types_supported"),
		TokenEndpointAuthMethodsSupported: list("token_endpoint_auth_methods_supported"),
		AuthorizationResponseIssParameterSupported: string(members["authorization_response_iss_parameter_supported"]) == "true",
	}
}

// checkMetadata refuses another issuer's metadata (RFC 8414, section 3.3) and endpoints that could not be spoken to.
func (c *Client) checkMetadata(issuer string, m *Metadata) *Error {
	invalid := func(message string) *Error {
		return &Error{Class: Rejected, Reason: ReasonInvalidSpec, Message: message, StatusCode: http.StatusOK, Sent: true}
	}
	switch {
	case m.Issuer != issuer:
		return invalid("The issuer's metadata document is that of another issuer. Make endpoints.issuerURL the same as the issuer in it, " +
			"to the last character; a slash at the end counts.")
	case m.TokenEndpoint == "" && m.AuthorizationEndpoint == "":
		return invalid("The issuer's metadata document names no token endpoint. Give endpoints.tokenURL instead of endpoints.issuerURL.")
	}
	for _, at := range []struct {
		endpoint
		address string
	}{{tokenEndpoint, m.TokenEndpoint}, {authorizationEndpoint, m.AuthorizationEndpoint}, {revocationEndpoint, m.RevocationEndpoint}} {
		if at.address == "" {
			continue
		}
		if _, failure := c.parseURL(at.endpoint, at.address); failure != nil {
			failure.Message = "The issuer's metadata document can't be used. " + failure.Message
			return failure
		}
	}
	return nil
}

type metadataKey struct {
	issuer   string
	caBundle [sha256.Size]byte
}

// cachedMetadata is what came of reading an issuer: metadata, or a failure.
type cachedMetadata struct {
	metadata *Metadata
	failure  *Error
	readAt   time.Time
}

// metadataCache keeps the metadata of the issuers asked for lately.
type metadataCache struct {
	mu      sync.Mutex
	entries map[metadataKey]cachedMetadata
}

// get returns what is known, as long as it counts.
func (c *metadataCache) get(key metadataKey, now time.Time) cachedMetadata {
	c.mu.Lock()
	defer c.mu.Unlock()
	cached, limit := c.entries[key], metadataAge
	if cached.failure != nil {
		limit = metadataPause
	}
	if age := now.Sub(cached.readAt); age < 0 || age >= limit {
		return cachedMetadata{}
	}
	return cached
}

// put makes room by dropping failures, and then what was read longest ago. A failure takes nothing from metadata that still count: it may be of
// a reading that began before.
func (c *metadataCache) put(key metadataKey, read cachedMetadata) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if present := c.entries[key]; read.failure != nil && present.metadata != nil && read.readAt.Sub(present.readAt) < metadataAge {
		return
	}
	c.entries[key] = read
	for len(c.entries) > maxCachedMetadata {
		delete(c.entries, c.oldest())
	}
}

func (c *metadataCache) oldest() (oldest metadataKey) {
	var since time.Time
	for key, cached := range c.entries {
		if cached.failure != nil {
			return key
		}
		if since.IsZero() || cached.readAt.Before(since) {
			oldest, since = key, cached.readAt
		}
	}
	return oldest
}
