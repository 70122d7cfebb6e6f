// Package faults_test does to the real manager what may happen to it: it is killed at every step, stopped, cut off from the API server and
// from the vendor. The judge of refresh tokens is a server that this project did not write.
package faults_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
	"tokensync.dev/tokensync/test/judge"
)

func TestMain(m *testing.M) { harness.Main(m) }

var errKilled = errors.New("the manager was killed")

// counter strikes the k-th request of a renewal, whichever of the two proxies it goes through.
type counter struct {
	mu     sync.Mutex
	k, now int
	what   string // the request that was struck
	stroke func() *harness.Stroke
}

func (c *counter) rule(r *http.Request) *harness.Stroke {
	if !harness.Counts(r) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now++
	if c.now != c.k {
		return nil
	}
	c.what = r.Method + " " + r.URL.Path
	return c.stroke()
}

func (c *counter) struck() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.what
}

// killing kills the manager at the k-th request, before it is forwarded or after.
func killing(m *harness.Member, k int, forwarded bool) *counter {
	kill := func() error {
		m.Kill()
		return errKilled
	}
	return &counter{k: k, stroke: func() *harness.Stroke {
		if forwarded {
			return &harness.Stroke{After: kill}
		}
		return &harness.Stroke{Before: kill}
	}}
}

// TestKilledAtEveryStep kills the manager at each request of a renewal, before it is forwarded and after, until a renewal has no further one.
func TestKilledAtEveryStep(t *testing.T) {
	for name, options := range map[string][]judge.Option{"rotation with reuse detection": nil, "spent tokens stay good": {judge.Lenient()}} {
		for _, forwarded := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/forwarded=%t", name, forwarded), func(t *testing.T) {
				t.Parallel()
				w := harness.NewWorld(t, options, "--leader-elect=false")
				m := w.Join()
				m.Start()
				steps := 0
				for killAtStep(w, m, steps+1, forwarded) {
					steps++
				}
				if steps < 5 { // intent, vendor, refresh token, target, status
					t.Errorf("a renewal has %d requests, want 5 at least", steps)
				}
				if reused := w.Judge.Reused(); reused != 0 {
					t.Errorf("a spent refresh token was sent %d times", reused)
				}
			})
		}
	}
}

// killAtStep makes an OAuthToken, lets a person authorize it, and kills the manager at the k-th request of its renewal. It returns false where
// the renewal has no such request. The manager runs again afterwards.
func killAtStep(w *harness.World, m *harness.Member, k int, forwarded bool) bool {
	t, name := w.TB, fmt.Sprintf("step-%d", k)
	w.Create(name)
	w.Authorize(name)
	w.Settle(m)
	served, kept := w.Served(name), w.Kept(name)
	c := killing(m, k, forwarded)
	m.API.Strike(c.rule)
	w.Vendor.Strike(c.rule)
	w.Renew(name, "now")
	harness.Eventually(t, func() string {
		if m.Ended() || w.Token(name).Status.LastHandledRenewRequest == "now" && w.Served(name) != served {
			return ""
		}
		return "neither killed nor renewed"
	})
	w.Settle(m)
	m.API.Strike(nil)
	w.Vendor.Strike(nil)
	if !m.Ended() {
		return false
	}
	t.Logf("killed at request %d: %s", k, c.struck())
	m.Start()
	harness.Eventually(t, func() string {
		token := w.Token(name)
		renewed := w.Served(name) != served && token.Status.LastHandledRenewRequest == "now"
		interrupted := harness.Has(token, v1alpha1.ConditionAuthorizationRequired, v1alpha1.ReasonRefreshInterrupted) && token.Status.Authorization.URL != ""
		if renewed || interrupted {
			return ""
		}
		return fmt.Sprintf("request %d (%s): neither renewed nor interrupted: %+v", k, c.struck(), token.Status.Conditions)
	})
	judgeEnd(w, name, served, kept, c.struck())
	return true
}

// TestKilledWhileSomebodyAuthorizes kills the manager at each request that follows from a person's consent. The code is never sent twice: the
// token is there in the end, or the person is asked again and finds the way open.
func TestKilledWhileSomebodyAuthorizes(t *testing.T) {
	for _, forwarded := range []bool{false, true} {
		t.Run(fmt.Sprintf("forwarded=%t", forwarded), func(t *testing.T) {
			t.Parallel()
			w := harness.NewWorld(t, nil, "--leader-elect=false")
			m := w.Join()
			m.Start()
			steps := 0
			for killWhileAuthorizing(w, m, steps+1, forwarded) {
				steps++
			}
			if steps < 6 { // attempt, code, code taken, vendor, tokens, target, status
				t.Errorf("an authorization has %d requests, want 6 at least", steps)
			}
			if seen := w.Judge.ReusedCodes(); seen != 0 {
				t.Errorf("%d codes were sent twice", seen)
			}
		})
	}
}

func killWhileAuthorizing(w *harness.World, m *harness.Member, k int, forwarded bool) bool {
	t, name := w.TB, fmt.Sprintf("step-%d", k)
	w.Create(name)
	link := w.Link(name)
	w.Settle(m)
	c := killing(m, k, forwarded)
	m.API.Strike(c.rule)
	w.Vendor.Strike(c.rule)
	_ = w.Browse(link) // it may find that the portal is gone
	harness.Eventually(t, func() string {
		if m.Ended() || harness.Has(w.Token(name), v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued) {
			return ""
		}
		return "neither killed nor authorized"
	})
	w.Settle(m)
	m.API.Strike(nil)
	w.Vendor.Strike(nil)
	if !m.Ended() {
		return false
	}
	t.Logf("killed at request %d: %s", k, c.struck())
	m.Start()
	harness.Eventually(t, func() string {
		token := w.Token(name)
		if harness.Has(token, v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued) {
			return ""
		}
		if token.Status.Authorization == nil || token.Status.Authorization.URL == "" {
			return "neither a token nor a link"
		}
		_ = w.Browse(token.Status.Authorization.URL) // the person tries again
		return "not ready yet"
	})
	if !w.Judge.Refreshes(w.Kept(name)) {
		t.Errorf("killed at %s: the refresh token that is kept is not alive", c.struck())
	}
	return true
}

// judgeEnd accepts a refresh token that is alive, or a person who was asked because only the vendor has the new one, while what pods mount
// stays.
func judgeEnd(w *harness.World, name, served, kept, when string) {
	t := w.TB
	if w.Judge.Refreshes(w.Kept(name)) {
		return
	}
	token := w.Token(name)
	switch {
	case w.Kept(name) != kept:
		t.Errorf("killed at %s: the refresh token that is kept is not alive at the vendor", when)
	case !harness.Has(token, v1alpha1.ConditionAuthorizationRequired, v1alpha1.ReasonRefreshInterrupted):
		t.Errorf("killed at %s: nobody is asked: %+v", when, token.Status.Conditions)
	case w.Served(name) != served:
		t.Errorf("killed at %s: the token that was served is gone", when)
	}
}
