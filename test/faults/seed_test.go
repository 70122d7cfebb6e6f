package faults_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
)

// TestKilledAtTheFirstUseOfASeed kills the manager at each request by which a refresh token from the credentials Secret becomes a token. There
// is no token yet that could be served, so the refresh token is tried again a minute after the deadline: it brings a token where the vendor
// has not seen it, and is refused where the answer was lost. It is not tried before, and not a third time.
func TestKilledAtTheFirstUseOfASeed(t *testing.T) {
	t.Parallel() // it waits
	for _, forwarded := range []bool{false, true} {
		t.Run(fmt.Sprintf("forwarded=%t", forwarded), func(t *testing.T) {
			t.Parallel()
			w := harness.NewWorld(t, nil, "--leader-elect=false")
			m := w.Join()
			m.Start()
			steps, spent := []string{}, []bool{}
			for {
				step, dead := killAtFirstUse(w, m, len(steps)+1, forwarded)
				if step == "" {
					break
				}
				steps, spent = append(steps, step), append(spent, dead)
			}
			want := []string{"trial", "state", "vendor", "state", "target", "status"}
			if difference := cmp.Diff(want, steps); difference != "" {
				t.Errorf("killed at (-want +got):\n%s", difference)
			}
			lost := 0
			for i, dead := range spent {
				if dead {
					lost++
				}
				harness.Eventually(t, func() string { return decided(w, fmt.Sprintf("step-%d", i+1), dead) })
			}
			if reused := w.Judge.Reused(); reused != lost {
				t.Errorf("spent refresh tokens were sent %d times, want %d: once each, where nothing else was left", reused, lost)
			}
		})
	}
}

// killAtFirstUse returns the request at which the manager was killed, "" where there is none, and whether only the vendor has what came of it.
func killAtFirstUse(w *harness.World, m *harness.Member, k int, forwarded bool) (step string, dead bool) {
	t, name := w.TB, fmt.Sprintf("step-%d", k)
	c := killing(m, name, k, forwarded)
	m.API.Strike(c.rule)
	w.Vendor.Strike(c.rule)
	w.Create(name, harness.Seeded)
	harness.Eventually(t, func() string {
		if m.Ended() || harness.Has(w.Token(name), v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued) {
			return ""
		}
		return "neither killed nor issued"
	})
	w.Settle(m)
	m.API.Strike(nil)
	w.Vendor.Strike(nil)
	if !m.Ended() {
		return "", false
	}
	kept := w.Kept(name)
	dead = kept != "" && !w.Judge.Refreshes(kept)
	t.Logf("killed at request %d (%s): an intent is left: %t, only the vendor has the new refresh token: %t", k, c.struck(), w.Intends(name), dead)
	if dead && !w.Intends(name) {
		t.Errorf("killed at %s: what is kept is spent, and nothing says so", c.struck())
	}
	m.Start()
	if !w.Intends(name) { // it goes on at once: the next kill shall not hit it once more
		harness.Eventually(t, func() string { return decided(w, name, false) })
	}
	return c.struck(), dead
}

// decided says "" once an OAuthToken has its token, or, where the only refresh token was spent, once somebody is asked for another.
func decided(w *harness.World, name string, dead bool) string {
	token := w.Token(name)
	if !dead && harness.Has(token, v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued) && w.Judge.Refreshes(w.Kept(name)) && w.Judge.Accepts(w.Served(name)) {
		return ""
	}
	if dead && harness.Has(token, v1alpha1.ConditionAuthorizationRequired, v1alpha1.ReasonAuthorizationRequired) {
		return ""
	}
	return fmt.Sprintf("%s, spent: %t: %+v", name, dead, token.Status.Conditions)
}
