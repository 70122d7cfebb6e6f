package renewal_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/internal/renewal"
)

// row are so many failures in a row, a day ago: they count for the back-off and no more for the hour.
func row(count int) renewal.Failures {
	return renewal.Failures{Count: count, LastTime: after(-24 * time.Hour), NextAttempt: after(-23 * time.Hour)}
}

func TestPauseAfterFailure(t *testing.T) {
	for behaviour, c := range map[string]struct {
		class      renewal.Class
		before     renewal.Failures
		retryAfter time.Duration
		served     time.Duration // remaining life; 0: none
		least      time.Duration // of the pause, over all jitter
		most       time.Duration
	}{
		"transient: 5 s first":                {class: renewal.Transient, least: 5 * time.Second, most: 5 * time.Second},
		"transient: doubled":                  {class: renewal.Transient, before: row(4), least: 72 * time.Second, most: 88 * time.Second},
		"transient: at most 10 min":           {class: renewal.Transient, before: row(8), least: 9 * time.Minute, most: 11 * time.Minute},
		"transient: 10 min for ever":          {class: renewal.Transient, before: row(1 << 40), least: 9 * time.Minute, most: 11 * time.Minute},
		"transient: half the served life":     {class: renewal.Transient, before: row(8), served: 101 * time.Second, least: 50 * time.Second, most: 50 * time.Second},
		"transient: at least 1 s":             {class: renewal.Transient, before: row(8), served: time.Second, least: time.Second, most: time.Second},
		"transient: an expired token is none": {class: renewal.Transient, before: row(4), served: -1, least: 72 * time.Second, most: 88 * time.Second},
		"transient: retryAfter is not meant":  {class: renewal.Transient, retryAfter: time.Hour, least: 5 * time.Second, most: 5 * time.Second},

		"malformed: a minute first":       {class: renewal.Malformed, least: 54 * time.Second, most: 66 * time.Second},
		"malformed: doubled":              {class: renewal.Malformed, before: row(3), least: 432 * time.Second, most: 528 * time.Second},
		"malformed: at most an hour":      {class: renewal.Malformed, before: row(20), least: 54 * time.Minute, most: 66 * time.Minute},
		"malformed: half the served life": {class: renewal.Malformed, before: row(20), served: time.Hour, least: 30 * time.Minute, most: 30 * time.Minute},

		"throttled: what was asked, not less":     {class: renewal.Throttled, retryAfter: 10 * time.Minute, least: 10 * time.Minute, most: 11 * time.Minute},
		"throttled: fractions are rounded up":     {class: renewal.Throttled, retryAfter: 7*time.Second + 1, least: 8 * time.Second, most: 9 * time.Second},
		"throttled: at most an hour is granted":   {class: renewal.Throttled, retryAfter: 1 << 62, least: time.Hour, most: 66 * time.Minute},
		"throttled: the served life is no excuse": {class: renewal.Throttled, retryAfter: time.Hour, served: time.Minute, least: time.Hour, most: 66 * time.Minute},
		"throttled: what was asked, however often": {
			class: renewal.Throttled, retryAfter: 20 * time.Second, before: row(8), least: 20 * time.Second, most: 22 * time.Second,
		},
		"throttled: 5 s at least":                  {class: renewal.Throttled, retryAfter: time.Second, before: row(8), least: 5 * time.Second, most: 5 * time.Second},
		"throttled: 30 s where nothing was asked":  {class: renewal.Throttled, least: 27 * time.Second, most: 33 * time.Second},
		"throttled: a negative value asks nothing": {class: renewal.Throttled, retryAfter: -time.Hour, least: 27 * time.Second, most: 33 * time.Second},
		"throttled: to 10 min":                     {class: renewal.Throttled, before: row(9), least: 9 * time.Minute, most: 11 * time.Minute},

		"rejected: 6 hours":                        {class: renewal.Rejected, least: 6 * time.Hour, most: 6*time.Hour + 10*time.Minute},
		"rejected: 6 hours however often":          {class: renewal.Rejected, before: row(50), least: 6 * time.Hour, most: 6*time.Hour + 10*time.Minute},
		"rejected: also before the token's expiry": {class: renewal.Rejected, served: time.Minute, least: 6 * time.Hour, most: 6*time.Hour + 10*time.Minute},

		"a class that is not known is transient": {class: 99, least: 5 * time.Second, most: 5 * time.Second},
		"a negative count is none":               {class: renewal.Transient, before: row(-7), least: 5 * time.Second, most: 5 * time.Second},
	} {
		t.Run(behaviour, func(t *testing.T) {
			var served *renewal.Token
			if c.served != 0 {
				served = &renewal.Token{IssuedAt: after(-time.Hour), ExpiresAt: after(c.served)}
			}
			pauses := map[time.Duration]bool{}
			for i := range 200 {
				got := renewal.AfterFailure(start, c.class, c.before, true, c.retryAfter, served, strconv.Itoa(i))
				pauses[got.NextAttempt.Sub(start)] = true
			}
			for pause := range pauses {
				if pause < c.least || pause > c.most || pause%time.Second != 0 {
					t.Errorf("a pause of %s, want %s to %s", pause, c.least, c.most)
				}
			}
			if c.least < c.most && len(pauses) == 1 {
				t.Error("no jitter")
			}
		})
	}
}

func TestAfterFailure(t *testing.T) {
	before := renewal.Failures{Count: 3, LastTime: after(-time.Minute), NextAttempt: start, Recent: []time.Time{after(-time.Hour), after(-time.Minute)}}

	t.Run("the same problem counts on, and the past hour is remembered", func(t *testing.T) {
		want := renewal.Failures{Count: 4, LastTime: start, NextAttempt: after(43 * time.Second), Recent: []time.Time{after(-time.Minute), start}}
		if diff := cmp.Diff(want, renewal.AfterFailure(start, renewal.Transient, before, true, 0, nil, unjittered)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
	t.Run("another problem counts anew, and the past hour is remembered all the same", func(t *testing.T) {
		want := renewal.Failures{Count: 1, LastTime: start, NextAttempt: after(5 * time.Second), Recent: []time.Time{after(-time.Minute), start}}
		if diff := cmp.Diff(want, renewal.AfterFailure(start, renewal.Transient, before, false, 0, nil, unjittered)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
	t.Run("times are rounded up, so that a pause is no shorter than it says", func(t *testing.T) {
		want := renewal.Failures{Count: 1, LastTime: after(time.Second), NextAttempt: after(6 * time.Second), Recent: []time.Time{after(time.Second)}}
		if diff := cmp.Diff(want, renewal.AfterFailure(after(1), renewal.Transient, renewal.Failures{}, true, 0, nil, unjittered)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
	t.Run("failures from before the clock stepped back are counted as of now", func(t *testing.T) {
		got := renewal.AfterFailure(after(-3*time.Hour), renewal.Transient, before, true, 0, nil, unjittered).Recent
		now := after(-3 * time.Hour)
		if diff := cmp.Diff([]time.Time{now, now, now}, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
	t.Run("the twentieth failure of an hour waits for the first to be an hour old", func(t *testing.T) {
		crowded := renewal.Failures{Recent: hourly()}
		got := renewal.AfterFailure(start, renewal.Transient, crowded, true, 0, nil, unjittered)
		if len(got.Recent) != 20 || !got.NextAttempt.Equal(after(32*time.Minute)) {
			t.Errorf("%d failures remembered, next attempt at %s", len(got.Recent), got.NextAttempt)
		}
	})
	t.Run("what is given is not changed", func(t *testing.T) {
		given := renewal.Failures{Recent: append(make([]time.Time, 0, 30), hourly()...)}
		renewal.AfterFailure(start, renewal.Transient, given, true, 0, nil, unjittered)
		if diff := cmp.Diff(hourly(), given.Recent); diff != "" {
			t.Errorf("(-before +after)\n%s", diff)
		}
	})
}

func TestAfterSuccess(t *testing.T) {
	before := renewal.Failures{Count: 3, LastTime: start, NextAttempt: after(time.Minute), Recent: []time.Time{after(-time.Hour), start}}
	want := renewal.Failures{Recent: []time.Time{start}}
	if diff := cmp.Diff(want, renewal.AfterSuccess(start, before)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSecondTenFailuresOfAnHourAreFartherApart(t *testing.T) {
	minutes := func(n int) (times []time.Time) {
		for i := range n {
			times = append(times, after(time.Duration(i-n)*time.Minute))
		}
		return times
	}
	for behaviour, c := range map[string]struct {
		earlier int           // failures of the past hour, each of which was followed by a success
		served  time.Duration // remaining life; 0: none
		of      time.Duration // the whole life; 0: an hour and what remains
		want    time.Duration
	}{
		"the tenth as its class says":                 {earlier: 9, want: 5 * time.Second},
		"the eleventh for 5 s too":                    {earlier: 10, want: 5 * time.Second},
		"the fourteenth for 40 s":                     {earlier: 13, want: 40 * time.Second},
		"the eighteenth for 10 min":                   {earlier: 17, want: 10 * time.Minute},
		"for half the served life where that is less": {earlier: 17, served: 8 * time.Minute, want: 4 * time.Minute},
		"down to a minute of it":                      {earlier: 17, served: time.Minute, want: 30 * time.Second},
		"for 10 min where the served life is shorter": {earlier: 17, served: 59 * time.Second, want: 10 * time.Minute},
		"not for longer because the life is long":     {earlier: 10, served: time.Hour, want: 5 * time.Second},
		"for half a short life before its last quarter": {
			earlier: 15, served: 11 * time.Second, of: 40 * time.Second, want: 5 * time.Second,
		},
		"for longer in the last quarter":           {earlier: 15, served: 10 * time.Second, of: 40 * time.Second, want: 160 * time.Second},
		"for longer if it is one of the last four": {earlier: 16, served: 30 * time.Second, of: 40 * time.Second, want: 320 * time.Second},
	} {
		t.Run(behaviour, func(t *testing.T) {
			var served *renewal.Token
			if c.served > 0 {
				served = &renewal.Token{IssuedAt: after(-time.Hour), ExpiresAt: after(c.served)}
				if c.of > 0 {
					served.IssuedAt = served.ExpiresAt.Add(-c.of)
				}
			}
			got := renewal.AfterFailure(start, renewal.Transient, renewal.Failures{Recent: minutes(c.earlier)}, true, 0, served, unjittered)
			if pause := got.NextAttempt.Sub(start); pause != c.want {
				t.Errorf("a pause of %s, want %s", pause, c.want)
			}
		})
	}
}
