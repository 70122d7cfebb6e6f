package oauthtest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"
)

// TB is what Serve needs of testing.TB.
type TB interface {
	Helper()
	Cleanup(cleanup func())
	Fatalf(format string, args ...any)
}

// Serve starts a server over HTTPS for the time of a test.
func Serve(tb TB, opts ...Option) *Server {
	tb.Helper()
	s := New(opts...)
	if err := s.StartTLS(); err != nil {
		tb.Fatalf("starting the scripted vendor: %v", err)
	}
	tb.Cleanup(s.Close)
	return s
}

// Start listens for plain HTTP. A server is started once.
func (s *Server) Start() error { return s.listen(nil) }

// StartTLS listens for HTTPS with a new certificate, signed by a new authority (see CABundle).
func (s *Server) StartTLS() error {
	certificate, authority, err := newCertificate(s.hosts)
	if err != nil {
		return err
	}
	s.authority = authority
	// HTTP/1.1 alone: a dropped connection is then a dropped connection, and not a reset stream of one that lives on.
	return s.listen(&tls.Config{
		Certificates: []tls.Certificate{certificate},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
	})
}

// URL is the scheme, host and port under which the server listens, without a slash at the end; empty before it does.
func (s *Server) URL() string {
	switch {
	case s.listener == nil:
		return ""
	case s.authority == nil:
		return "http://" + s.listener.Addr().String()
	default:
		return "https://" + s.listener.Addr().String()
	}
}

// Host is the host and port of URL, as the annotation tokensync.dev/allowed-hosts wants it.
func (s *Server) Host() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// TokenURL is the vendor's token endpoint on this server.
func (s *Server) TokenURL(vendor Vendor) string {
	d := s.dialects[vendor]
	return s.URL() + d.prefix + d.tokenPath
}

// AuthorizationURL is the vendor's authorization endpoint on this server; empty where the vendor documents none.
func (s *Server) AuthorizationURL(vendor Vendor) string {
	for _, p := range paths() {
		if p.vendor == vendor && p.endpoint == AuthorizationEndpoint {
			return s.URL() + s.dialects[vendor].prefix + p.pattern
		}
	}
	return ""
}

// RevocationURL is the vendor's revocation endpoint on this server; empty where the vendor documents none.
func (s *Server) RevocationURL(vendor Vendor) string {
	path := s.dialects[vendor].metadata["revocation_endpoint"]
	if path == "" {
		return ""
	}
	return s.IssuerURL(vendor) + path
}

// IssuerURL is where discovery starts for the vendor on this server. Only ABBYY and Generic have discovery documents.
func (s *Server) IssuerURL(vendor Vendor) string {
	d := s.dialects[vendor]
	return s.URL() + d.prefix + strings.TrimSuffix(d.tokenPath, d.metadata["token_endpoint"])
}

// CABundle is the PEM certificate of the authority that signed the server's; nil without TLS.
func (s *Server) CABundle() []byte { return s.authority }

// Connections counts the connections that were accepted so far.
func (s *Server) Connections() int { return int(s.connections.Load()) }

// Close stops listening, cuts every connection and ends faults that hold an answer back.
func (s *Server) Close() {
	if s.http == nil {
		return
	}
	s.stop()
	_ = s.http.Close()
}

func (s *Server) listen(config *tls.Config) error {
	if s.listener != nil {
		return errors.New("the scripted vendor was started before")
	}
	ctx, stop := context.WithCancel(context.Background())
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.address)
	if err != nil {
		stop()
		return fmt.Errorf("listening on %s: %w", s.address, err)
	}
	s.listener, s.stop = listener, stop
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState:         s.countConnection,
		ErrorLog:          log.New(io.Discard, "", 0), // a client that refuses the certificate is a test, not news
	}
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	go func() { _ = s.http.Serve(listener) }() // ends with Close
	return nil
}

func (s *Server) countConnection(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		s.connections.Add(1)
	}
}
