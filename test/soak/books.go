package soak

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
	"tokensync.dev/tokensync/test/fleet"
)

// books are all that is known of a run, by ID.
type books struct {
	requests map[string][]oauthtest.Request // in the order of their answers
	stored   map[string]string              // refresh tokens as the state Secrets have them
	isLive   func(refreshToken string) bool // by the vendor's word
	pauses   map[string]time.Duration       // that the vendor asks a client for when it answers 429, where they are long
	uses     map[string][]fleet.Use         // of refresh tokens
	alone    []span
	kills    []span
	away     []span
}

func newBooks(v *fleet.Vendor, c *chaos, stored map[string]string, pauses map[string]time.Duration, uses map[string][]fleet.Use) *books {
	b := &books{
		requests: map[string][]oauthtest.Request{}, stored: stored, isLive: v.RefreshTokenIsLive, pauses: pauses, uses: uses,
		alone: c.alone, kills: c.kills, away: c.shut(),
	}
	for _, r := range v.Requests() {
		b.requests[r.ClientID] = append(b.requests[r.ClientID], r)
	}
	return b
}

const (
	// slack is what whole seconds and a busy machine may add.
	slack = 3 * time.Second
	// slowness is by how much an answer is slow.
	slowness = 3 * time.Second
	// apart is for how long after the deadline of a use nobody else uses a refresh token.
	apart = time.Minute
)

// expiredInPeace tells why a served token should not have expired before it was replaced; "": it did not, or there was a reason for it.
func (b *books) expiredInPeace(r fleet.Replaced) string {
	issued, end := r.Token.IssuedAt, r.Token.ExpiresAt
	if !r.At.After(end.Add(slack)) {
		return ""
	}
	life := end.Sub(issued)
	if b.hasFailed(r.ID, end.Add(-life/4), end) || b.wasPaused(r.ID, issued, end) || b.wasInUse(r.ID, end) || lasted(b.alone, end) || lasted(b.away, end) {
		return ""
	}
	return fmt.Sprintf("%s: the token issued at %s with a life of %s was replaced %s after its end; %s", r.ID,
		issued.Format(time.TimeOnly), life, r.At.Sub(end).Round(time.Second), b.story(r.ID, issued, r.At))
}

// story is what is known of the time in which a token was served, in seconds since it was issued, for whoever looks for a cause.
func (b *books) story(id string, issued, replaced time.Time) string {
	since := func(t time.Time) float64 { return t.Sub(issued).Seconds() }
	failures, events := b.told(id, issued, replaced, since)
	for _, use := range b.uses[id] {
		if (span{use.From, use.Deadline.Add(apart)}).touches(issued, replaced) {
			events = append(events, fmt.Sprintf("refresh token in use from %.1f to %.1f, to be sent until %.1f", since(use.From), since(use.To), since(use.Deadline)))
		}
	}
	for what, spans := range map[string][]span{"nobody led": b.alone, "the leader was killed": b.kills, "the vendor was shut": b.away} {
		for _, s := range spans {
			if s.touches(issued, replaced) {
				events = append(events, fmt.Sprintf("%.1f to %.1f %s", since(s.from), since(s.to), what))
			}
		}
	}
	return fmt.Sprintf("%d requests had failed before; then: %s", failures, strings.Join(events, ", "))
}

// told are a client's requests while a token was served, and how many had failed before.
func (b *books) told(id string, issued, replaced time.Time, since func(time.Time) float64) (failuresBefore int, requests []string) {
	for _, r := range b.requests[id] {
		if failed(r) && r.Time.Before(issued) {
			failuresBefore++
		}
		if (span{r.Time, r.Time}).touches(issued.Add(-slack), replaced.Add(slack)) {
			requests = append(requests, fmt.Sprintf("%.1f %s", since(r.Time), strings.TrimSpace(r.Fault+" "+string(r.Outcome))))
		}
	}
	return failuresBefore, requests
}

// failed tells whether a client got no token, or could not know that there was one. A slow answer is one all the same.
func failed(r oauthtest.Request) bool { return r.Fault != "" && !isSlow(r) }

func isSlow(r oauthtest.Request) bool { return r.Fault == "slow" }

// hasFailed tells whether the vendor has failed a client within a time.
func (b *books) hasFailed(id string, from, to time.Time) bool {
	return slices.ContainsFunc(b.requests[id], func(r oauthtest.Request) bool {
		return failed(r) && !r.Time.Before(from.Add(-slack)) && !r.Time.After(to.Add(slack))
	})
}

// wasPaused tells whether the vendor had asked a client, while a token was served, to wait until its end or longer.
func (b *books) wasPaused(id string, issued, end time.Time) bool {
	return slices.ContainsFunc(b.requests[id], func(r oauthtest.Request) bool {
		return r.Fault == "too many requests" && r.Time.After(issued) && r.Time.Add(b.pauses[id]).After(end.Add(-slack))
	})
}

// wasInUse tells whether a leader that led no more had begun to use a client's refresh token and had not told what came of it, so that nobody
// else might use it before a token's end.
func (b *books) wasInUse(id string, end time.Time) bool {
	return slices.ContainsFunc(b.uses[id], func(use fleet.Use) bool {
		isLeft := slices.ContainsFunc(b.alone, func(s span) bool { return s.touches(use.From.Add(-slack), use.Deadline) })
		until := use.Deadline.Add(apart)
		if !use.To.IsZero() && use.To.Before(until) {
			until = use.To
		}
		return isLeft && !use.From.After(end) && until.After(end.Add(-slack))
	})
}

// lasted tells whether one of some spans went on until shortly before a token's end.
func lasted(spans []span, end time.Time) bool {
	return slices.ContainsFunc(spans, func(s span) bool { return s.touches(end.Add(-2*slack), end) })
}

// isLost tells whether the refresh token that is kept is good no more, or none is kept.
func (b *books) isLost(id string) bool { return !b.isLive(b.stored[id]) }

// hadToBeLost tells whether nobody can have kept a client's newest refresh token, since the answer that brought it was spoilt, or the manager was
// killed before it can have been written. What is kept then, or was given up when the vendor refused it, is the one that was spent for it: one
// that is older still was lost by the manager.
func (b *books) hadToBeLost(id string) bool {
	var newest *oauthtest.Request
	refused := ""
	for i, r := range b.requests[id] {
		if r.Outcome == oauthtest.Issued {
			newest = &b.requests[id][i]
		}
		if r.Outcome == "invalid_grant" {
			refused = sentBy(r)
		}
	}
	return newest != nil && sentBy(*newest) == cmp.Or(b.stored[id], refused) && (isCut(*newest) || b.killedAmid(*newest))
}

// isCut tells whether an answer has failed to bring the refresh token that it was to bring. One that can't be used for something else brings it
// all the same.
func isCut(r oauthtest.Request) bool {
	return failed(r) && r.Fault != "no member access_token" && r.Fault != "member token_type"
}

// sentBy is the refresh token that a request was to spend.
func sentBy(r oauthtest.Request) string { return r.Form().Get("refresh_token") }

// killedAmid tells whether the leader was killed after a request had left, and before what the answer brought was surely written.
func (b *books) killedAmid(r oauthtest.Request) bool {
	written := r.Time.Add(slack)
	if isSlow(r) {
		written = written.Add(slowness)
	}
	return slices.ContainsFunc(b.kills, func(kill span) bool { return kill.touches(r.Time, written) })
}
