package oauth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

const (
	// idleTimeout closes a connection before most servers do, so that a request rarely meets one that is being closed.
	idleTimeout = 30 * time.Second
	// maxIdleConnections of one endpoint are kept: as many as may be in flight to it.
	maxIdleConnections = 10
	// maxTransports bounds the pool against users who make up endpoints.
	maxTransports = 128
	// maxHeaderBytes of an answer are read.
	maxHeaderBytes = 64 << 10
)

// poolKey is what connections may be shared by: what is trusted and where they lead.
type poolKey struct {
	endpoint string // scheme and host with port
	caBundle [sha256.Size]byte
	proxy    string // empty: none
	once     bool   // connections serve one request
}

// pool keeps one transport for each key, and drops the one used longest ago when there are too many.
type pool struct {
	mu         sync.Mutex
	uses       uint64
	transports map[poolKey]*pooled
}

type pooled struct {
	transport *http.Transport
	lastUse   uint64
}

// take returns the transport of a key and makes it where there is none.
func (p *pool) take(key poolKey, build func() (*http.Transport, *Error)) (*http.Transport, *Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.uses++
	if found, ok := p.transports[key]; ok {
		found.lastUse = p.uses
		return found.transport, nil
	}
	transport, failure := build()
	if failure != nil {
		return nil, failure
	}
	if len(p.transports) >= maxTransports {
		p.dropOldest()
	}
	p.transports[key] = &pooled{transport: transport, lastUse: p.uses}
	return transport, nil
}

// dropOldest lets requests in flight end; their connections are closed then.
func (p *pool) dropOldest() {
	byUse := func(a, b poolKey) int { return cmp.Compare(p.transports[a].lastUse, p.transports[b].lastUse) }
	oldest := slices.MinFunc(slices.Collect(maps.Keys(p.transports)), byUse)
	p.transports[oldest].transport.CloseIdleConnections()
	delete(p.transports, oldest)
}

func (p *pool) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, kept := range p.transports {
		kept.transport.CloseIdleConnections()
	}
}

// transport returns the one for a target; where a proxy stands between, the target's addresses are checked first. What can be sent once
// gets a connection of its own: a server that closes a kept one just then would leave open whether it is spent.
func (c *Client) transport(ctx context.Context, at endpoint, target *url.URL, r *Request) (*http.Transport, *Error) {
	proxy, err := c.options.Proxy(&http.Request{URL: target})
	if err != nil {
		return nil, &Error{
			Class: Transient, Reason: ReasonVendorUnavailable,
			Message: "The proxy settings of the manager are not valid. Correct HTTPS_PROXY, HTTP_PROXY and NO_PROXY of its Deployment.",
		}
	}
	key := poolKey{endpoint: target.Scheme + "://" + target.Host, caBundle: sha256.Sum256(r.CABundle), once: r.once}
	dial := c.guard.dial(c.options.Resolver)
	if proxy != nil {
		if err := c.guard.checkName(ctx, c.options.Resolver, target.Hostname()); err != nil {
			return nil, networkFailure(at, err, false)
		}
		key.proxy = proxy.String()
		dial = dialProxy(c.options.Resolver)
	}
	return c.pool.take(key, func() (*http.Transport, *Error) {
		transport, failure := c.newTransport(at, r.CABundle, proxy, dial)
		if failure == nil {
			transport.DisableKeepAlives = r.once
		}
		return transport, failure
	})
}

func (c *Client) newTransport(at endpoint, caBundle []byte, proxy *url.URL, dial dialFunc) (*http.Transport, *Error) {
	roots, failure := trustedRoots(caBundle)
	if failure != nil {
		return nil, failure
	}
	// HTTP/1.1 only: HTTP/2 in Go resends requests by its own rules, and a token request has nothing to gain from it.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyURL(proxy),
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, r *http.Response) error { return checkProxy(at, r) },
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Time: c.options.Now},
		TLSHandshakeTimeout:    connectTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    maxIdleConnections,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // an answer is never larger than what was counted on the wire
		Protocols:              &protocols,
	}, nil
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// trustedRoots are the system's certificates and those of a bundle.
func trustedRoots(caBundle []byte) (*x509.CertPool, *Error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if len(caBundle) > 0 && !roots.AppendCertsFromPEM(caBundle) {
		return nil, &Error{
			Class: Rejected, Reason: ReasonInvalidSpec,
			Message: "spec.caBundle holds no certificate that can be read. Put one or more PEM blocks of type CERTIFICATE there.",
		}
	}
	return roots, nil
}

func checkProxy(at endpoint, r *http.Response) error {
	if r.StatusCode == http.StatusOK {
		return nil
	}
	return &Error{Class: Transient, Reason: ReasonVendorUnavailable, Message: fmt.Sprintf("The manager's proxy refuses to connect to the %s "+
		"(HTTP %d). Allow the endpoint there, or correct the proxy settings of the manager's Deployment.", at, r.StatusCode)}
}
