package renewal_test

import (
	"time"

	"tokensync.dev/tokensync/internal/renewal"
)

// start is when every simulated life begins, by the true clock and the object's.
var start = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)

// life is one simulated object: what its Secrets and status say, its clock and its vendor's answers. It holds what a caller of this
// package stores, in the form in which it stores it, and nothing else that decisions could lean on.
type life struct {
	uid    string
	policy renewal.Policy
	spec   int // stands for spec and credentials

	trueTime  time.Time     // runs on, whatever the clock does
	clockLead time.Duration // how far the object's clock is ahead of it

	token       *renewal.Token
	issuedFor   int
	lastSuccess time.Time
	failures    renewal.Failures
	failedFor   int
	lastClass   renewal.Class
	notBefore   time.Time
	suspended   bool

	wish, wishHandled, wishTried int // values of the annotation
}

// answer is what the vendor says to one request.
type answer struct {
	class      renewal.Class // 0: a token
	lifetime   time.Duration // of the token; of what remains of it where it is repeated
	repeated   bool          // the same token as before
	retryAfter time.Duration
	takes      time.Duration
}

func newLife(uid string, policy renewal.Policy) *life {
	return &life{uid: uid, policy: policy, trueTime: start}
}

func (l *life) now() time.Time { return l.trueTime.Add(l.clockLead) }

// state is what a process that has just started reads.
func (l *life) state() renewal.State {
	s := renewal.State{
		UID:             l.uid,
		Current:         l.issuedFor == l.spec,
		LastSuccess:     l.lastSuccess,
		Renew:           l.wish != l.wishHandled,
		RenewTried:      l.wish == l.wishTried,
		Suspended:       l.suspended,
		Failures:        l.failures,
		FailuresCurrent: l.failedFor == l.spec,
		NotBefore:       l.notBefore,
	}
	if l.token != nil {
		stored := *l.token
		s.Token = &stored
	}
	if l.failures.Count > 0 && l.lastClass == renewal.Throttled && s.NotBefore.Before(l.failures.NextAttempt) {
		s.NotBefore = l.failures.NextAttempt
	}
	return s
}

func (l *life) decide() renewal.Decision { return renewal.Decide(l.now(), l.state(), l.policy) }

// request sends a request that is answered so, and stores what came of it.
func (l *life) request(a answer) {
	sent := l.now().Truncate(time.Second)
	l.trueTime = l.trueTime.Add(a.takes)
	if a.class != 0 {
		l.failures = renewal.AfterFailure(l.now(), a.class, l.failures, l.failedFor == l.spec, a.retryAfter, l.served(), l.uid)
		l.failedFor, l.lastClass, l.wishTried = l.spec, a.class, l.wish
		return
	}
	if a.repeated && l.token != nil {
		l.token.RepeatedAt = sent
	} else {
		l.token = &renewal.Token{IssuedAt: sent}
	}
	l.token.ExpiresAt = sent.Add(a.lifetime)
	l.failures = renewal.AfterSuccess(l.now(), l.failures)
	l.issuedFor, l.lastSuccess, l.wishHandled = l.spec, sent, l.wish
}

// served is the token that pods use, nil where there is none that is good.
func (l *life) served() *renewal.Token {
	if l.token == nil || !l.token.ExpiresAt.After(l.now()) {
		return nil
	}
	return l.token
}
