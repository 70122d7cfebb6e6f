package oauth

import (
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

// Client sends requests to authorization servers: the only place of this package that talks to the network. It is safe for concurrent
// use.
type Client struct{ options ClientOptions }

// NewClient makes a client without connections.
func NewClient(o ClientOptions) *Client { return &Client{options: o} }

// Token sends a token request and reads the answer (RFC 6749, section 5). An error is always an *Error.
func (c *Client) Token(_ context.Context, _ *Request) (*Token, error) {
	return nil, &Error{Class: Transient, Reason: ReasonVendorUnavailable, Message: "not built yet"}
}

// CloseIdleConnections closes the connections that no request uses.
func (c *Client) CloseIdleConnections() {}
