package oauthtest

import (
	"context"
	"math"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Server is a scripted vendor, or rather all of them. It is an http.Handler; Start and StartTLS make it listen as well. Its methods
// are safe for concurrent use.
type Server struct {
	clock    func() time.Time
	lifetime time.Duration // of access tokens; 0: each vendor's
	address  string
	hosts    []string

	dialects map[Vendor]dialect
	routes   *http.ServeMux
	registry *registry
	vault    *vault
	script   *script
	journal  *journal

	listener    net.Listener
	http        *http.Server
	authority   []byte // PEM; nil without TLS
	stop        context.CancelFunc
	connections atomic.Int64
	namesIssuer atomic.Bool
}

// Option changes a Server before it starts.
type Option func(*Server)

// WithClock sets the clock by which tokens and assertions expire. The default is the wall clock.
func WithClock(clock func() time.Time) Option { return func(s *Server) { s.clock = clock } }

// WithLifetime sets the life of access tokens of every client that states none of its own. The default is each vendor's.
func WithLifetime(lifetime time.Duration) Option { return func(s *Server) { s.lifetime = lifetime } }

// WithSeed sets the seed of faults that happen by chance (see Probability). The default is 1: runs repeat.
func WithSeed(seed uint64) Option { return func(s *Server) { s.script = newScript(seed) } }

// WithHistory keeps only the newest requests, for runs of many hours; Count and Await know all of them nevertheless. The default is to
// keep everything.
func WithHistory(requests int) Option { return func(s *Server) { s.journal.limit = requests } }

// WithLongMemory keeps expired tokens, of which OwnerOf can tell then. The default is to throw them out now and then.
func WithLongMemory() Option { return func(s *Server) { s.vault.crowded = math.MaxInt } }

// WithAddress sets where Start and StartTLS listen. The default is a free port of 127.0.0.1.
func WithAddress(address string) Option { return func(s *Server) { s.address = address } }

// WithHosts adds names and addresses to the certificate's. The default are localhost, 127.0.0.1 and ::1.
func WithHosts(hosts ...string) Option {
	return func(s *Server) { s.hosts = append(s.hosts, hosts...) }
}

// New makes a server that knows the clients and users of the example manifests and is not listening yet.
func New(opts ...Option) *Server {
	s := &Server{
		clock:    time.Now, //nolint:forbidigo // the default of the one clock that everything here is given
		address:  "127.0.0.1:0",
		hosts:    []string{"localhost", "127.0.0.1", "::1"},
		dialects: dialects(),
		registry: newRegistry(),
		vault:    newVault(),
		script:   newScript(1),
		journal:  newJournal(),
	}
	for _, opt := range opts {
		opt(s)
	}
	s.routes = s.newRoutes()
	s.registerExamples()
	return s
}

// ServeHTTP implements http.Handler. It panics with http.ErrAbortHandler, as net/http wants it, where a fault drops the connection.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.routes.ServeHTTP(w, r) }

// now is the time in whole seconds: tokens expire on the second that was announced.
func (s *Server) now() time.Time { return s.clock().UTC().Truncate(time.Second) }

// lifetimeFor is the life of the client's access tokens.
func (s *Server) lifetimeFor(client Client) time.Duration {
	switch {
	case client.Lifetime != 0:
		return client.Lifetime
	case s.lifetime != 0:
		return s.lifetime
	default:
		return s.dialects[client.Vendor].lifetime
	}
}
