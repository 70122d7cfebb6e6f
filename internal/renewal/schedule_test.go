package renewal_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tokensync.dev/tokensync/internal/renewal"
)

const year = 365 * 24 * time.Hour

// unjittered is a UID whose share of the jitter is under a thousandth, so that tables show plain numbers.
const unjittered = "uid-198"

func lasting(life time.Duration) renewal.Token {
	return renewal.Token{IssuedAt: start, ExpiresAt: start.Add(life)}
}

func TestPlan(t *testing.T) {
	type plan struct {
		Renewal, RenewBefore time.Duration // after issue; before the end
		Clamped, Short       bool
	}
	for behaviour, c := range map[string]struct {
		life   time.Duration
		policy renewal.Policy
		want   plan
	}{
		"a life of 1 s is used to its end": {
			life: time.Second, want: plan{Renewal: time.Second, Short: true},
		},
		"a life of 20 s is renewed at half": {
			life: 20 * time.Second, want: plan{Renewal: 10 * time.Second, RenewBefore: 10 * time.Second, Short: true},
		},
		"just under 4 minutes is short": {
			life: 239 * time.Second, want: plan{Renewal: 120 * time.Second, RenewBefore: 119 * time.Second, Short: true},
		},
		"4 minutes are renewed at half and are not short": {
			life: 240 * time.Second, want: plan{Renewal: 120 * time.Second, RenewBefore: 120 * time.Second},
		},
		"5 minutes are renewed at half": {
			life: 300 * time.Second, want: plan{Renewal: 150 * time.Second, RenewBefore: 150 * time.Second},
		},
		"6 minutes leave the pods 3": {
			life: 360 * time.Second, want: plan{Renewal: 180 * time.Second, RenewBefore: 180 * time.Second},
		},
		"an hour less a second is renewed after two thirds, in whole seconds": {
			life: 3599 * time.Second, want: plan{Renewal: 2400 * time.Second, RenewBefore: 1199 * time.Second},
		},
		"a day is renewed after 16 hours": {
			life: 24 * time.Hour, want: plan{Renewal: 16*time.Hour - 3*time.Second, RenewBefore: 8 * time.Hour},
		},
		"a given time before the end is used": {
			life: time.Hour, policy: renewal.Policy{RenewBefore: 10 * time.Minute, RenewBeforePercentage: 40},
			want: plan{Renewal: 50 * time.Minute, RenewBefore: 10 * time.Minute},
		},
		"a given percentage is of the life": {
			life: time.Hour, policy: renewal.Policy{RenewBeforePercentage: 10},
			want: plan{Renewal: 54 * time.Minute, RenewBefore: 6 * time.Minute},
		},
		"a given fraction of a second is a second": {
			life: 100 * time.Second, policy: renewal.Policy{RenewBefore: time.Millisecond},
			want: plan{Renewal: 99 * time.Second, RenewBefore: time.Second, Short: true},
		},
		"more than half the life is clamped to half": {
			life: time.Hour, policy: renewal.Policy{RenewBefore: 2 * time.Hour},
			want: plan{Renewal: 30 * time.Minute, RenewBefore: 30 * time.Minute, Clamped: true},
		},
		"half of an odd life is not clamped": {
			life: 3599 * time.Second, policy: renewal.Policy{RenewBeforePercentage: 50},
			want: plan{Renewal: 1800 * time.Second, RenewBefore: 1799 * time.Second},
		},
		"a percentage over 50 is clamped too": {
			life: time.Hour, policy: renewal.Policy{RenewBeforePercentage: 90},
			want: plan{Renewal: 30 * time.Minute, RenewBefore: 30 * time.Minute, Clamped: true},
		},
		"negative values are not given": {
			life: 6 * time.Minute, policy: renewal.Policy{RenewBefore: -1, RenewBeforePercentage: -1, MaxTokenAge: -1},
			want: plan{Renewal: 3 * time.Minute, RenewBefore: 3 * time.Minute},
		},
		"450 days are renewed after 300, in whole seconds": {
			life: 38_880_000 * time.Second,
			want: plan{Renewal: 300*24*time.Hour - 1462*time.Second, RenewBefore: 150 * 24 * time.Hour},
		},
		"100 years don't overflow": {
			life: 99 * year, policy: renewal.Policy{RenewBeforePercentage: 99},
			want: plan{Renewal: 99*year/2 - (24*time.Hour + 27*time.Minute + 38*time.Second), RenewBefore: 99 * year / 2, Clamped: true},
		},
		"a maximal age counts as the life": {
			life: 24 * time.Hour, policy: renewal.Policy{MaxTokenAge: 14 * time.Minute},
			want: plan{Renewal: 560 * time.Second, RenewBefore: 280 * time.Second},
		},
		"a maximal age does not make a token short": {
			life: 24 * time.Hour, policy: renewal.Policy{MaxTokenAge: time.Minute},
			want: plan{Renewal: 30 * time.Second, RenewBefore: 30 * time.Second},
		},
		"a maximal age beyond the life changes nothing": {
			life: 6 * time.Minute, policy: renewal.Policy{MaxTokenAge: 100 * year},
			want: plan{Renewal: 3 * time.Minute, RenewBefore: 3 * time.Minute},
		},
		"a token that ends before it begins is due at its issue": {
			life: -time.Hour, want: plan{Short: true},
		},
	} {
		t.Run(behaviour, func(t *testing.T) {
			got := renewal.Plan(lasting(c.life), c.policy, unjittered)
			shown := plan{got.RenewalTime.Sub(start), got.RenewBefore, got.Clamped, got.Short}
			if diff := cmp.Diff(c.want, shown); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestPlanOfARepeatedToken(t *testing.T) {
	for behaviour, c := range map[string]struct {
		remaining time.Duration
		policy    renewal.Policy
		want      time.Duration // after the repetition
	}{
		"450 days are tried 3 minutes before the end": {remaining: 450 * 24 * time.Hour, want: 450*24*time.Hour - 3*time.Minute},
		"20 minutes are tried 2 minutes before":       {remaining: 20 * time.Minute, want: 18 * time.Minute},
		"3 minutes are tried 18 s before":             {remaining: 3 * time.Minute, want: 162 * time.Second},
		"18 s are tried 6 s before":                   {remaining: 18 * time.Second, want: 12 * time.Second},
		"12 s are tried 6 s before":                   {remaining: 12 * time.Second, want: 6 * time.Second},
		"11 s are used to the end":                    {remaining: 11 * time.Second, want: 11 * time.Second},
		"a maximal age sets the pace":                 {remaining: time.Hour, policy: renewal.Policy{MaxTokenAge: 10 * time.Minute}, want: 9 * time.Minute},
		"renewBefore counts no more":                  {remaining: 20 * time.Minute, policy: renewal.Policy{RenewBefore: 9 * time.Minute}, want: 18 * time.Minute},
	} {
		t.Run(behaviour, func(t *testing.T) {
			repeated := start.Add(time.Hour)
			token := renewal.Token{IssuedAt: start, RepeatedAt: repeated, ExpiresAt: repeated.Add(c.remaining)}
			if got := renewal.Plan(token, c.policy, unjittered).RenewalTime.Sub(repeated); got != c.want {
				t.Errorf("tried %s after the repetition, want %s", got, c.want)
			}
		})
	}
}

func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		life := time.Second * time.Duration(rapid.Int64Range(1, int64(100*year/time.Second)).Draw(t, "life"))
		policy := policies.Draw(t, "policy")
		uid := rapid.String().Draw(t, "uid")
		token := lasting(life)
		got := renewal.Plan(token, policy, uid)

		if diff := cmp.Diff(got, renewal.Plan(token, policy, uid)); diff != "" {
			t.Errorf("the same question has two answers:\n%s", diff)
		}
		capped := life
		if policy.MaxTokenAge > 0 {
			capped = min(life, policy.MaxTokenAge.Truncate(time.Second))
		}
		latest := start.Add(capped - got.RenewBefore)
		earliest := latest.Add(-(capped - got.RenewBefore) / 10)
		if got.RenewalTime.Before(earliest) || got.RenewalTime.After(latest) {
			t.Errorf("renewal at %s, want %s to %s", got.RenewalTime, earliest, latest)
		}
		if got.RenewBefore < 0 || got.RenewBefore > capped/2 {
			t.Errorf("renewBefore %s of a life of %s", got.RenewBefore, capped)
		}
		if got.RenewalTime.Nanosecond() != 0 || got.RenewBefore%time.Second != 0 {
			t.Errorf("not in whole seconds: %v", got)
		}
	})
}

// policies are what users state, sensible or not.
var policies = rapid.Custom(func(t *rapid.T) renewal.Policy {
	given := rapid.SampledFrom([]string{"nothing", "time", "percentage"}).Draw(t, "given")
	var p renewal.Policy
	switch given {
	case "time":
		p.RenewBefore = time.Duration(rapid.Int64Range(1, int64(2*year)).Draw(t, "renewBefore"))
	case "percentage":
		p.RenewBeforePercentage = rapid.IntRange(1, 99).Draw(t, "renewBeforePercentage")
	}
	if rapid.Bool().Draw(t, "aged") {
		p.MaxTokenAge = time.Second * time.Duration(rapid.Int64Range(1, 1_000_000).Draw(t, "maxTokenAge"))
	}
	return p
})

func TestJitterSpreadsObjectsOverATenthOfTheAge(t *testing.T) {
	const objects = 1000
	token := lasting(24 * time.Hour)
	age := 16 * time.Hour
	var tenths [10]int
	for i := range objects {
		early := age - renewal.Plan(token, renewal.Policy{}, "uid-"+strconv.Itoa(i)).RenewalTime.Sub(start)
		tenths[early*10/(age/10)]++
	}
	for i, n := range tenths {
		if n < objects/20 || n > objects/5 {
			t.Errorf("%d of %d objects in tenth %d of the jitter", n, objects, i)
		}
	}
}
