package oauth

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// What a write gets that may not happen.
var (
	errTooLate    = errors.New("the time to send the request is over")
	errGateClosed = errors.New("the request has ended")
)

// gate decides about every write of one request, at the lowest level that Go offers, and so knows for certain whether any byte left.
// A spent refresh token costs a human being's time: "probably not sent" would not do.
type gate struct {
	now    func() time.Time
	before time.Time       // nothing is written after it; zero: no limit
	done   <-chan struct{} // closed when the request is given up; nil: never

	mu     sync.Mutex
	conn   net.Conn // the connection that the bytes went to
	closed bool

	handshakeFailed bool
}

// trace puts the gate into the way of a request, once its connection stands and before anything of the request is written.
func (g *gate) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn:          func(info httptrace.GotConnInfo) { gatedConnOf(info.Conn).gate.Store(g) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) { g.noteHandshake(err) },
	}
}

func (g *gate) noteHandshake(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.handshakeFailed = err != nil
}

// write writes to a connection where that is still allowed.
func (g *gate) write(conn net.Conn, b []byte) (int, error) {
	first, err := g.pass(conn)
	if err != nil {
		return 0, err
	}
	n, err := conn.Write(b)
	if first && n == 0 {
		g.takeBack()
	}
	return n, err
}

// pass notes a write before it happens, since the answer to "sent?" may be asked for while it happens. A second connection gets
// nothing once the first got something: net/http resends what it holds for unsent.
func (g *gate) pass(conn net.Conn) (first bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed, g.isGivenUp(), g.conn != nil && g.conn != conn:
		return false, errGateClosed
	case !g.before.IsZero() && g.now().After(g.before):
		return false, errTooLate
	}
	first = g.conn == nil
	g.conn = conn
	return first, nil
}

// isGivenUp holds back TLS's goodbye, too: a server that hears it in the middle of its answer may end that as if it were whole.
func (g *gate) isGivenUp() bool {
	select {
	case <-g.done:
		return true
	default:
		return false
	}
}

func (g *gate) takeBack() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conn = nil
}

// close ends all writing. It tells whether any byte of the request was written, and gives the error of the exchange back, marked
// where it is that of a TLS handshake.
func (g *gate) close(err error) (sent bool, marked error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	if err != nil && g.handshakeFailed {
		err = fmt.Errorf("%w: %w", errHandshake, err)
	}
	return g.conn != nil, err
}

// gatedConn is a connection whose writes pass the gate of the request that has it. Without one (TLS handshake, proxy) all pass.
type gatedConn struct {
	net.Conn
	gate atomic.Pointer[gate]
}

func (c *gatedConn) Write(b []byte) (int, error) {
	if g := c.gate.Load(); g != nil {
		return g.write(c.Conn, b)
	}
	return c.Conn.Write(b)
}

// gatedConnOf finds the connection under its layers of TLS: one to the server, another to an https proxy.
func gatedConnOf(conn net.Conn) *gatedConn {
	for {
		switch c := conn.(type) {
		case *gatedConn:
			return c
		case *tls.Conn:
			conn = c.NetConn()
		default: // none of ours: what can't be watched is not written to
			_ = conn.Close()
			return &gatedConn{Conn: conn}
		}
	}
}
