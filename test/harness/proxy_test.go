package harness_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"tokensync.dev/tokensync/test/harness"
)

const whole = `{"access_token":"one","token_type":"Bearer"}`

// behind is a proxy before a server that counts its requests and gives the whole answer.
func behind(t *testing.T) (proxy *harness.Proxy, served *atomic.Int64) {
	t.Helper()
	served = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, whole)
	}))
	t.Cleanup(server.Close)
	return harness.NewProxy(t, server.URL, http.DefaultTransport), served
}

// ask posts to a path, and tells what came: a status, or 0 where the connection ended before one, and the body as far as it came.
func ask(t *testing.T, p *harness.Proxy, path string) (status int, body string, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL()+path, strings.NewReader("a=b"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	return response.StatusCode, string(read), err
}

func TestStrokes(t *testing.T) {
	t.Parallel()
	cut, out := errors.New("cut"), &harness.Answer{Status: http.StatusBadGateway, Body: "<html>out of order</html>"}
	for name, test := range map[string]struct {
		stroke harness.Stroke
		status int
		body   string
		ends   bool // the connection, before the answer is whole
		served int64
	}{
		"nothing is done": {harness.Stroke{}, 200, whole, false, 1},
		"cut before":      {harness.Stroke{Before: func() error { return cut }}, 0, "", true, 0},
		"cut after":       {harness.Stroke{After: func() error { return cut }}, 0, "", true, 1},
		"another answer":  {harness.Stroke{Instead: out}, 502, out.Body, false, 0},
		"another answer, though the server has acted":  {harness.Stroke{Instead: out, Forward: true}, 502, out.Body, false, 1},
		"half an answer, and the end":                  {harness.Stroke{Half: true}, 200, whole[:len(whole)/2], true, 1},
		"half an answer as if it were all":             {harness.Stroke{HalfJSON: true}, 200, whole[:len(whole)/2], false, 1},
		"half of another answer, and the end":          {harness.Stroke{Half: true, Instead: out}, 502, out.Body[:len(out.Body)/2], true, 0},
		"half of another answer as if it were all":     {harness.Stroke{HalfJSON: true, Instead: out}, 502, out.Body[:len(out.Body)/2], false, 0},
		"half of another answer, the server has acted": {harness.Stroke{HalfJSON: true, Forward: true, Instead: out}, 502, out.Body[:len(out.Body)/2], false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, served := behind(t)
			p.Strike(func(*http.Request) *harness.Stroke { return &test.stroke })
			status, body, err := ask(t, p, "/token")
			if status != test.status || body != test.body || (err != nil) != test.ends || served.Load() != test.served {
				t.Errorf("got %d %q %v, the server saw %d", status, body, err, served.Load())
			}
			p.Strike(nil)
			if status, body, err := ask(t, p, "/token"); status != http.StatusOK || body != whole || err != nil {
				t.Errorf("afterwards: %d %q %v", status, body, err)
			}
		})
	}
}

func TestARequestIsHeldBeforeItIsForwardedAndAfter(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, served := behind(t)
			held, goOn, answered := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			hold := func() error {
				close(held)
				<-goOn
				return nil
			}
			p.Strike(func(*http.Request) *harness.Stroke {
				if after {
					return &harness.Stroke{After: hold}
				}
				return &harness.Stroke{Before: hold}
			})
			go func() {
				_, _, err := ask(t, p, "/token")
				answered <- err
			}()
			<-held
			if got := served.Load() == 1; got != after {
				t.Errorf("forwarded: %t, want %t", got, after)
			}
			select {
			case err := <-answered:
				t.Errorf("the answer did not wait: %v", err)
			default:
			}
			close(goOn)
			if err := <-answered; err != nil || served.Load() != 1 {
				t.Errorf("afterwards: %v, the server saw %d", err, served.Load())
			}
		})
	}
}

// TestStreamsFlowUntilTheServerIsAway watches as a manager watches: lines come when they are written, and the stream ends with the server.
func TestStreamsFlowUntilTheServerIsAway(t *testing.T) {
	t.Parallel()
	lines := make(chan string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case line := <-lines:
				_, _ = io.WriteString(w, line+"\n")
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	p := harness.NewProxy(t, server.URL, http.DefaultTransport)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL()+"/apis?watch=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	stream := bufio.NewReader(response.Body)
	for _, want := range []string{"one", "two"} {
		lines <- want
		if got, err := stream.ReadString('\n'); got != want+"\n" || err != nil {
			t.Fatalf("got %q %v", got, err)
		}
	}
	p.Away(true)
	if got, err := stream.ReadString('\n'); err == nil {
		t.Errorf("the stream goes on with %q", got)
	}
	if status, _, err := ask(t, p, "/"); err == nil {
		t.Errorf("a server that is away answers with %d", status)
	}
}

func TestAServerComesBack(t *testing.T) {
	t.Parallel()
	p, served := behind(t)
	p.Away(true)
	if status, _, err := ask(t, p, "/"); err == nil || served.Load() != 0 {
		t.Errorf("away: %d, the server saw %d", status, served.Load())
	}
	p.Away(false)
	if status, body, err := ask(t, p, "/"); status != http.StatusOK || body != whole || err != nil {
		t.Errorf("back: %d %q %v", status, body, err)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	const namespace = "/api/v1/namespaces/n"
	for line, want := range map[string]bool{
		"POST /token?name=a":                                                   true,
		"PUT " + namespace + "/secrets/a-oauth-state":                          true,
		"POST " + namespace + "/secrets?dryRun=All":                            true,
		"GET " + namespace + "/secrets/a":                                      true,
		"PATCH /apis/tokensync.dev/v1alpha1/namespaces/n/oauthtokens/a/status": true,
		"GET " + namespace + "/secrets?watch=true":                             false,
		"GET /api": false,
		"PUT /apis/coordination.k8s.io/v1/namespaces/n/leases/l": false,
		"POST /apis/events.k8s.io/v1/namespaces/n/events":        false,
	} {
		method, path, _ := strings.Cut(line, " ")
		if got := harness.Counts(httptest.NewRequest(method, path, nil)); got != want {
			t.Errorf("%s: %t, want %t", line, got, want)
		}
	}
}
