package soak

import (
	"fmt"
	"time"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
	"tokensync.dev/tokensync/test/fleet"
)

// books are all that is known of a run, by ID.
type books struct {
	requests map[string][]oauthtest.Request
	alone    []span
	kills    []time.Time
}

func newBooks(v *fleet.Vendor, c *chaos) *books {
	b := &books{requests: map[string][]oauthtest.Request{}, alone: c.alone, kills: c.kills}
	for _, r := range v.Requests() {
		b.requests[r.ClientID] = append(b.requests[r.ClientID], r)
	}
	return b
}

// slack is what whole seconds and a busy machine may add.
const slack = 3 * time.Second

// expiredInPeace tells why a served token should not have expired before it was replaced; "": it did not, or there was a reason for it.
func (b *books) expiredInPeace(r fleet.Replaced) string {
	end := r.Token.ExpiresAt
	if !r.At.After(end.Add(slack)) {
		return ""
	}
	life := end.Sub(r.Token.IssuedAt)
	if b.hasFailed(r.ID, end.Add(-life/4), end) || b.wasAlone(end) {
		return ""
	}
	return fmt.Sprintf("%s: the token issued at %s with a life of %s was replaced %s after its end", r.ID,
		r.Token.IssuedAt.Format(time.TimeOnly), life, r.At.Sub(end).Round(time.Second))
}

// failed tells whether a client got no token, or could not know that there was one. A slow answer is one all the same.
func failed(r oauthtest.Request) bool { return r.Fault != "" && r.Fault != "slow" }

// hasFailed tells whether the vendor has failed a client within a time.
func (b *books) hasFailed(id string, from, to time.Time) bool {
	for _, r := range b.requests[id] {
		if failed(r) && !r.Time.Before(from.Add(-slack)) && !r.Time.After(to.Add(slack)) {
			return true
		}
	}
	return false
}

// wasAlone tells whether nobody led up to shortly before a token's end.
func (b *books) wasAlone(end time.Time) bool {
	for _, s := range b.alone {
		if !s.from.After(end) && s.to.Add(slack+slack).After(end) {
			return true
		}
	}
	return false
}

// mayHaveLost tells whether an answer with a refresh token may have been lost to the manager: the vendor acted and spoiled its answer, or the
// manager was killed about then.
func (b *books) mayHaveLost(id string) bool {
	for _, r := range b.requests[id] {
		if r.Outcome != oauthtest.Issued {
			continue
		}
		if failed(r) {
			return true
		}
		for _, kill := range b.kills {
			if d := kill.Sub(r.Time); d > -slack && d < 2*slack {
				return true
			}
		}
	}
	return false
}
