package renewal

import (
	"cmp"
	"time"
)

const (
	// podDelay is the time by which pods have a changed Secret, doubled to be safe: kubelets bring it after up to 90 s.
	podDelay = 180 * time.Second
	// shortLife is the lifetime under which pods may see expired tokens, whatever the schedule.
	shortLife = 4 * time.Minute
	// closestRepeat is how near to a cached token's end it is asked for once more before that end, so that the end itself is far enough
	// away to be next.
	closestRepeat = successSpacing
)

// Policy is what a user states about renewal. Zero fields are not given.
type Policy struct {
	// RenewBefore is how long before the end of its life a token is renewed; at most half the life is used.
	RenewBefore time.Duration
	// RenewBeforePercentage is the same in percent of the life; it counts where RenewBefore is not given.
	RenewBeforePercentage int
	// MaxTokenAge caps the life, for scheduling only.
	MaxTokenAge time.Duration
}

// Token is what a target Secret says of the token in it, in whole seconds.
type Token struct {
	// IssuedAt is the time just before the request that brought the token.
	IssuedAt time.Time
	// ExpiresAt is the end of its life, as the vendor's last answer told it.
	ExpiresAt time.Time
	// RepeatedAt is the time just before the last request that was answered with this same access token once more, since the vendor
	// keeps handing out a cached one until it expires; zero: none.
	RepeatedAt time.Time
}

// Schedule is what Plan finds.
type Schedule struct {
	// RenewalTime is when the token is due.
	RenewalTime time.Time
	// RenewBefore is the default or the given one, after clamping, without jitter.
	RenewBefore time.Duration
	// Clamped tells that the given one was more than half the life.
	Clamped bool
	// Short tells that the vendor's lifetime is under 4 minutes: pods may see expired tokens.
	Short bool
}

// Plan returns the renewal time of a token: its issue, plus its life L, less renewBefore, less a jitter of up to a tenth of the time
// between issue and renewal. The jitter comes from the object's uid, so the plan is the same at every call. L is capped by
// MaxTokenAge. By default renewBefore is L/3, but at least 3 minutes, but at most L/2.
//
// A token that the vendor has repeated can't be renewed yet; see nextRepeat.
func Plan(t Token, p Policy, uid string) Schedule {
	life := p.capLife(t.ExpiresAt.Sub(t.IssuedAt))
	renewBefore, clamped := p.renewBefore(life)
	age := life - renewBefore
	plan := Schedule{
		RenewalTime: t.IssuedAt.Add(age - share(age/10, uid, "renewal").Truncate(time.Second)),
		RenewBefore: renewBefore,
		Clamped:     clamped,
		Short:       t.ExpiresAt.Sub(t.IssuedAt) < shortLife,
	}
	if !t.RepeatedAt.IsZero() {
		plan.RenewalTime = t.nextRepeat(p)
	}
	return plan
}

// capLife returns the life that counts for scheduling, never negative.
func (p Policy) capLife(life time.Duration) time.Duration {
	if p.MaxTokenAge > 0 {
		life = min(life, p.MaxTokenAge)
	}
	return max(life, 0).Truncate(time.Second)
}

// renewBefore returns how long before the end of a life a token is renewed, and whether the given value was clamped to half the life.
func (p Policy) renewBefore(life time.Duration) (_ time.Duration, clamped bool) {
	half := (life / 2).Truncate(time.Second)
	given := cmp.Or(max(p.RenewBefore, 0), life/100*time.Duration(min(max(p.RenewBeforePercentage, 0), 100)))
	if given == 0 {
		return max(life/3, min(podDelay, half)).Truncate(time.Second), false
	}
	given = max(given.Truncate(time.Second), time.Second)
	return min(given, half), given > half
}

// nextRepeat returns when to ask again for a token that the vendor repeated: near its expiry, when a tenth of what remained at the last
// answer is left, but at most 3 minutes (more would not help the pods) and at least 6 s; with less than 12 s left, at the expiry. So a
// life of any length costs three requests more, 3 min, 18 s and 6 s before its end, until the one at the end. MaxTokenAge counts from
// the last answer, since the age of a token that the vendor won't replace can't be kept; it sets the pace at which it is tried.
func (t Token) nextRepeat(p Policy) time.Time {
	remaining := p.capLife(t.ExpiresAt.Sub(t.RepeatedAt))
	if remaining < 2*closestRepeat {
		return t.RepeatedAt.Add(remaining)
	}
	margin := max(min(remaining/10, podDelay), closestRepeat)
	return t.RepeatedAt.Add((remaining - margin).Truncate(time.Second))
}

// lastAnswer returns the time of the last answer that carried the token. Where a repetition came after the clock stepped back, IssuedAt
// may lie ahead of it, and counts no more.
func (t Token) lastAnswer() time.Time {
	if t.RepeatedAt.IsZero() {
		return t.IssuedAt
	}
	return t.RepeatedAt
}
