package renewal

import (
	"slices"
	"time"
)

const (
	// successSpacing keeps successful requests 5 s apart: IssuedAt may lie a second before the request.
	successSpacing = 6 * time.Second
	// changeSpacing keeps requests apart that changes of spec or credentials ask for, from the failure before.
	changeSpacing = time.Second
	// cappedChangeSpacing is the same once the hour's failures are used up.
	cappedChangeSpacing = time.Minute
	// WishSpacing keeps requests apart that annotations ask for, from the failure before.
	WishSpacing = 5 * time.Second

	// maxFailures is how many requests may fail in failureWindow.
	maxFailures = 20
	// failureWindow is the time over which failures are counted.
	failureWindow = time.Hour

	// clockTolerance is how far ahead of our clock a time may lie that was written by another replica, or before small corrections.
	clockTolerance = time.Minute
	// longestBackOff is more than the longest pause that AfterFailure gives.
	longestBackOff = 7 * time.Hour
	// longestThrottle is more than the longest pause that an endpoint is granted.
	longestThrottle = longestPause + 10*time.Minute
)

// allowed returns from when a request may be sent, and what stands in its way until then; a past time where nothing does.
func (s State) allowed(now time.Time) (time.Time, Reason) {
	at, obstacle := s.afterSuccess(now), TooSoon
	if t := s.afterFailures(now); t.After(at) {
		at, obstacle = t, BackingOff
	}
	if t := s.afterThrottling(now); t.After(at) {
		at, obstacle = t, Paused
	}
	return at, obstacle
}

// afterSuccess returns when the last successful request is long enough ago.
func (s State) afterSuccess(now time.Time) time.Time {
	last := s.LastSuccess
	if s.Token != nil {
		last = later(last, s.Token.lastAnswer())
	}
	return SpacedFrom(now, last)
}

// SpacedFrom returns from when a request may follow one that succeeded at a time; zero where that time can't be believed.
func SpacedFrom(now, success time.Time) time.Time {
	if ahead(now, success) {
		return time.Time{}
	}
	return success.Add(successSpacing)
}

// afterFailures returns when past failures allow a request. A change of spec or credentials allows one at once, even when the hour's
// failures are used up; nothing else does.
func (s State) afterFailures(now time.Time) time.Time {
	failed := recent(now, s.Failures.Recent)
	capped := len(failed) >= maxFailures
	switch {
	case s.changed() && capped:
		return s.lastFailure(now).Add(cappedChangeSpacing)
	case s.changed():
		return s.lastFailure(now).Add(changeSpacing)
	case capped:
		return later(s.nextAttempt(now), capEnd(failed))
	}
	return s.nextAttempt(now)
}

// changed tells whether spec or credentials are others than at the last request, be it one that failed or one that succeeded.
func (s State) changed() bool {
	if s.Failures.Count > 0 {
		return !s.FailuresCurrent
	}
	return s.Token != nil && !s.Current
}

// lastFailure returns when the last request failed; zero where none did lately or the time can't be believed.
func (s State) lastFailure(now time.Time) time.Time {
	last := s.Failures.LastTime
	if n := len(s.Failures.Recent); n > 0 {
		last = later(last, s.Failures.Recent[n-1])
	}
	if ahead(now, last) {
		return time.Time{}
	}
	return last
}

// nextAttempt returns when the back-off ends; zero where there is none or its times can't be believed.
func (s State) nextAttempt(now time.Time) time.Time {
	f := s.Failures
	switch {
	case !s.retrying(), ahead(now, f.LastTime):
		return time.Time{}
	case s.freshWish():
		return f.LastTime.Add(WishSpacing)
	case f.NextAttempt.Sub(f.LastTime) > longestBackOff:
		return time.Time{}
	}
	return f.NextAttempt
}

// afterThrottling returns when the endpoint's pause ends; zero where there is none, or one longer than any that we grant: it was noted
// before the clock stepped back.
func (s State) afterThrottling(now time.Time) time.Time {
	if s.NotBefore.Sub(now) > longestThrottle {
		return time.Time{}
	}
	return s.NotBefore
}

// recent returns the failures that count at now, oldest first. Those from before a step back of the clock don't: their age is not
// known. The next failure counts them again (see remember), so a step allows one request.
func recent(now time.Time, failed []time.Time) []time.Time {
	var counted []time.Time
	for _, t := range failed {
		if now.Sub(t) < failureWindow && !ahead(now, t) {
			counted = append(counted, t)
		}
	}
	slices.SortFunc(counted, time.Time.Compare)
	return counted
}

// capEnd returns when one more failure is allowed after those given, at least maxFailures, oldest first.
func capEnd(failed []time.Time) time.Time {
	return failed[len(failed)-maxFailures].Add(failureWindow)
}

// ahead tells whether t lies so far ahead of now that the clock must have stepped back since it was written.
func ahead(now, t time.Time) bool { return t.Sub(now) > clockTolerance }

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// floor returns the whole second at or before t, in UTC.
func floor(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// ceil returns the whole second at or after t, in UTC.
func ceil(t time.Time) time.Time { return floor(t.Add(time.Second - 1)) }
