package renewal_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tokensync.dev/tokensync/internal/renewal"
)

// attempt is one request of a life, as seen from outside.
type attempt struct {
	sent, over time.Time // by the true clock
	// felt is the time that had passed for the object's clock when it was sent: it runs like true time, a step forward adds to it, and
	// a step back does not take from it. Limits hold by it, since nobody can tell a step forward from time that passed.
	felt    time.Duration
	failed  bool
	excused bool // spec or credentials changed, or the clock stepped back, since the last request: one more is allowed
	stepped bool // the clock stepped, in any direction, since the last request
}

// trial runs a life through whatever rapid draws, and holds what was seen.
type trial struct {
	*life
	felt        time.Duration
	attempts    []attempt
	specAsked   int // spec of the last request
	steppedBack bool
	stepped     bool

	// How this life goes.
	lifetimes   *rapid.Generator[int64] // seconds
	classes     *rapid.Generator[renewal.Class]
	events      *rapid.Generator[string]
	failureRate int // in ten requests
	eventRate   int // in a hundred waits
	restarts    bool
}

// lives draws everyday lifetimes, in seconds, more often than odd ones.
var lives = rapid.OneOf(
	rapid.SampledFrom([]int64{1, 5, 20, 240, 300, 3599, 3600, 86400, 38_880_000}),
	rapid.Int64Range(0, 600),
	rapid.Int64Range(1, 100_000),
)

var classes = rapid.SampledFrom([]renewal.Class{renewal.Transient, renewal.Throttled, renewal.Rejected, renewal.Malformed})

// events are what may happen to an object between two decisions.
var events = rapid.SampledFrom([]string{"spec", "wish", "suspend", "target lost", "throttled", "restart", "clock"})

// TestLimitsHoldWhateverHappens lets vendor, users and clock do anything to one object.
func TestLimitsHoldWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		run := trial{life: newLife(rapid.StringN(0, 40, -1).Draw(t, "uid"), policies.Draw(t, "policy")), restarts: true}
		// Whole lives of one kind find other things than a mixture does.
		run.lifetimes = mixed(t, "lifetimes", lives)
		run.classes = mixed(t, "classes", classes)
		run.events = mixed(t, "events", events)
		run.failureRate = rapid.IntRange(0, 10).Draw(t, "failures in ten")
		run.eventRate = rapid.SampledFrom([]int{0, 2, 10, 30}).Draw(t, "events in a hundred")
		run.all(t, rapid.IntRange(10, 400).Draw(t, "steps"))
	})
}

// TestLimitsHoldForFlappingVendor is the same with a vendor that spends the hour's failures as fast as can be.
func TestLimitsHoldForFlappingVendor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		run := trial{life: newLife(unjittered, renewal.Policy{}), failureRate: 4}
		run.lifetimes = rapid.Int64Range(1, 15)
		run.classes = rapid.Just(renewal.Transient)
		run.events = mixed(t, "events", events)
		run.eventRate = rapid.SampledFrom([]int{0, 2, 10}).Draw(t, "events in a hundred")
		run.all(t, 300)
	})
}

// mixed is the generator given, or always the same one of its values.
func mixed[T any](t *rapid.T, of string, g *rapid.Generator[T]) *rapid.Generator[T] {
	if rapid.Bool().Draw(t, "one of the "+of) {
		return rapid.Just(g.Draw(t, of))
	}
	return g
}

// all runs so many steps, and checks what was seen.
func (r *trial) all(t *rapid.T, steps int) {
	for range steps {
		r.step(t)
	}
	r.checkSpacing(t)
	r.checkHours(t)
}

// step decides once and does what was decided; or something else happens to the object first.
func (r *trial) step(t *rapid.T) {
	d := r.decide()
	r.checkDecision(t, d)
	if r.restarts {
		r.checkRestart(t, d)
	}
	if d.Action == renewal.Request {
		r.send(t)
		return
	}
	pause := d.At.Sub(r.now())
	if rapid.IntRange(0, 99).Draw(t, "event?") >= r.eventRate {
		r.pass(pause)
		return
	}
	r.pass(time.Duration(rapid.Int64Range(0, int64(pause)).Draw(t, "woken early")))
	switch r.events.Draw(t, "event") {
	case "spec":
		r.spec = rapid.IntRange(0, 2).Draw(t, "spec")
	case "wish":
		r.wish++
	case "suspend":
		r.suspended = !r.suspended
	case "target lost":
		r.token = nil
	case "throttled":
		r.notBefore = r.now().Add(time.Second * time.Duration(rapid.IntRange(0, 3600).Draw(t, "pause")))
	case "restart":
		r.notBefore = time.Time{}
	case "clock":
		r.stepClock(time.Second * time.Duration(rapid.IntRange(-36_000, 36_000).Draw(t, "step")))
	}
}

func (r *trial) pass(d time.Duration) {
	r.trueTime, r.felt = r.trueTime.Add(d), r.felt+d
}

func (r *trial) stepClock(by time.Duration) {
	r.clockLead += by
	r.felt += max(by, 0)
	r.stepped = true
	r.steppedBack = r.steppedBack || by < 0
}

// send draws an answer, and notes the request.
func (r *trial) send(t *rapid.T) {
	a := answer{
		takes:    time.Duration(rapid.IntRange(0, 2500).Draw(t, "milliseconds")) * time.Millisecond,
		repeated: rapid.Bool().Draw(t, "repeated"),
	}
	if rapid.IntRange(0, 9).Draw(t, "failed?") < r.failureRate {
		a.class = r.classes.Draw(t, "class")
		a.retryAfter = time.Duration(rapid.SampledFrom([]int{0, 1, 30, 600, 7200}).Draw(t, "retryAfter")) * time.Second
	} else {
		a.lifetime = time.Duration(r.lifetimes.Draw(t, "lifetime")) * time.Second
	}
	seen := attempt{
		sent: r.trueTime, felt: r.felt, failed: a.class != 0,
		excused: r.specAsked != r.spec || r.steppedBack, stepped: r.stepped,
	}
	if patient := r.failures.Count > 0 && !seen.excused && !seen.stepped && r.wish == r.wishTried; patient && r.now().Before(r.failures.NextAttempt) {
		t.Fatalf("retried at %s, before %s", r.now(), r.failures.NextAttempt)
	}
	r.request(a)
	r.felt += a.takes
	r.specAsked, r.steppedBack, r.stepped = r.spec, false, false
	seen.over = r.trueTime
	r.attempts = append(r.attempts, seen)
}

// checkRestart asserts that a process which knows only what was written down decides the same.
func (r *trial) checkRestart(t *rapid.T, d renewal.Decision) {
	stored, err := json.Marshal(r.state())
	if err != nil {
		t.Fatal(err)
	}
	var restarted renewal.State
	if err := json.Unmarshal(stored, &restarted); err != nil {
		t.Fatal(err)
	}
	if again := renewal.Decide(r.now(), restarted, r.policy); again != d {
		t.Fatalf("decided %v, and %v after a restart", d, again)
	}
}

// checkDecision asserts what holds for every decision.
func (r *trial) checkDecision(t *rapid.T, d renewal.Decision) {
	if d.Action == renewal.Request {
		if r.suspended {
			t.Fatal("a suspended object requests a token")
		}
		return
	}
	if ahead := d.At.Sub(r.now()); ahead <= 0 || ahead > time.Hour || d.At.Nanosecond() != 0 {
		t.Fatalf("look again at %s, which is %s from now", d.At, ahead)
	}
	if r.token != nil && r.token.ExpiresAt.After(r.now()) && d.At.After(r.token.ExpiresAt) {
		t.Fatalf("look again at %s, after the expiry at %s", d.At, r.token.ExpiresAt)
	}
}

// checkSpacing asserts that there was no hot loop.
func (r *trial) checkSpacing(t *rapid.T) {
	for i := 1; i < len(r.attempts); i++ {
		last, next := r.attempts[i-1], r.attempts[i]
		switch {
		case next.stepped:
		case last.failed && next.sent.Sub(last.over) < time.Second:
			t.Fatalf("request %d follows a failure after %s", i, next.sent.Sub(last.over))
		case !last.failed && next.sent.Sub(last.sent) < 5*time.Second:
			t.Fatalf("request %d follows a success after %s", i, next.sent.Sub(last.sent))
		}
	}
}

// checkHours asserts the hourly limits, at the end of every request.
func (r *trial) checkHours(t *rapid.T) {
	first := 0
	for i, a := range r.attempts {
		for a.felt-r.attempts[first].felt >= time.Hour {
			first++
		}
		var failures, excused, successes, steps int
		for _, b := range r.attempts[first : i+1] {
			switch {
			case b.stepped && !b.failed:
				steps++
			case !b.failed:
				successes++
			case b.excused:
				excused++
			default:
				failures++
			}
		}
		if failures > 20 || successes > 720 {
			t.Fatalf("%d failures (and %d excused ones) and %d successes in the hour before request %d", failures, excused, successes, i)
		}
	}
}

// TestServedTokenOutlivesItsRenewal: a vendor that answers within the time given leaves no gap. The bound: a life of at least 7 s,
// which is the distance of two requests, and the time that the request takes. Where a user wants to renew later than that, it is theirs.
func TestServedTokenOutlivesItsRenewal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		takes := time.Duration(rapid.IntRange(0, 5000).Draw(t, "milliseconds")) * time.Millisecond
		policy := policies.Draw(t, "policy")
		policy.RenewBefore, policy.RenewBeforePercentage = 0, 0
		l := newLife(rapid.String().Draw(t, "uid"), policy)
		l.trueTime = l.trueTime.Add(time.Duration(rapid.IntRange(0, 999).Draw(t, "fraction")) * time.Millisecond)
		for range 50 {
			d := l.decide()
			if d.Action == renewal.Wait {
				l.trueTime = d.At
				continue
			}
			expiry := l.token
			l.request(answer{lifetime: 7*time.Second + takes.Round(time.Second) + time.Duration(lives.Draw(t, "lifetime"))*time.Second, takes: takes})
			if expiry != nil && expiry.ExpiresAt.Before(l.now()) {
				t.Fatalf("token of %s expired before the next came", expiry.ExpiresAt.Sub(expiry.IssuedAt))
			}
		}
	})
}

// lateVendor lives with a vendor that fails until a quarter of each token's life is left, and tells whether a token expired within the
// first so many lives, or before so many requests had failed.
func lateVendor(class renewal.Class, uid string, lifetime time.Duration, tokens, failures int) (expired bool) {
	l := newLife(uid, renewal.Policy{})
	l.request(answer{lifetime: lifetime})
	for got, failed := 0, 0; got < tokens && failed < failures; {
		d := l.decide()
		switch {
		case l.served() == nil:
			return true
		case d.Action == renewal.Wait:
			l.trueTime = d.At
		case l.token.ExpiresAt.Sub(l.now()) > lifetime/4:
			l.request(answer{class: class})
			failed++
		default:
			l.request(answer{lifetime: lifetime})
			got++
		}
	}
	return false
}

func TestVendorThatAnswersInTheLastQuarterIsFoundInTime(t *testing.T) {
	for name, class := range map[string]renewal.Class{
		"transient": renewal.Transient, "throttled": renewal.Throttled, "malformed": renewal.Malformed,
	} {
		t.Run(name, func(t *testing.T) {
			for seconds := 8; seconds <= 100_000; seconds += 1 + seconds/30 {
				if lateVendor(class, strconv.Itoa(seconds), time.Duration(seconds)*time.Second, 1, math.MaxInt) {
					t.Errorf("a token of %d s expired", seconds)
				}
				if lateVendor(class, strconv.Itoa(seconds), time.Duration(seconds)*time.Second, 50, 17) {
					t.Errorf("a token of %d s expired before 17 requests had failed", seconds)
				}
			}
			// Failing in every life, the vendor spends the 20 failures of an hour on short tokens; those of 10 minutes get through.
			for seconds := 600; seconds <= 100_000; seconds += 1 + seconds/30 {
				if lateVendor(class, strconv.Itoa(seconds), time.Duration(seconds)*time.Second, 50, math.MaxInt) {
					t.Errorf("one of 50 tokens of %d s expired", seconds)
				}
			}
		})
	}
}

// outage gives the times of the requests of an object whose vendor fails for so long, after it gave one token.
func outage(class renewal.Class, uid string, lifetime, long time.Duration) []time.Time {
	l := newLife(uid, renewal.Policy{})
	l.request(answer{lifetime: lifetime})
	var sent []time.Time
	for over := false; !over; over = l.trueTime.Sub(start) > lifetime+long {
		if d := l.decide(); d.Action == renewal.Wait {
			l.trueTime = d.At
			continue
		}
		sent = append(sent, l.trueTime)
		l.request(answer{class: class})
	}
	return sent
}

// most returns the largest number of times within a window.
func most(times []time.Time, window time.Duration) (n int) {
	first := 0
	for i := range times {
		for times[i].Sub(times[first]) >= window {
			first++
		}
		n = max(n, i-first+1)
	}
	return n
}

// TestOrdinaryOutageStaysBelowTheCap: an object that reaches the cap may be without a token for long after the vendor is back.
func TestOrdinaryOutageStaysBelowTheCap(t *testing.T) {
	for _, class := range []renewal.Class{renewal.Transient, renewal.Throttled, renewal.Malformed} {
		worst := 0
		for seconds := 1; seconds <= 86_400; seconds += 1 + seconds/200 {
			uid := fmt.Sprint(class, seconds)
			worst = max(worst, most(outage(class, uid, time.Duration(seconds)*time.Second, 3*time.Hour), time.Hour))
		}
		t.Logf("class %d: at most %d requests in an hour", class, worst)
		if worst > 19 {
			t.Errorf("class %d: %d requests in an hour", class, worst)
		}
	}
}

func TestRequestsOfADay(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		class renewal.Class
		most  int
	}{
		"a transient outage costs at most 200 requests": {renewal.Transient, 200},
		"a broken object sends at most 5":               {renewal.Rejected, 5},
	} {
		t.Run(name, func(t *testing.T) {
			for _, seconds := range []int{1, 20, 300, 1000, 3600, 86_400} {
				for uid := range 20 {
					n := most(outage(c.class, strconv.Itoa(uid), time.Duration(seconds)*time.Second, 3*day), day)
					if n > c.most {
						t.Errorf("%d requests in a day after a token of %d s", n, seconds)
					}
				}
			}
		})
	}
}

func TestShortestTokensCostAtMost720RequestsAnHour(t *testing.T) {
	for _, lifetime := range []time.Duration{0, time.Second, 6 * time.Second, 12 * time.Second} {
		for _, repeated := range []bool{false, true} {
			l := newLife(unjittered, renewal.Policy{})
			requests := 0
			for l.trueTime.Sub(start) < time.Hour {
				if d := l.decide(); d.Action == renewal.Wait {
					l.trueTime = d.At
					continue
				}
				l.request(answer{lifetime: lifetime, repeated: repeated})
				requests++
			}
			if requests > 720 {
				t.Errorf("%d requests in an hour for tokens of %s, repeated: %t", requests, lifetime, repeated)
			}
		}
	}
}

// TestCachedTokenCostsFewRequests: a vendor that hands out one token until it expires is asked a few times a life, not in a loop.
func TestCachedTokenCostsFewRequests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lifetime := time.Duration(rapid.Int64Range(60, int64(10*year/time.Second)).Draw(t, "lifetime")) * time.Second
		l := newLife(rapid.String().Draw(t, "uid"), renewal.Policy{})
		l.request(answer{lifetime: lifetime})
		expiry := l.token.ExpiresAt
		requests := 0
		for l.now().Before(expiry) {
			if d := l.decide(); d.Action == renewal.Wait {
				if d.At.Sub(l.now()) == time.Hour && expiry.Sub(l.now()) > 100*24*time.Hour {
					d.At = d.At.Add(24 * time.Hour) // a life of years in bigger steps
				}
				l.trueTime = d.At
				continue
			}
			l.request(answer{lifetime: expiry.Sub(l.now()), repeated: true})
			requests++
		}
		if requests > 5 {
			t.Errorf("%d requests in a life of %s", requests, lifetime)
		}
	})
}

// FuzzDecide feeds times and durations that no caller would write; nothing may panic, and a wait always ends.
func FuzzDecide(f *testing.F) {
	f.Add(int64(0), int64(0), int64(3600), int64(0), int64(0), 0, int64(0), int64(0), 0, int64(0), uint8(0))
	f.Add(int64(1<<40), int64(-1<<40), int64(1<<50), int64(1), int64(-1), 1<<40, int64(1<<62), int64(-1<<62), 200, int64(1<<62), uint8(255))
	f.Fuzz(func(t *testing.T, now, issued, expires, repeated, last int64, count int, next, before int64, percentage int, age int64, flags uint8) {
		has := func(bit uint) bool { return flags>>bit&1 == 1 }
		at := time.Unix(now%(1<<36), now&0xfffff)
		s := renewal.State{
			UID: unjittered, Current: has(1), Renew: has(2), RenewTried: has(3), Suspended: has(4), FailuresCurrent: has(5),
			Failures: renewal.Failures{
				Count: count, LastTime: time.Unix(last, 0), NextAttempt: time.Unix(next, 0),
				Recent: []time.Time{time.Unix(last, 0), at, time.Unix(next, 0)},
			},
			NotBefore: time.Unix(before, 0),
		}
		if has(0) {
			s.Token = &renewal.Token{IssuedAt: time.Unix(issued, 0), ExpiresAt: time.Unix(expires, 0)}
			if has(6) {
				s.Token.RepeatedAt = time.Unix(repeated, 0)
			}
		}
		p := renewal.Policy{RenewBefore: time.Duration(before), RenewBeforePercentage: percentage, MaxTokenAge: time.Duration(age)}
		if d := renewal.Decide(at, s, p); d.Action == renewal.Wait && !d.At.After(at) {
			t.Errorf("at %s wait until %s", at, d.At)
		}
		renewal.AfterSuccess(at, s.Failures)
		got := renewal.AfterFailure(at, renewal.Class(percentage), s.Failures, has(7), time.Duration(age), s.Token, s.UID)
		if !got.NextAttempt.After(at) || got.Count < 1 {
			t.Errorf("at %s after a failure: %+v", at, got)
		}
	})
}
