package renewal

import (
	"strconv"
	"time"
)

const (
	transientPause    = 5 * time.Second
	maxTransientPause = 10 * time.Minute
	malformedPause    = time.Minute
	maxMalformedPause = time.Hour
	throttledPause    = 30 * time.Second // where the endpoint names none
	shortestPause     = 5 * time.Second  // of those that an endpoint names
	longestPause      = time.Hour        // the same
	rejectedPause     = 6 * time.Hour
	rejectedJitter    = 10 * time.Minute

	// swiftFailures is how many failures of an hour follow each other at the pace of their class alone; see thrift.
	swiftFailures = 10
	// sparedFailures is how many failures of an hour are kept for when no token is served, or not for long any more; see thrift.
	sparedFailures = 4
	// thriftyLife is what must remain of a served token's life for thrift to respect it whatever else is.
	thriftyLife = time.Minute
	// lastPart is the part of a served token's life in which it is late for a renewal.
	lastPart = 4
)

// Class says what kind of failure a request met.
type Class int

// The classes of failure.
const (
	// Transient: nothing is wrong with the request; the same one may succeed soon.
	Transient Class = iota + 1
	// Throttled: the endpoint wants a pause.
	Throttled
	// Rejected: nothing helps until somebody changes spec or credentials, and trying often may lock an account.
	Rejected
	// Malformed: the answer was none. Somebody has to mend the server, which takes longer than an outage.
	Malformed
)

// Failures is what is remembered of failed requests, in whole seconds.
type Failures struct {
	// Count is how many failed in a row with the same spec and credentials.
	Count int
	// LastTime is when the last one failed.
	LastTime time.Time
	// NextAttempt is the end of the back-off.
	NextAttempt time.Time
	// Recent are the times at which requests of the past hour failed, oldest first, the last 20 at most. Successes and changes of spec
	// or credentials don't clear it: it is what the hourly cap is counted by.
	Recent []time.Time
}

// AfterFailure returns what to remember after a request that failed at now.
//
// sameProblem tells that the failures in f happened with the present spec and credentials; else counting starts anew. retryAfter is the
// pause that the endpoint asked for, 0 for none; it counts for Throttled only. served is the good token that pods use meanwhile, nil
// for none.
//
// The pause until NextAttempt, each with a jitter derived from uid and count:
//
//	Transient  5 s doubling to 10 min, ±10 %; at most half of what remains of the served token's life, but at least 1 s
//	Malformed  the same from 1 min to 1 h
//	Throttled  retryAfter, at least 5 s and at most 1 h, plus up to a tenth; from 30 s to 10 min as for Transient where there is none
//	Rejected   6 h and up to 10 min more
//
// From the eleventh failure of an hour on thrift makes pauses longer.
func AfterFailure(
	now time.Time, c Class, f Failures, sameProblem bool, retryAfter time.Duration, served *Token, uid string,
) Failures {
	now = ceil(now)
	after := Failures{Count: 1, LastTime: now, Recent: remember(now, f.Recent)}
	if sameProblem {
		after.Count += max(f.Count, 0)
	}
	after.Recent = append(after.Recent, now)
	after.Recent = after.Recent[max(len(after.Recent)-maxFailures, 0):]

	b := backOff{retries: after.Count - 1, uid: uid, life: served.remaining(now), late: served.isLate(now)}
	after.NextAttempt = now.Add(max(b.pause(c, retryAfter), b.thrift(len(after.Recent))))
	if len(after.Recent) == maxFailures {
		after.NextAttempt = later(after.NextAttempt, capEnd(after.Recent))
	}
	return after
}

// AfterSuccess returns what to remember after a request that succeeded at now: only Recent.
func AfterSuccess(now time.Time, f Failures) Failures {
	return Failures{Recent: remember(ceil(now), f.Recent)}
}

// remember returns the failures of the hour before now, oldest first. Those that lie ahead, because the clock stepped back, are taken
// to have happened now: at the latest.
func remember(now time.Time, failed []time.Time) []time.Time {
	past := make([]time.Time, 0, len(failed)+1)
	for _, t := range failed {
		past = append(past, earlier(t, now))
	}
	return recent(now, past)
}

// remaining returns what remains of the token's life; 0 for none.
func (t *Token) remaining(now time.Time) time.Duration {
	if t == nil {
		return 0
	}
	return max(t.ExpiresAt.Sub(now), 0)
}

// isLate tells whether the last quarter of the token's life has begun.
func (t *Token) isLate(now time.Time) bool {
	return t == nil || t.remaining(now) <= t.ExpiresAt.Sub(t.lastAnswer())/lastPart
}

// backOff is what the pause after a failure depends on, beside its class.
type backOff struct {
	retries int           // failures before this one
	uid     string        // source of the jitter
	life    time.Duration // what remains of the served token's life; 0: no token is served
	late    bool          // it is the last quarter of that life, or no token is served
}

// pause returns the pause after a failure of class c, in whole seconds.
func (b backOff) pause(c Class, retryAfter time.Duration) time.Duration {
	switch c {
	case Rejected:
		return rejectedPause + b.share(rejectedJitter).Truncate(time.Second)
	case Malformed:
		return b.inTime(b.varied(doubled(malformedPause, b.retries, maxMalformedPause)))
	case Throttled:
		if retryAfter > 0 {
			asked := max(min(ceilDuration(retryAfter), longestPause), shortestPause)
			return asked + b.share(asked/10).Round(time.Second)
		}
		return b.inTime(b.varied(doubled(throttledPause, b.retries, maxTransientPause)))
	case Transient:
	}
	return b.inTime(b.varied(doubled(transientPause, b.retries, maxTransientPause)))
}

// varied spreads a pause over ±10 %.
func (b backOff) varied(pause time.Duration) time.Duration {
	return (pause - pause/10 + b.share(pause/5)).Round(time.Second)
}

// inTime bounds a pause by half of what remains of the served token's life, so that a vendor which recovers in time is found in time.
func (b backOff) inTime(pause time.Duration) time.Duration {
	if b.life == 0 {
		return pause
	}
	return min(pause, max(b.life/2, time.Second).Truncate(time.Second))
}

// thrift returns the least pause after the nth failure of an hour. Twenty are allowed, and the halving pauses before a token's expiry
// alone can take half of them; once all are spent, an object without a token can't ask for one for up to an hour. So from the eleventh
// on failures are apart by 5 s doubling to 10 min, whatever their class. In an ordinary outage at most 19 requests fail in an hour.
//
// Half of what remains of a served token's life is enough while that is a minute and more. It is also enough before the last quarter of
// the life, so that no token ends whose vendor was well by then; but not for the last four failures, with which one whose vendor has
// failed now and then all the time comes through an outage.
func (b backOff) thrift(n int) time.Duration {
	if n <= swiftFailures {
		return 0
	}
	pause := doubled(transientPause, n-swiftFailures-1, maxTransientPause)
	if b.life >= thriftyLife || !b.late && n <= maxFailures-sparedFailures {
		return b.inTime(pause)
	}
	return pause
}

func (b backOff) share(span time.Duration) time.Duration {
	return share(span, b.uid, "retry", strconv.Itoa(b.retries))
}

// doubled returns first·2ⁿ, at most limit.
func doubled(first time.Duration, n int, limit time.Duration) time.Duration {
	pause := first
	for range n {
		if pause >= limit {
			break
		}
		pause *= 2
	}
	return min(pause, limit)
}

// ceilDuration returns the whole seconds that d takes, rounded up.
func ceilDuration(d time.Duration) time.Duration {
	if whole := d.Truncate(time.Second); whole < d {
		return whole + time.Second
	}
	return d
}
