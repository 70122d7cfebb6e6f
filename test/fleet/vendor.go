package fleet

import (
	"encoding/pem"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// Vendor is a scripted vendor over HTTPS whose answers take a while.
type Vendor struct {
	*oauthtest.Server

	// Authority is a file with its certificate, for SSL_CERT_FILE.
	Authority string

	http  *httptest.Server
	delay time.Duration
	shut  atomic.Bool

	mu       sync.Mutex
	arrivals []Arrival
	inFlight int
	most     int
	failing  func() int // status to answer instead; 0: none
	limit    int        // requests a second; 0: none
	second   int64
	within   int
}

// Arrival is a token request, as the vendor saw it.
type Arrival struct {
	ID     string // the client's
	At     time.Time
	Status int // of the answer
}

// StartVendor runs a vendor until the test ends, each of whose answers takes at least delay. It remembers one request of its own journal,
// if options don't say otherwise.
func StartVendor(tb testing.TB, delay time.Duration, options ...oauthtest.Option) *Vendor {
	tb.Helper()
	v := &Vendor{Server: oauthtest.New(append([]oauthtest.Option{oauthtest.WithHistory(1)}, options...)...), delay: delay}
	v.http = httptest.NewUnstartedServer(http.HandlerFunc(v.serve))
	v.http.Config.ErrorLog = log.New(io.Discard, "", 0)
	v.http.Listener = door{v.http.Listener, &v.shut}
	v.http.StartTLS()
	tb.Cleanup(v.http.Close)
	v.Authority = filepath.Join(tb.TempDir(), "vendor.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: v.http.Certificate().Raw})
	if err := os.WriteFile(v.Authority, certificate, 0o600); err != nil {
		tb.Fatal(err)
	}
	return v
}

// Host is where the vendor listens.
func (v *Vendor) Host() string { return v.http.Listener.Addr().String() }

// Endpoint is its token endpoint.
func (v *Vendor) Endpoint() string { return v.http.URL + "/generic/oauth2/token" }

// FailOften answers a share of the requests with 503 in place of a token.
func (v *Vendor) FailOften(share float64) {
	v.answer(func() int {
		if rand.Float64() < share {
			return http.StatusServiceUnavailable
		}
		return 0
	})
}

// Away answers every request with 503, until it is called with false.
func (v *Vendor) Away(away bool) {
	if !away {
		v.answer(nil)
		return
	}
	v.answer(func() int { return http.StatusServiceUnavailable })
}

// Shut resets every new connection before anything is read from it, until it is called with false. Those that stand go on.
func (v *Vendor) Shut(shut bool) { v.shut.Store(shut) }

// door is a listener that can be shut.
type door struct {
	net.Listener

	shut *atomic.Bool
}

// Accept implements net.Listener.
func (d door) Accept() (net.Conn, error) {
	for {
		connection, err := d.Listener.Accept()
		if err != nil || !d.shut.Load() {
			return connection, err
		}
		if tcp, isTCP := connection.(*net.TCPConn); isTCP {
			_ = tcp.SetLinger(0) // a reset, and not an end in good order
		}
		_ = connection.Close()
	}
}

// Limit answers 429 to all above so many requests a second.
func (v *Vendor) Limit(perSecond int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.limit = perSecond
}

// Arrivals are the requests so far, from the nth on.
func (v *Vendor) Arrivals(from int) []Arrival {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]Arrival(nil), v.arrivals[from:]...)
}

// Asked is how many requests there were.
func (v *Vendor) Asked() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.arrivals)
}

// MostInFlight is how many requests there were at once at most, since the last call.
func (v *Vendor) MostInFlight() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	most := v.most
	v.most = v.inFlight
	return most
}

func (v *Vendor) answer(with func() int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failing = with
}

func (v *Vendor) serve(w http.ResponseWriter, r *http.Request) {
	n, status := v.arrive(r)
	defer v.depart()
	time.Sleep(v.delay)
	switch status {
	case 0:
		counted := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		v.ServeHTTP(counted, r)
		status = counted.status
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "slow down", status)
	default:
		http.Error(w, "not now", status)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.arrivals[n].Status = status
}

func (v *Vendor) arrive(r *http.Request) (n, status int) {
	id, _, _ := r.BasicAuth()
	if plain, err := url.QueryUnescape(id); err == nil {
		id = plain
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	v.arrivals = append(v.arrivals, Arrival{ID: id, At: now})
	v.inFlight++
	v.most = max(v.most, v.inFlight)
	if v.failing != nil {
		status = v.failing()
	}
	if v.second != now.Unix() {
		v.second, v.within = now.Unix(), 0
	}
	if v.within++; status == 0 && v.limit > 0 && v.within > v.limit {
		status = http.StatusTooManyRequests
	}
	return len(v.arrivals) - 1, status
}

func (v *Vendor) depart() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.inFlight--
}

type statusWriter struct {
	http.ResponseWriter

	status int
}

// Unwrap lets an answer be cut.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// register makes the client of one OAuthToken. Those that refresh get a refresh token that each refresh replaces.
func (v *Vendor) register(id string, lifetime time.Duration, refreshes bool) (seed string) {
	client := oauthtest.Client{
		Vendor: oauthtest.Generic, ID: id, Secret: "secret-of-" + id,
		Grants: []string{oauthtest.ClientCredentials}, Scopes: []string{"orders"}, Lifetime: lifetime,
	}
	if refreshes {
		client.Grants, client.RefreshTokens, client.Rotation = []string{oauthtest.RefreshToken}, true, oauthtest.Rotate
	}
	v.Register(client)
	if !refreshes {
		return ""
	}
	return v.NewRefreshToken(oauthtest.Generic, id, "")
}
