package portal

import (
	"net"
	"net/http"
	"sync"

	"golang.org/x/time/rate"
	"k8s.io/utils/clock"
)

const (
	// guesses is how many wrong tickets and callbacks an address may bring at once; then one a second.
	guesses = 30
	// mostAddresses bounds the memory. When there are more, all begin anew.
	mostAddresses = 4096
)

// limiter slows down who guesses. What it counts are failures alone, so that it never stands in the way of a link that is good. Forwarded
// addresses are not believed: behind a proxy all share its address.
type limiter struct {
	clock clock.PassiveClock

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

func newLimiter(c clock.PassiveClock) *limiter {
	return &limiter{clock: c, buckets: map[string]*rate.Limiter{}}
}

// exhausted tells whether an address has to wait.
func (l *limiter) exhausted(r *http.Request) bool { return l.bucket(r).TokensAt(l.clock.Now()) < 1 }

// failed counts a wrong guess.
func (l *limiter) failed(r *http.Request) { l.bucket(r).AllowN(l.clock.Now(), 1) }

func (l *limiter) bucket(r *http.Request) *rate.Limiter {
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buckets[address] == nil {
		if len(l.buckets) >= mostAddresses {
			clear(l.buckets)
		}
		l.buckets[address] = rate.NewLimiter(1, guesses)
	}
	return l.buckets[address]
}
