package oauth

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// ClientOptions shape a Client. Only Now is required.
type ClientOptions struct {
	// AllowLoopback lets connections go to loopback addresses, for demos and tests. It permits nothing else.
	AllowLoopback bool
	// InsecureHTTPHosts are the hosts to which plain http may be spoken: exact names or *.example.com, with :port where it is not 80.
	InsecureHTTPHosts []string
	// DeniedAddresses are never connected to, whatever the port: the API server's.
	DeniedAddresses []netip.Addr
	// Now is the clock.
	Now func() time.Time
	// UserAgent is sent with every request; "tokensync" when empty.
	UserAgent string
	// Resolver finds the addresses of names; net.DefaultResolver when nil.
	Resolver *net.Resolver
	// Proxy chooses the proxy of a request; http.ProxyFromEnvironment when nil.
	Proxy func(*http.Request) (*url.URL, error)
}

// Client sends requests to authorization servers: the only place of this package that talks to the network. It keeps connections for
// reuse, one pool for each endpoint and CA bundle, and closes them after 30 s without use. It is safe for concurrent use.
type Client struct {
	options  ClientOptions
	guard    guard
	pool     pool
	metadata metadataCache
	limit    time.Duration // of an exchange, from the first look-up to the last byte
}

// NewClient makes a client without connections.
func NewClient(o ClientOptions) *Client {
	o.UserAgent = cmp.Or(o.UserAgent, "tokensync")
	o.Resolver = cmp.Or(o.Resolver, net.DefaultResolver)
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	return &Client{
		options:  o,
		guard:    guard{allowLoopback: o.AllowLoopback, denied: o.DeniedAddresses},
		pool:     pool{transports: map[poolKey]*pooled{}},
		metadata: metadataCache{entries: map[metadataKey]cachedMetadata{}},
		limit:    exchangeLimit,
	}
}

// Token sends a token request, once, and reads the answer (RFC 6749, section 5). An error is always an *Error.
func (c *Client) Token(ctx context.Context, r *Request) (*Token, error) {
	requestedAt := c.options.Now().UTC().Truncate(time.Second)
	answer, failure := c.exchange(ctx, tokenEndpoint, r)
	if failure != nil {
		return nil, failure.withHint(r.hints)
	}
	token, failure := readToken(answer)
	if failure != nil {
		if failure.Rest != nil {
			failure.Rest.RequestedAt = requestedAt
		}
		return nil, failure.withHint(r.hints)
	}
	token.RequestedAt = requestedAt
	return token, nil
}

// CloseIdleConnections closes the connections that no request uses.
func (c *Client) CloseIdleConnections() { c.pool.closeIdle() }
