package portal

import (
	"errors"
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

// limiter slows down who guesses. Forwarded addresses are not believed, so that behind a proxy all share its address. Hence it counts and refuses
// failures alone: a link or a callback that is good is looked for first, and serves however much was guessed.
type limiter struct {
	clock clock.PassiveClock

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

func newLimiter(c clock.PassiveClock) *limiter {
	return &limiter{clock: c, buckets: map[string]*rate.Limiter{}}
}

// exhausted tells whether an address may make no wrong guess now.
func (l *limiter) exhausted(r *http.Request) bool { return l.bucket(r).TokensAt(l.clock.Now()) < 1 }

// guess counts a wrong guess, which is answered with its own error or, where there were too many, with errGuesses.
func (l *limiter) guess(r *http.Request, err error) error {
	if !l.bucket(r).AllowN(l.clock.Now(), 1) {
		return errGuesses
	}
	return err
}

// errGuesses: too many wrong guesses came from one address.
var errGuesses = errors.New("too many wrong guesses")

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
