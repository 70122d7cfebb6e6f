package renewal_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/internal/renewal"
)

var update = flag.Bool("update", false, "write testdata/stories anew")

// story is a life told in lines. Its vendor answers by what time it is, its users act at set times.
type story struct {
	about  string
	long   time.Duration
	policy renewal.Policy
	answer func(l *life, since time.Duration) answer
	acts   []act
}

// act is something that somebody does to the object.
type act struct {
	at   time.Duration
	what string
	do   func(*life)
}

// always answers with tokens of one lifetime.
func always(lifetime time.Duration) func(*life, time.Duration) answer {
	return func(*life, time.Duration) answer { return answer{lifetime: lifetime} }
}

// except answers with a.class from one time to another.
func except(from, to time.Duration, a answer, lifetime time.Duration) func(*life, time.Duration) answer {
	return func(_ *life, since time.Duration) answer {
		if since >= from && since < to {
			return a
		}
		return answer{lifetime: lifetime}
	}
}

// caching answers with one token until it expires.
func caching(lifetime time.Duration) func(*life, time.Duration) answer {
	return func(l *life, _ time.Duration) answer {
		if served := l.served(); served != nil {
			return answer{lifetime: served.ExpiresAt.Sub(l.now().Truncate(time.Second)), repeated: true}
		}
		return answer{lifetime: lifetime}
	}
}

var stories = map[string]story{
	"one-hour-token": {
		about: "A day of a token that lives for an hour: renewed after two thirds of it, less the jitter, always at the same distance.",
		long:  24 * time.Hour, answer: always(time.Hour),
	},
	"outage": {
		about: "The vendor is down for 3 hours, before the renewal is due. Retries slow down, hurry when the expiry comes near, and then are\n" +
			"10 minutes apart. The token is missing from its expiry to the first retry after the vendor's recovery.",
		long: 6 * time.Hour, answer: except(30*time.Minute, 210*time.Minute, answer{class: renewal.Transient}, time.Hour),
	},
	"short-outage": {
		about: "The vendor is down for 20 minutes around the renewal: pods never miss a token.",
		long:  3 * time.Hour, answer: except(30*time.Minute, 50*time.Minute, answer{class: renewal.Transient}, time.Hour),
	},
	"maintenance-page": {
		about: "The vendor answers with a web page for 2 hours: slower than for an outage, except near the expiry.",
		long:  4 * time.Hour, answer: except(30*time.Minute, 150*time.Minute, answer{class: renewal.Malformed}, time.Hour),
	},
	"wrong-credentials": {
		about: "The vendor refuses the client, which is tried again every 6 hours only. The credentials are corrected after a day, and a token is\n" +
			"there at once.",
		long: 27 * time.Hour,
		answer: func(l *life, _ time.Duration) answer {
			if l.spec == 0 {
				return answer{class: renewal.Rejected}
			}
			return answer{lifetime: time.Hour}
		},
		acts: []act{{24*time.Hour + 30*time.Minute, "the credentials are corrected", func(l *life) { l.spec++ }}},
	},
	"secret-rotated": {
		about: "The vendor refuses the client's old secret while a token is served: the token is good to its end, the new secret comes before it.",
		long:  2 * time.Hour,
		answer: func(l *life, since time.Duration) answer {
			if l.spec == 0 && since > 0 {
				return answer{class: renewal.Rejected}
			}
			return answer{lifetime: time.Hour}
		},
		acts: []act{{50 * time.Minute, "the new secret is stored", func(l *life) { l.spec++ }}},
	},
	"cached-token": {
		about: "The vendor hands out the same token until it expires, with a shrinking expires_in. It is asked for again when a tenth of what\n" +
			"remained is left, 6 seconds before the end, and at the end.",
		long: 3 * time.Hour, answer: caching(time.Hour),
	},
	"450-days": {
		about: "A token that lives for 450 days, looked at every hour.",
		long:  700 * 24 * time.Hour, answer: always(450 * 24 * time.Hour),
	},
	"20-seconds": {
		about: "A token that lives for 20 seconds. The vendor is down for 8 seconds in between.",
		long:  90 * time.Second, answer: except(36*time.Second, 44*time.Second, answer{class: renewal.Transient}, 20*time.Second),
	},
	"throttled": {
		about: "The endpoint answers 429 for half an hour: first with Retry-After of 10 minutes, then without. A renewal that somebody asks for\n" +
			"meanwhile waits like all others, and so does one after a restart.",
		long: 3 * time.Hour,
		answer: func(_ *life, since time.Duration) answer {
			switch {
			case since < 30*time.Minute || since > 60*time.Minute:
				return answer{lifetime: time.Hour}
			case since < 45*time.Minute:
				return answer{class: renewal.Throttled, retryAfter: 10 * time.Minute}
			}
			return answer{class: renewal.Throttled}
		},
		acts: []act{
			{41 * time.Minute, "a renewal is requested", func(l *life) { l.wish++ }},
			{42 * time.Minute, "the manager restarts", func(l *life) { l.notBefore = time.Time{} }},
		},
	},
	"max-token-age": {
		about: "A token that lives for a day and may be 14 minutes old: renewed as if it lived for 14 minutes.",
		long:  time.Hour, answer: always(24 * time.Hour), policy: renewal.Policy{MaxTokenAge: 14 * time.Minute},
	},
	"renew-requested": {
		about:  "Somebody asks for a renewal twice; the second time the vendor is down, and the wish is kept until it is answered.",
		long:   90 * time.Minute,
		answer: except(20*time.Minute, 22*time.Minute, answer{class: renewal.Transient}, time.Hour),
		acts: []act{
			{10 * time.Minute, "a renewal is requested", func(l *life) { l.wish++ }},
			{20 * time.Minute, "a renewal is requested", func(l *life) { l.wish++ }},
		},
	},
	"suspended": {
		about: "A user suspends the object for 2 hours: the token expires, and is replaced at once afterwards.",
		long:  4 * time.Hour, answer: always(time.Hour),
		acts: []act{
			{30 * time.Minute, "the object is suspended", func(l *life) { l.suspended = true }},
			{150 * time.Minute, "the object is resumed", func(l *life) { l.suspended = false }},
		},
	},
	"clock-steps": {
		about: "The clock steps forward by 5 hours and back again: each costs one request. Times are true ones.",
		long:  3 * time.Hour, answer: always(time.Hour),
		acts: []act{
			{10 * time.Minute, "the clock steps forward", func(l *life) { l.clockLead = 5 * time.Hour }},
			{20 * time.Minute, "the clock steps back", func(l *life) { l.clockLead = 0 }},
		},
	},
	"flapping": {
		about: "A vendor that fails every other request for a token of 20 seconds: the hour's 20 failures come fast, but for the last\nfour, since the cap holds whatever happens.",
		long:  2 * time.Hour,
		answer: func(l *life, _ time.Duration) answer {
			if l.failures.Count == 0 && l.token != nil {
				return answer{class: renewal.Transient}
			}
			return answer{lifetime: 20 * time.Second}
		},
	},
}

func TestStories(t *testing.T) {
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", "stories", name+".txt")
			got := s.tell()
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got), go test -update writes it anew\n%s", diff)
			}
		})
	}
}

func TestEveryStoryIsTold(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "stories", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if _, ok := stories[strings.TrimSuffix(filepath.Base(file), ".txt")]; !ok {
			t.Errorf("%s belongs to no story", file)
		}
	}
}

// teller writes a story while it happens.
type teller struct {
	*life
	lines              strings.Builder
	requests, failures int
	missing            time.Duration // without a token, after the first
	lost               time.Time     // since then; zero: a token is served
	waiting            string        // the last line about a wait
}

func (s story) tell() string {
	w := teller{life: newLife("0b9f6b1e-5c0e-4a59-8f0e-0d1f7f0c4a11", s.policy)}
	for acts := s.acts; w.since() < s.long; {
		for len(acts) > 0 && acts[0].at <= w.since() {
			acts[0].do(w.life)
			w.line("%s", acts[0].what)
			acts = acts[1:]
		}
		w.noticeExpiry()
		d := w.decide()
		if d.Action == renewal.Request {
			w.send(d.Reason, s.answer(w.life, w.since()))
			continue
		}
		w.noticeWait(d)
		w.trueTime = d.At.Add(-w.clockLead)
		if len(acts) > 0 && w.since() > acts[0].at {
			w.trueTime = start.Add(acts[0].at)
		}
	}
	if !w.lost.IsZero() {
		w.missing += w.trueTime.Sub(w.lost)
	}
	return fmt.Sprintf("%s\n\n%s\n%s: %d requests, %d of them failed; no token for %s after the first\n",
		s.about, w.lines.String(), span(s.long), w.requests, w.failures, span(w.missing))
}

func (w *teller) since() time.Duration { return w.trueTime.Sub(start) }

func (w *teller) line(format string, args ...any) {
	fmt.Fprintf(&w.lines, "%12s  %s\n", span(w.since()), fmt.Sprintf(format, args...))
}

// noticeExpiry tells when the token that was served is gone.
func (w *teller) noticeExpiry() {
	if w.token != nil && w.served() == nil && w.lost.IsZero() {
		w.lost = w.trueTime
		w.line("the token has expired")
	}
}

// noticeWait tells of waits that the lines before don't explain.
func (w *teller) noticeWait(d renewal.Decision) {
	said := string(d.Reason)
	if d.Reason != renewal.Fresh && d.Reason != renewal.BackingOff && said != w.waiting {
		w.line("%s: wait", d.Reason)
	}
	w.waiting = said
}

func (w *teller) send(why renewal.Reason, a answer) {
	w.requests++
	w.request(a)
	if a.class != 0 {
		w.failures++
		name := [...]string{renewal.Transient: "transient", renewal.Throttled: "throttled", renewal.Rejected: "rejected", renewal.Malformed: "malformed"}
		w.line("%s: failed (%s), next attempt in %s", why, name[a.class], span(w.failureEnd()))
		return
	}
	if !w.lost.IsZero() {
		w.missing += w.trueTime.Sub(w.lost)
		w.lost = time.Time{}
	}
	what := "a token"
	if a.repeated {
		what = "the same token"
	}
	plan := renewal.Plan(*w.token, w.policy, w.uid)
	w.line("%s: got %s for %s, due in %s", why, what, span(a.lifetime), span(plan.RenewalTime.Sub(w.now())))
}

func (w *teller) failureEnd() time.Duration { return w.life.failures.NextAttempt.Sub(w.now()) }

// span prints a duration as people read it: 12d 03:04:05.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	clock := time.Time{}.Add(d % day).Format(time.TimeOnly)
	if d >= day {
		return fmt.Sprintf("%dd %s", d/day, clock)
	}
	return clock
}
