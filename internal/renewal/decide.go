package renewal

import "time"

// oversight is the longest time between two decisions: timers aren't trusted over long spans, since machines are suspended and clocks
// step.
const oversight = time.Hour

// State is all that a decision depends on, as the objects of one OAuthToken tell it.
type State struct {
	// UID is the object's; jitter is derived from it.
	UID string
	// Token is the one in the target Secret; nil: none that can be used.
	Token *Token
	// Current tells that the token was issued for the present spec and credentials.
	Current bool
	// LastSuccess is the time just before the last request that brought a token, for when the token itself is lost; zero: not known.
	LastSuccess time.Time
	// Renew tells that an annotation asks for a renewal that no successful request has answered yet, not even with the same token.
	Renew bool
	// RenewTried tells that a request for that renewal was sent and failed.
	RenewTried bool
	// Suspended tells that nothing may be requested.
	Suspended bool
	// Failures are those since the last success.
	Failures Failures
	// FailuresCurrent tells that they happened with the present spec and credentials.
	FailuresCurrent bool
	// NotBefore is the end of a pause that the endpoint asked for; zero: none. It holds for all objects of the endpoint. Where the
	// last failure of this object was Throttled, the caller sets it to Failures.NextAttempt at least, so that a restart keeps it.
	NotBefore time.Time
}

// Action is what to do.
type Action int

// The actions.
const (
	// Wait until Decision.At, then decide again.
	Wait Action = iota
	// Request a token now.
	Request
)

// Reason is why.
type Reason string

// The reasons of a Request.
const (
	NoToken          Reason = "NoToken"          // none that can be used
	RequestChanged   Reason = "RequestChanged"   // the token is for another spec or other credentials
	TokenExpired     Reason = "TokenExpired"     // its life is over
	ClockSteppedBack Reason = "ClockSteppedBack" // the token seems to come from the future: its expiry can't be believed
	RenewalRequested Reason = "RenewalRequested" // an annotation asks for it
	RenewalDue       Reason = "RenewalDue"       // the token's renewal time has come
	RetryDue         Reason = "RetryDue"         // any of these, once more after a failure
)

// The reasons of a Wait.
const (
	Fresh      Reason = "Fresh"      // the token is good, its renewal is not due
	Suspended  Reason = "Suspended"  // the user wants no requests
	TooSoon    Reason = "TooSoon"    // the last successful request is hardly over
	BackingOff Reason = "BackingOff" // requests have failed
	Paused     Reason = "Paused"     // the endpoint asked for a pause
)

// Decision is what to do, why, and until when.
type Decision struct {
	// Action is Wait or Request.
	Action Action
	// Reason says why.
	Reason Reason
	// At is, for Wait, when to decide again unless something changes before: in whole seconds, after now, an hour ahead at most. It is
	// not later than the token's expiry, since readiness ends then. For Request it is zero.
	At time.Time
}

// Decide says whether a token is to be requested now.
func Decide(now time.Time, s State, p Policy) Decision {
	now = floor(now)
	if s.Suspended {
		return s.wait(now, Suspended, now.Add(oversight))
	}
	due, why := s.wanted(now, p)
	if due.After(now) {
		return s.wait(now, Fresh, due)
	}
	if allowed, obstacle := s.allowed(now); allowed.After(now) {
		return s.wait(now, obstacle, allowed)
	}
	if s.retrying() && !s.freshWish() {
		why = RetryDue
	}
	return Decision{Action: Request, Reason: why}
}

// wanted returns since or from when a request is wanted, and why.
func (s State) wanted(now time.Time, p Policy) (time.Time, Reason) {
	switch {
	case s.Token == nil:
		return now, NoToken
	case !s.Current:
		return now, RequestChanged
	case !s.Token.ExpiresAt.After(now):
		return now, TokenExpired
	case ahead(now, s.Token.lastAnswer()):
		return now, ClockSteppedBack
	case s.Renew:
		return now, RenewalRequested
	}
	return Plan(*s.Token, p, s.UID).RenewalTime, RenewalDue
}

// retrying tells whether the last request failed, and a new one would be the same.
func (s State) retrying() bool { return s.FailuresCurrent && s.Failures.Count > 0 }

// freshWish tells whether a renewal was asked for and not tried yet: a person has said "now", maybe knowing that the cause of the
// failures is gone.
func (s State) freshWish() bool { return s.Renew && !s.RenewTried }

// wait returns the decision to wait until next, or until the token's expiry or the next regular look where these come first.
func (s State) wait(now time.Time, why Reason, next time.Time) Decision {
	at := earlier(ceil(next), now.Add(oversight))
	if s.Token != nil && s.Token.ExpiresAt.After(now) {
		at = earlier(at, ceil(s.Token.ExpiresAt))
	}
	return Decision{Action: Wait, Reason: why, At: at}
}
