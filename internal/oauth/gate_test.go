package oauth

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"time"
)

// scriptedConn takes as many bytes of each write as it is told to.
type scriptedConn struct {
	net.Conn
	taken  int
	before func() // called in the middle of a write
}

func (c *scriptedConn) Write(b []byte) (int, error) {
	if c.before != nil {
		c.before()
	}
	if c.taken < len(b) {
		return c.taken, errors.New("broken")
	}
	return len(b), nil
}

func TestTheGateKnowsWhetherAnyByteLeft(t *testing.T) {
	for taken, want := range map[int]bool{0: false, 1: true, 5: true} {
		g := &gate{now: func() time.Time { return noon }}
		_, _ = g.write(&scriptedConn{taken: taken}, []byte("hello"))
		if sent, _ := g.close(nil); sent != want {
			t.Errorf("%d bytes taken: sent %v", taken, sent)
		}
	}
}

func TestTheGateTakesAWriteUnderWayForSent(t *testing.T) {
	g := &gate{now: func() time.Time { return noon }}
	var sent bool
	_, _ = g.write(&scriptedConn{before: func() { sent, _ = g.close(nil) }}, []byte("hello"))
	if !sent {
		t.Error("a write that was under way was taken for none")
	}
}

func TestTheGateLetsNothingThroughAfterItsEnd(t *testing.T) {
	g := &gate{now: func() time.Time { return noon }}
	if sent, _ := g.close(nil); sent {
		t.Error("sent without a write")
	}
	if n, err := g.write(&scriptedConn{taken: 5}, []byte("hello")); n != 0 || !errors.Is(err, errGateClosed) {
		t.Errorf("wrote %d bytes, %v", n, err)
	}
}

func TestTheGateLetsNothingThroughOfARequestThatIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	g := &gate{now: func() time.Time { return noon }, done: ctx.Done()}
	conn := &scriptedConn{taken: 5}
	if _, err := g.write(conn, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	cancel()
	if n, err := g.write(conn, []byte("world")); n != 0 || !errors.Is(err, errGateClosed) {
		t.Errorf("wrote %d bytes, %v", n, err)
	}
}

func TestTheGateIsFoundUnderLayersOfTLS(t *testing.T) {
	client, server := net.Pipe()
	gated := &gatedConn{Conn: client}
	if got := gatedConnOf(tls.Client(tls.Client(gated, &tls.Config{}), &tls.Config{})); got != gated {
		t.Error("not found")
	}
	_ = gatedConnOf(server)
	if _, err := server.Write([]byte("hello")); err == nil {
		t.Error("a connection without a gate stays open")
	}
}

func TestTheGateLetsARequestOntoOneConnection(t *testing.T) {
	for what, c := range map[string]struct {
		firstTakes int
		want       error
	}{
		"the second gets it where the first took nothing":       {0, nil},
		"the second gets nothing where the first took anything": {1, errGateClosed},
	} {
		t.Run(what, func(t *testing.T) {
			g := &gate{now: func() time.Time { return noon }}
			_, _ = g.write(&scriptedConn{taken: c.firstTakes}, []byte("hello"))
			if _, err := g.write(&scriptedConn{taken: 5}, []byte("hello")); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestTheGateStopsInTheMiddleOfALongRequest(t *testing.T) {
	now := noon
	g := &gate{now: func() time.Time { return now }, before: noon}
	conn := &scriptedConn{taken: 5}
	if _, err := g.write(conn, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	now = noon.Add(time.Nanosecond)
	if _, err := g.write(conn, []byte("world")); !errors.Is(err, errTooLate) {
		t.Errorf("got %v", err)
	}
	if sent, _ := g.close(nil); !sent {
		t.Error("what went out before is forgotten")
	}
}
