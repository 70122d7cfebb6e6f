package portal_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/portal"
)

// taking is a manager that keeps the server which it is given.
type taking struct {
	ctrl.Manager

	server *manager.Server
}

func (m *taking) Add(r manager.Runnable) error {
	server, ok := r.(*manager.Server)
	if !ok {
		return fmt.Errorf("%T is no server", r)
	}
	m.server = server
	return nil
}

func (m *taking) GetFieldIndexer() client.FieldIndexer { return m }

func (*taking) IndexField(context.Context, client.Object, string, client.IndexerFunc) error {
	return nil
}

// emptyPortal knows no OAuthToken.
func emptyPortal(t *testing.T) *portal.Portal {
	t.Helper()
	nothing := fake.NewClientBuilder().Build()
	return &portal.Portal{
		Client: nothing, Live: nothing, URL: must(portal.ParseURL("https://tokens.example.com")), Clock: clocktesting.NewFakeClock(time.Unix(0, 0)),
		Recorder: events.NewFakeRecorder(10), Implicit: true,
	}
}

// listen has a portal listen, with the server changed before. What is returned stops it, and waits for that.
func listen(t *testing.T, p *portal.Portal, change func(*http.Server)) (address string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	m := &taking{}
	if err := p.SetupWithManager(ctx, m, "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	change(m.server.Server)
	ended := make(chan error, 1)
	go func() { ended <- m.server.Start(ctx) }()
	stop = func() {
		cancel()
		select {
		case err := <-ended:
			ended <- nil
			if err != nil {
				t.Errorf("the server ends with %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("the server does not end")
		}
	}
	t.Cleanup(stop)
	return m.server.Listener.Addr().String(), stop
}

func TestTheServerHasBounds(t *testing.T) {
	m := &taking{}
	if err := emptyPortal(t).SetupWithManager(t.Context(), m, "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer m.server.Listener.Close()
	server := m.server.Server
	for name, bound := range map[string]time.Duration{
		"ReadHeaderTimeout": server.ReadHeaderTimeout, "ReadTimeout": server.ReadTimeout, "WriteTimeout": server.WriteTimeout, "IdleTimeout": server.IdleTimeout,
		"ShutdownTimeout": *m.server.ShutdownTimeout,
	} {
		if bound <= 0 || bound > time.Minute {
			t.Errorf("%s is %v", name, bound)
		}
	}
	if server.MaxHeaderBytes <= consent.MaxAnswer || server.MaxHeaderBytes > 1<<20 {
		t.Errorf("a header may have %d bytes, an answer %d", server.MaxHeaderBytes, consent.MaxAnswer)
	}
	if m.server.NeedLeaderElection() {
		t.Error("only the leader serves the portal")
	}
}

// TestSlowRequestsAreCutOff shortens the server's own bounds, and waits for it to hang up.
func TestSlowRequestsAreCutOff(t *testing.T) {
	for about, test := range map[string]struct {
		sent   string
		bounds func(*http.Server)
	}{
		"nothing at all": {"", func(s *http.Server) { s.ReadHeaderTimeout /= 50 }},
		"half a header":  {"GET /callback HTTP/1.1\r\nHost: tok", func(s *http.Server) { s.ReadHeaderTimeout /= 50 }},
		"half a body": {
			"POST /callback HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nstate=",
			func(s *http.Server) { s.ReadTimeout /= 100 },
		},
		"nothing after a request": {"GET /portal.css HTTP/1.1\r\nHost: x\r\n\r\n", func(s *http.Server) { s.IdleTimeout /= 600 }},
	} {
		t.Run(about, func(t *testing.T) {
			address, _ := listen(t, emptyPortal(t), test.bounds)
			connection := must(net.Dial("tcp", address))
			defer connection.Close()
			if err := connection.SetReadDeadline(time.Now().Add(4 * time.Second)); err != nil { // less than any bound that is not shortened
				t.Fatal(err)
			}
			if _, err := io.WriteString(connection, test.sent); err != nil {
				t.Fatal(err)
			}
			var timeout net.Error
			if _, err := io.Copy(io.Discard, connection); errors.As(err, &timeout) && timeout.Timeout() {
				t.Error("the server goes on waiting")
			}
		})
	}
}

func TestOddRequestsGetNoMoreThanARefusal(t *testing.T) {
	address, _ := listen(t, emptyPortal(t), func(*http.Server) {})
	large := strings.Repeat("x", 256<<10)
	for about, test := range map[string]struct{ sent, want string }{
		"a header beyond all bounds": {"GET / HTTP/1.1\r\nHost: x\r\nX-Large: " + large + "\r\n\r\n", "431"},
		"a query beyond all bounds":  {"GET /callback?" + large + " HTTP/1.1\r\nHost: x\r\n\r\n", "431"},
		"a query beyond an answer":   {"GET /callback?state=x&code=" + large[:40<<10] + " HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"a body beyond all bounds":   {"POST /callback HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 262144\r\n\r\n" + large, "403"},
		"a form beyond all bounds":   {"POST /authorize/x HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 262144\r\n\r\n" + large, "403"},
		"a host in the request line": {"GET https://attacker.example/callback?state=x HTTP/1.1\r\nHost: x\r\n\r\n", "403"},
		"a path of slashes":          {"GET //attacker.example/callback HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"a path that climbs":         {"GET /authorize/../callback HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"a path that climbs hidden":  {"GET /authorize/%2e%2e/callback HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"a slash in a ticket":        {"GET /authorize/..%2fcallback HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"a star for a path":          {"GET * HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"a tunnel":                   {"CONNECT attacker.example:443 HTTP/1.1\r\nHost: attacker.example\r\n\r\n", "404"},
		"a semicolon in the query":   {"GET /callback?state=x;code=y HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"an escape that is none":     {"GET /callback?state=%zz HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"a language beyond sense":    {"GET /nowhere HTTP/1.1\r\nHost: x\r\nAccept-Language: " + strings.Repeat("a-", 20000) + "\r\n\r\n", "404"},
		"many cookies":               {"GET /outcome/x HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("a=b; ", 10000) + "\r\n\r\n", "403"},
	} {
		t.Run(about, func(t *testing.T) {
			connection := must(net.Dial("tcp", address))
			defer connection.Close()
			if err := connection.SetDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = io.WriteString(connection, test.sent) }() // the server may hang up before it has all
			got, err := http.ReadResponse(bufio.NewReader(connection), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer got.Body.Close()
			if !strings.HasPrefix(got.Status, test.want) || got.Header.Get("Location") != "" {
				t.Errorf("status %s, want %s; it leads to %q", got.Status, test.want, got.Header.Get("Location"))
			}
		})
	}
}

func TestAnAddressThatIsTakenIsToldAtOnce(t *testing.T) {
	address, _ := listen(t, emptyPortal(t), func(*http.Server) {})
	err := emptyPortal(t).SetupWithManager(t.Context(), &taking{}, address)
	if err == nil || !strings.Contains(err.Error(), "listen for the portal") {
		t.Errorf("error %v", err)
	}
}

// TestABrowserThatWaitsDoesNotHoldUpTheEnd stops the server while a page waits for its outcome, on a clock that stands still.
func TestABrowserThatWaitsDoesNotHoldUpTheEnd(t *testing.T) {
	f := newFixture(t, "")
	b, state := f.setOutAs("orders")
	b.comeBack("state", state, "code", "x")
	cookie := cookieHeader(b.cookies())
	address, stop := listen(t, f.portal, func(*http.Server) {})
	request := must(http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/outcome/"+attemptOf(state), nil))
	request.Header.Set("Cookie", cookie)
	answered := make(chan string, 1)
	go func() {
		got, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer got.Body.Close()
		answered <- got.Status + ", Refresh " + got.Header.Get("Refresh")
	}()
	f.eventually(func() string {
		if !f.clock.HasWaiters() {
			return "the page does not wait"
		}
		return ""
	})
	stop()
	if got, want := <-answered, "200 OK, Refresh 5"; got != want { // the page looks again, at another replica
		t.Errorf("the browser gets %q, want %q", got, want)
	}
}

// attemptOf is the name of a state's attempt.
func attemptOf(state string) string { return consent.Hash(oauth.NewSensitive(state))[:16] }

// TestAPageComesAsSoonAsThereIsAnOutcome has the controller settle while a browser waits.
func TestAPageComesAsSoonAsThereIsAnOutcome(t *testing.T) {
	f := newFixture(t, "")
	b, state := f.setOutAs("orders")
	b.comeBack("state", state, "code", "x")
	answered := make(chan seen, 1)
	go func() { answered <- b.get("/outcome/" + attemptOf(state)) }()
	f.eventually(func() string {
		if !f.clock.HasWaiters() {
			return "the page does not wait"
		}
		return ""
	})
	f.settle("orders", func(r consent.Record) consent.Record {
		return r.Take(r.Attempts[0].State, f.clock.Now()).Complete(r.Attempts[0].State, "ada", nil)
	})
	f.clock.Step(time.Second) // a look, far from the end of patience
	select {
	case page := <-answered:
		if !strings.Contains(page.body, "is connected") || page.Header.Get("Refresh") != "" {
			t.Errorf("status %d, Refresh %q", page.StatusCode, page.Header.Get("Refresh"))
		}
	case <-time.After(time.Minute):
		t.Error("the page waits on, although there is an outcome")
	}
}

// TestAnyReplicaTakesTheNextStep serves each step by another portal.
func TestAnyReplicaTakesTheNextStep(t *testing.T) {
	f := newFixture(t, "")
	another := func() { f.handler = f.portal.Handler() }
	ticket, b := f.invite("orders"), f.newBrowser()
	page := b.get("/authorize/" + ticket)
	another()
	left := b.send(http.MethodPost, "/authorize/"+ticket, url.Values{"form": {page.formToken()}})
	another()
	state := must(left.Location()).Query().Get("state")
	back := b.comeBack("state", state, "error", "access_denied")
	another()
	if got := b.get(must(back.Location()).Path); !strings.Contains(got.body, "Access was denied") {
		t.Errorf("status %d", got.StatusCode)
	}
}
