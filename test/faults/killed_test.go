// Package faults_test does to the real manager what may happen to it: it is killed at every step, stopped, cut off from the API server and
// from the vendor. The judge of refresh tokens is a server that this project did not write.
package faults_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
	"tokensync.dev/tokensync/test/judge"
)

func TestMain(m *testing.M) { harness.Main(m) }

var errKilled = errors.New("the manager was killed")

// counter strikes the k-th request about one OAuthToken, whichever of the two proxies it goes through.
type counter struct {
	name   string
	mu     sync.Mutex
	k, now int
	what   string // the request that was struck
	stroke func() *harness.Stroke
}

func (c *counter) rule(r *http.Request) *harness.Stroke {
	if !harness.Counts(r) || !about(c.name, r) || tellsOfWaiting(r) || looksForCredentials(r) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now++
	if c.now != c.k {
		return nil
	}
	c.what = says(r)
	return c.stroke()
}

// tellsOfWaiting tells of a status that a busy machine has written, where the credentials are seen late or the vendor takes more than two seconds.
func tellsOfWaiting(r *http.Request) bool {
	if says(r) != "status" {
		return false
	}
	body := bodyOf(r)
	return bytes.Contains(body, []byte(`"`+v1alpha1.ReasonAwaitingCredentials+`"`)) || bytes.Contains(body, []byte(`"`+v1alpha1.ReasonRequesting+`"`))
}

// looksForCredentials tells of a read that a busy machine has made, where the cache shows the credentials late.
func looksForCredentials(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, harness.CredentialsSuffix)
}

func (c *counter) struck() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.what
}

// about tells whether a request is about an OAuthToken: by its address, or, where something is made, by what is made.
func about(name string, r *http.Request) bool {
	if strings.Contains(r.URL.Path, "/"+name) || r.URL.Query().Get("name") == name {
		return true
	}
	return r.Method == http.MethodPost && bytes.Contains(bodyOf(r), []byte(name))
}

// bodyOf reads the body of a request, which keeps it.
func bodyOf(r *http.Request) []byte {
	if r.Body == nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return nil // whoever forwards it finds it cut
	}
	return body
}

// says tells in words what a request of a reconcile is for.
func says(r *http.Request) string {
	path := r.URL.Path
	switch {
	case strings.HasPrefix(path, "/token"):
		return "vendor"
	case strings.HasSuffix(path, "/status"):
		return "status"
	case r.URL.Query().Has("dryRun"):
		return "trial"
	case strings.HasSuffix(path, v1alpha1.StateSecretSuffix), r.Method == http.MethodPost && bytes.Contains(bodyOf(r), []byte(v1alpha1.StateSecretSuffix)):
		return "state"
	}
	return "target"
}

// killing kills the manager at the k-th request, before it is forwarded or after.
func killing(m *harness.Member, name string, k int, forwarded bool) *counter {
	kill := func() error {
		m.Kill()
		return errKilled
	}
	return &counter{name: name, k: k, stroke: func() *harness.Stroke {
		if forwarded {
			return &harness.Stroke{After: kill}
		}
		return &harness.Stroke{Before: kill}
	}}
}

// renewal is the requests of one that succeeds: the intent, the vendor, the refresh token, the access token, the status.
func renewal() []string { return []string{"state", "vendor", "state", "target", "status"} }

// TestKilledAtEveryStep kills the manager at each request of a renewal, before it is forwarded and after, until a renewal has no further one.
func TestKilledAtEveryStep(t *testing.T) {
	for name, kind := range map[string]struct {
		options []judge.Option
		change  []func(*v1alpha1.OAuthToken)
	}{
		"consent, rotation with reuse detection":       {},
		"consent, spent tokens stay good":              {options: []judge.Option{judge.Lenient()}},
		"consent, no rotation":                         {options: []judge.Option{judge.WithoutRotation()}},
		"refresh token, rotation with reuse detection": {change: []func(*v1alpha1.OAuthToken){harness.Seeded}},
	} {
		for _, forwarded := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/forwarded=%t", name, forwarded), func(t *testing.T) {
				t.Parallel()
				w := harness.NewWorld(t, kind.options, "--leader-elect=false")
				m := w.Join()
				m.Start()
				steps := []string{}
				for {
					step := killAtStep(w, m, len(steps)+1, forwarded, kind.change)
					if step == "" {
						break
					}
					steps = append(steps, step)
				}
				if difference := cmp.Diff(renewal(), steps); difference != "" {
					t.Errorf("killed at (-want +got):\n%s", difference)
				}
				if reused := w.Judge.Reused(); reused != 0 {
					t.Errorf("a spent refresh token was sent %d times", reused)
				}
			})
		}
	}
}

// killAtStep makes an OAuthToken, lets it get its token, and kills the manager at the k-th request of its renewal. It returns that request,
// or "" where the renewal has no such one. The manager runs again afterwards.
func killAtStep(w *harness.World, m *harness.Member, k int, forwarded bool, change []func(*v1alpha1.OAuthToken)) string {
	t, name := w.TB, fmt.Sprintf("step-%d", k)
	w.Create(name, change...)
	if w.Token(name).Spec.GrantType == v1alpha1.GrantAuthorizationCode {
		w.Authorize(name)
	}
	w.AwaitToken(name)
	w.Settle(m)
	served, kept := w.Served(name), w.Kept(name)
	c := killing(m, name, k, forwarded)
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
		return ""
	}
	left := w.Intends(name)
	t.Logf("killed at request %d (%s), which leaves an intent: %t", k, c.struck(), left)
	m.Start()
	harness.Eventually(t, func() string {
		token := w.Token(name)
		if left && interrupted(token) || !left && w.Served(name) != served && token.Status.LastHandledRenewRequest == "now" {
			return ""
		}
		return fmt.Sprintf("request %d (%s): an intent without a result: %t, and yet: %+v", k, c.struck(), left, token.Status.Conditions)
	})
	judgeEnd(w, name, served, kept, c.struck())
	return c.struck()
}

// interrupted tells whether a token is served while it is told that the answer to a refresh was lost, and who can mend it is asked.
func interrupted(token *v1alpha1.OAuthToken) bool {
	told := v1alpha1.ConditionRenewalFailing
	if token.Spec.GrantType == v1alpha1.GrantAuthorizationCode {
		told = v1alpha1.ConditionAuthorizationRequired
		if token.Status.Authorization == nil || token.Status.Authorization.URL == "" {
			return false
		}
	}
	return harness.Has(token, told, v1alpha1.ReasonRefreshInterrupted) && harness.Has(token, v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued)
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
	c := killing(m, name, k, forwarded)
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

// judgeEnd accepts a refresh token that is alive, or a person who is asked because only the vendor has the new one. The grant itself is alive
// in any case, and what pods mount stays unless there is something newer.
func judgeEnd(w *harness.World, name, served, kept, when string) {
	t, token := w.TB, w.Token(name)
	if !w.Judge.Alive(kept) {
		t.Errorf("struck at %s: the vendor has ended the grant", when)
	}
	if interrupted(token) && w.Served(name) != served {
		t.Errorf("struck at %s: the token that was served is gone", when)
	}
	switch {
	case w.Judge.Refreshes(w.Kept(name)):
	case w.Kept(name) != kept:
		t.Errorf("struck at %s: the refresh token that is kept is not alive at the vendor", when)
	case !interrupted(token):
		t.Errorf("struck at %s: nobody is asked: %+v", when, token.Status.Conditions)
	}
}
