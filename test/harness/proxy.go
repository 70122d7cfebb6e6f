package harness

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Proxy stands between the manager and a server.
type Proxy struct {
	// Address is where it listens, in plain http.
	Address string

	next   http.RoundTripper
	mu     sync.Mutex
	last   time.Time
	rule   Rule
	away   bool
	joined map[net.Conn]bool // connections of clients
}

// Rule is what a test does to requests that count. It returns nil to let one pass.
type Rule func(r *http.Request) *Stroke

// Stroke is what happens to one request. The zero value forwards it and gives back the answer.
type Stroke struct {
	// Before is called before the request is forwarded. After an error of it, nothing is forwarded, and the connection ends.
	Before func() error
	// After is called when the answer has come, before it is given back. After an error of it, the connection ends.
	After func() error
	// Instead is given back in place of the answer, or spoiled as that would be; the request is not forwarded unless Forward is true.
	Instead *Answer
	// Forward forwards the request although another answer is given back.
	Forward bool
	// Half gives back only the first half of the answer, and ends the connection.
	Half bool
	// HalfJSON gives back the first half of the answer as if it were all.
	HalfJSON bool
	// Late is how long each piece of the answer is held back: a watch brings old news then.
	Late time.Duration
}

// Answer is one that the server did not give.
type Answer struct {
	Status int
	Header map[string]string
	Body   string
}

var errCut = errors.New("the proxy ends the connection")

// NewProxy listens until the test ends.
func NewProxy(tb testing.TB, target string, transport http.RoundTripper) *Proxy {
	tb.Helper()
	to, err := url.Parse(target)
	if err != nil {
		tb.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{Address: listener.Addr().String(), next: transport, joined: map[net.Conn]bool{}}
	server := &http.Server{ReadHeaderTimeout: time.Minute, ConnState: p.note, Handler: &httputil.ReverseProxy{
		FlushInterval: -1, Transport: p,
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			panic(http.ErrAbortHandler)
		},
		ErrorLog: quiet(),
	}}
	server.ErrorLog = quiet()
	go func() { _ = server.Serve(listener) }()
	tb.Cleanup(func() { _ = server.Close() })
	return p
}

// URL is the proxy's address.
func (p *Proxy) URL() string { return "http://" + p.Address }

// Strike sets the rule for requests that count; nil lets all pass.
func (p *Proxy) Strike(rule Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rule = rule
}

// Away ends every connection, watches included, and every new one, until it is called with false.
func (p *Proxy) Away(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
	for connection := range p.joined {
		if away {
			_ = connection.Close()
		}
	}
}

// QuietFor is how long no request that counts has come.
func (p *Proxy) QuietFor() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.last)
}

// Counts tells whether a request is one of a reconcile's: no watch, list, lease or discovery.
func Counts(r *http.Request) bool {
	path := r.URL.Path
	return !strings.Contains(path, "/leases") && !strings.Contains(path, "/events") && (r.Method != http.MethodGet || strings.Contains(path, "/secrets/")) ||
		strings.HasPrefix(path, "/token")
}

// RoundTrip implements http.RoundTripper.
func (p *Proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	stroke := p.draw(r)
	if stroke.Before != nil {
		if err := stroke.Before(); err != nil {
			return nil, err
		}
	}
	if stroke.Instead != nil && !stroke.Forward {
		return stroke.spoil(stroke.Instead.response(r))
	}
	response, err := p.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if stroke.After != nil {
		if err := stroke.After(); err != nil {
			_ = response.Body.Close()
			return nil, err
		}
	}
	if stroke.Instead != nil {
		_ = response.Body.Close()
		response = stroke.Instead.response(r)
	}
	return stroke.spoil(response)
}

// note keeps the connections that stand, and ends new ones while the server is away.
func (p *Proxy) note(connection net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateNew:
		p.joined[connection] = true
		if p.away {
			_ = connection.Close()
		}
	case http.StateClosed, http.StateHijacked:
		delete(p.joined, connection)
	case http.StateActive, http.StateIdle:
	}
}

func (p *Proxy) draw(r *http.Request) Stroke {
	p.mu.Lock()
	rule := p.rule
	if Counts(r) {
		p.last = time.Now()
	}
	p.mu.Unlock()
	if rule != nil {
		if stroke := rule(r); stroke != nil {
			return *stroke
		}
	}
	return Stroke{}
}

// spoil changes what is given back.
func (s Stroke) spoil(response *http.Response) (*http.Response, error) {
	if s.Late > 0 {
		response.Body = late{response.Body, s.Late}
	}
	if !s.Half && !s.HalfJSON {
		return response, nil
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	half := body[:len(body)/2]
	response.Body = io.NopCloser(bytes.NewReader(half))
	if s.HalfJSON {
		response.ContentLength = int64(len(half))
		response.Header.Del("Content-Length")
		return response, nil
	}
	response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(half), broken{})) // the length that was announced is not reached
	return response, nil
}

// late reads with a delay.
type late struct {
	io.ReadCloser
	by time.Duration
}

func (l late) Read(into []byte) (int, error) {
	n, err := l.ReadCloser.Read(into)
	time.Sleep(l.by)
	return n, err
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errCut }

func (a *Answer) response(r *http.Request) *http.Response {
	kind := "text/html"
	if strings.HasPrefix(a.Body, "{") {
		kind = "application/json"
	}
	header := http.Header{"Content-Type": {kind}}
	for name, value := range a.Header {
		header.Set(name, value)
	}
	return &http.Response{
		StatusCode: a.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(a.Body)),
		Header: header, Body: io.NopCloser(strings.NewReader(a.Body)),
	}
}
