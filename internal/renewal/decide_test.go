package renewal_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/internal/renewal"
)

// after is the time so long after the start.
func after(d time.Duration) time.Time { return start.Add(d) }

// failed are failures in a row with the given back-off, the last one at the start.
func failed(count int, backOff time.Duration) renewal.Failures {
	return renewal.Failures{Count: count, LastTime: start, NextAttempt: after(backOff), Recent: []time.Time{start}}
}

// hourly are 20 failures, one a minute, the last one 10 minutes before the start: the first leaves the hour 31 minutes after it.
func hourly() []time.Time {
	var times []time.Time
	for i := range 20 {
		times = append(times, after(time.Duration(i-29)*time.Minute))
	}
	return times
}

func TestDecide(t *testing.T) {
	hour := lasting(time.Hour) // due at 40 min, at the latest
	expired := renewal.Token{IssuedAt: after(-time.Hour), ExpiresAt: start}
	request := func(why renewal.Reason) renewal.Decision {
		return renewal.Decision{Action: renewal.Request, Reason: why}
	}
	wait := func(why renewal.Reason, until time.Duration) renewal.Decision {
		return renewal.Decision{Action: renewal.Wait, Reason: why, At: after(until)}
	}

	for behaviour, c := range map[string]struct {
		at    time.Duration
		state renewal.State
		want  renewal.Decision
	}{
		// What asks for a token.
		"without a token one is requested": {want: request(renewal.NoToken)},
		"a token for another spec is replaced": {
			at: time.Minute, state: renewal.State{Token: &hour}, want: request(renewal.RequestChanged),
		},
		"a token is fresh until its renewal time": {
			at: time.Minute, state: renewal.State{Token: &hour, Current: true}, want: wait(renewal.Fresh, 40*time.Minute),
		},
		"the second before the renewal time is too early, whatever its fraction": {
			at: 40*time.Minute - 1, state: renewal.State{Token: &hour, Current: true}, want: wait(renewal.Fresh, 40*time.Minute),
		},
		"at its renewal time a token is renewed": {
			at: 40 * time.Minute, state: renewal.State{Token: &hour, Current: true}, want: request(renewal.RenewalDue),
		},
		"an expired token is replaced": {
			at: time.Hour, state: renewal.State{Token: &hour, Current: true}, want: request(renewal.TokenExpired),
		},
		"an annotation asks for a renewal": {
			at: time.Minute, state: renewal.State{Token: &hour, Current: true, Renew: true}, want: request(renewal.RenewalRequested),
		},
		"a token of a day is looked at every hour": {
			state: renewal.State{Token: new(lasting(24 * time.Hour)), Current: true}, want: wait(renewal.Fresh, time.Hour),
		},

		// Suspension.
		"a suspended object requests nothing": {state: renewal.State{Suspended: true}, want: wait(renewal.Suspended, time.Hour)},
		"a suspended object is looked at when its token expires": {
			at: time.Minute, state: renewal.State{Suspended: true, Token: &hour, Current: true, Renew: true},
			want: wait(renewal.Suspended, time.Hour),
		},

		// Successes keep their distance.
		"6 s pass between a success and a change": {
			at: 5*time.Second + 999*time.Millisecond, state: renewal.State{Token: &hour}, want: wait(renewal.TooSoon, 6*time.Second),
		},
		"6 s after a success a change is served": {
			at: 6 * time.Second, state: renewal.State{Token: &hour}, want: request(renewal.RequestChanged),
		},
		"6 s pass after a success whose token was lost": {
			at: time.Second, state: renewal.State{LastSuccess: start}, want: wait(renewal.TooSoon, 6*time.Second),
		},
		"6 s pass after a repetition": {
			at:    3 * time.Second,
			state: renewal.State{Token: &renewal.Token{IssuedAt: after(-time.Hour), RepeatedAt: start, ExpiresAt: after(2 * time.Second)}, Current: true},
			want:  wait(renewal.TooSoon, 6*time.Second),
		},
		"while another request would be too soon the expiry is not missed": {
			at: time.Second, state: renewal.State{Token: new(lasting(3 * time.Second))}, want: wait(renewal.TooSoon, 3*time.Second),
		},
		"a repeated token is asked for again near its expiry only": {
			at:    50 * time.Minute,
			state: renewal.State{Token: &renewal.Token{IssuedAt: start, RepeatedAt: after(40 * time.Minute), ExpiresAt: after(time.Hour)}, Current: true},
			want:  wait(renewal.Fresh, 58*time.Minute),
		},

		// Failures.
		"a failure is followed by its back-off": {
			at: time.Minute, state: renewal.State{Failures: failed(5, 2*time.Minute), FailuresCurrent: true},
			want: wait(renewal.BackingOff, 2*time.Minute),
		},
		"after the back-off the request is repeated": {
			at: 2 * time.Minute, state: renewal.State{Failures: failed(5, 2*time.Minute), FailuresCurrent: true},
			want: request(renewal.RetryDue),
		},
		"a back-off ends no later than the regular look": {
			state: renewal.State{Failures: failed(1, 6*time.Hour), FailuresCurrent: true}, want: wait(renewal.BackingOff, time.Hour),
		},
		"during a back-off the expiry is not missed": {
			at: 59 * time.Minute, state: renewal.State{Token: &hour, Current: true, Failures: failed(1, 6*time.Hour), FailuresCurrent: true},
			want: wait(renewal.BackingOff, time.Hour),
		},
		"an old failure does not disturb a fresh token": {
			at: time.Minute, state: renewal.State{Token: &hour, Current: true, Failures: failed(5, 2*time.Minute), FailuresCurrent: true},
			want: wait(renewal.Fresh, 40*time.Minute),
		},
		"a change of spec or credentials ends the back-off": {
			at: time.Second, state: renewal.State{Failures: failed(5, 6*time.Hour)}, want: request(renewal.NoToken),
		},
		"a change waits for a second after the failure": {
			state: renewal.State{Failures: failed(5, 6*time.Hour)}, want: wait(renewal.BackingOff, time.Second),
		},
		"a new wish ends the back-off after 5 s": {
			at: 4 * time.Second, state: renewal.State{Token: &expired, Current: true, Renew: true, Failures: failed(5, 6*time.Hour), FailuresCurrent: true},
			want: wait(renewal.BackingOff, 5*time.Second),
		},
		"a new wish is served although requests have failed": {
			at: 5 * time.Second, state: renewal.State{Token: &hour, Current: true, Renew: true, Failures: failed(5, 6*time.Hour), FailuresCurrent: true},
			want: wait(renewal.TooSoon, 6*time.Second),
		},
		"a wish that was tried backs off": {
			at: 10 * time.Second, state: renewal.State{Token: &hour, Current: true, Renew: true, RenewTried: true, Failures: failed(5, time.Minute), FailuresCurrent: true},
			want: wait(renewal.BackingOff, time.Minute),
		},
		"a wish that was tried is tried again": {
			at: time.Minute, state: renewal.State{Token: &hour, Current: true, Renew: true, RenewTried: true, Failures: failed(5, time.Minute), FailuresCurrent: true},
			want: request(renewal.RetryDue),
		},

		// The hourly cap.
		"20 failures in an hour are enough": {
			state: renewal.State{Failures: renewal.Failures{Recent: hourly()}}, want: wait(renewal.BackingOff, 31*time.Minute),
		},
		"19 failures in an hour are not": {
			state: renewal.State{Failures: renewal.Failures{Recent: hourly()[1:]}}, want: request(renewal.NoToken),
		},
		"a wish does not break the cap": {
			state: renewal.State{Token: &expired, Current: true, Renew: true, Failures: renewal.Failures{Recent: hourly()}},
			want:  wait(renewal.BackingOff, 31*time.Minute),
		},
		"a retry does not break the cap": {
			at:    10 * time.Second,
			state: renewal.State{Failures: renewal.Failures{Count: 9, LastTime: start, NextAttempt: after(time.Second), Recent: hourly()}, FailuresCurrent: true},
			want:  wait(renewal.BackingOff, 31*time.Minute),
		},
		"a change breaks the cap": {
			state: renewal.State{Token: new(expired), Failures: renewal.Failures{Recent: hourly()}}, want: request(renewal.RequestChanged),
		},
		"over the cap a change waits for a minute after the failure": {
			at: 59 * time.Second, state: renewal.State{Failures: renewal.Failures{Count: 1, LastTime: start, Recent: append(hourly(), start)}},
			want: wait(renewal.BackingOff, time.Minute),
		},
		"over the cap a change waits for a minute also where a success came between": {
			at: 59 * time.Second, state: renewal.State{Token: &expired, Failures: renewal.Failures{Recent: append(hourly(), start)}},
			want: wait(renewal.BackingOff, time.Minute),
		},
		"over the cap a change is served after a minute": {
			at: time.Minute, state: renewal.State{Failures: renewal.Failures{Count: 1, LastTime: start, Recent: append(hourly(), start)}},
			want: request(renewal.NoToken),
		},

		// Throttling.
		"nothing is sent while the endpoint wants a pause": {
			state: renewal.State{NotBefore: after(30 * time.Minute), Renew: true}, want: wait(renewal.Paused, 30*time.Minute),
		},
		"a change waits for the pause's end": {
			at: time.Minute, state: renewal.State{Token: &hour, NotBefore: after(30 * time.Minute)}, want: wait(renewal.Paused, 30*time.Minute),
		},
		"what holds longest is named": {
			at: 30 * time.Second, state: renewal.State{NotBefore: after(time.Minute), Failures: failed(5, 2*time.Minute), FailuresCurrent: true},
			want: wait(renewal.BackingOff, 2*time.Minute),
		},

		// The clock.
		"a token from the future is replaced": {
			state: renewal.State{Token: &renewal.Token{IssuedAt: after(3 * time.Hour), ExpiresAt: after(4 * time.Hour)}, Current: true},
			want:  request(renewal.ClockSteppedBack),
		},
		"a minute ahead is no future": {
			state: renewal.State{Token: &renewal.Token{IssuedAt: after(time.Minute), ExpiresAt: after(61 * time.Minute)}, Current: true},
			want:  wait(renewal.Fresh, 41*time.Minute),
		},
		"a token from the future that was repeated is believed": {
			state: renewal.State{Token: &renewal.Token{IssuedAt: after(3 * time.Hour), RepeatedAt: start, ExpiresAt: after(30 * time.Minute)}, Current: true},
			want:  wait(renewal.Fresh, 27*time.Minute),
		},
		"a repetition from the future is not": {
			state: renewal.State{Token: &renewal.Token{IssuedAt: start, RepeatedAt: after(3 * time.Hour), ExpiresAt: after(4 * time.Hour)}, Current: true},
			want:  request(renewal.ClockSteppedBack),
		},
		"a last success in the future holds nothing back": {
			state: renewal.State{LastSuccess: after(time.Hour)}, want: request(renewal.NoToken),
		},
		"a failure in the future holds nothing back": {
			at: -time.Hour, state: renewal.State{Failures: failed(5, 10*time.Minute), FailuresCurrent: true}, want: request(renewal.RetryDue),
		},
		"a failure in the future does not delay a change": {
			at: -time.Hour, state: renewal.State{Failures: failed(5, 10*time.Minute)}, want: request(renewal.NoToken),
		},
		"failures in the future don't count for the cap": {
			at: -2 * time.Hour, state: renewal.State{Failures: renewal.Failures{Recent: hourly()}}, want: request(renewal.NoToken),
		},
		"a back-off longer than any that is given is not believed": {
			state: renewal.State{Failures: failed(5, 8*time.Hour), FailuresCurrent: true}, want: request(renewal.RetryDue),
		},
		"a pause longer than any that is granted is not believed": {
			state: renewal.State{NotBefore: after(3 * time.Hour)}, want: request(renewal.NoToken),
		},
	} {
		t.Run(behaviour, func(t *testing.T) {
			c.state.UID = unjittered
			if diff := cmp.Diff(c.want, renewal.Decide(after(c.at), c.state, renewal.Policy{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestDecideIsToldInUTC(t *testing.T) {
	there := time.FixedZone("there", 2*60*60)
	got := renewal.Decide(start.In(there), renewal.State{Suspended: true}, renewal.Policy{}).At
	if got.Location() != time.UTC {
		t.Errorf("At is in %s", got.Location())
	}
}
