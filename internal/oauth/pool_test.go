package oauth

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestConnectionsAreClosedWhenUnused keeps a connection as long as requests come, and no longer. Time passes while nobody works.
func TestConnectionsAreClosedWhenUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe() // there is one: a second connection can't be made
		dial := func(context.Context, string, string) (net.Conn, error) { return ours, nil }
		transport, failure := newTestClient(t).newTransport(tokenEndpoint, nil, nil, dial)
		if failure != nil {
			t.Fatal(failure)
		}
		defer transport.CloseIdleConnections()
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			for received := bufio.NewReader(theirs); ; {
				if _, err := http.ReadRequest(received); err != nil {
					return
				}
				_, _ = io.WriteString(theirs, "HTTP/1.1 204 No Content\r\n\r\n")
			}
		}()
		isClosedAfter := func(rest time.Duration) bool {
			time.Sleep(rest)
			synctest.Wait()
			select {
			case <-closed:
				return true
			default:
				return false
			}
		}
		for range 3 {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://vendor.example/token", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			response, err := transport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if isClosedAfter(idleTimeout - time.Second) {
				t.Fatal("a connection that is used is closed")
			}
		}
		if !isClosedAfter(2 * time.Second) {
			t.Errorf("a connection stays open %s after its last use", idleTimeout+time.Second)
		}
	})
}
