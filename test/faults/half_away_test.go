package faults_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
	"tokensync.dev/tokensync/test/judge"
)

// aim strikes the next token request of one OAuthToken each, and notes when the one after it comes.
type aim struct {
	mu      sync.Mutex
	strokes map[string]harness.Stroke
	struck  map[string]bool
	again   map[string]time.Time
}

func newAim() *aim {
	return &aim{strokes: map[string]harness.Stroke{}, struck: map[string]bool{}, again: map[string]time.Time{}}
}

func (a *aim) at(name string, stroke harness.Stroke) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.strokes[name] = stroke
}

func (a *aim) hit(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.struck[name]
}

// repeated is when a token was asked for anew after the stroke; zero: not yet.
func (a *aim) repeated(name string) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.again[name]
}

func (a *aim) rule(r *http.Request) *harness.Stroke {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := r.URL.Query().Get("name")
	stroke, aimed := a.strokes[name]
	if !aimed {
		if a.struck[name] && a.again[name].IsZero() {
			a.again[name] = time.Now()
		}
		return nil
	}
	delete(a.strokes, name)
	a.struck[name] = true
	return &stroke
}

// TestVendorHalfAway spoils the answer to a refresh, after the vendor acted on it and without. What pods mount stays until its end, and a
// refresh token that still works is found again.
func TestVendorHalfAway(t *testing.T) {
	t.Parallel() // it waits
	for name, kind := range map[string]struct {
		options  []judge.Option
		forgives bool
	}{
		"rotation with reuse detection": {options: []judge.Option{judge.WithLife(life)}},
		"spent tokens stay good":        {[]judge.Option{judge.WithLife(life), judge.Lenient()}, true},
		"no rotation":                   {[]judge.Option{judge.WithLife(life), judge.WithoutRotation()}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := harness.NewWorld(t, kind.options, "--leader-elect=false")
			m := w.Join()
			m.Start()
			target := newAim()
			w.Vendor.Strike(target.rule)
			var cases sync.WaitGroup
			rotated := 0
			for name, stroke := range spoiled() {
				if !kind.forgives && acted(stroke) {
					rotated++
				}
				cases.Go(func() { halfAway(w, target, name, stroke, kind.forgives) })
			}
			cases.Wait()
			if reused := w.Judge.Reused(); reused != rotated { // only after the last tenth of the served token's life, when nothing else is left
				t.Errorf("%d spent refresh tokens were sent, want %d", reused, rotated)
			}
		})
	}
}

// acted tells whether the vendor sees the request.
func acted(stroke harness.Stroke) bool {
	return stroke.Forward || stroke.Before == nil && stroke.Instead == nil
}

// spoiled is each fault twice: after the vendor acted on the request, and without.
func spoiled() map[string]harness.Stroke {
	begun := &harness.Answer{Status: http.StatusOK, Body: `{"access_token":"not-for-pods","token_type":"Bearer","expires_in":3600}`}
	all := map[string]harness.Stroke{
		"cut-after": {Half: true}, "cut-before": {Half: true, Instead: begun},
		"half-json-after": {HalfJSON: true}, "half-json-before": {HalfJSON: true, Instead: begun},
		"ended-after":  {After: func() error { return errKilled }},
		"ended-before": {Before: func() error { return errKilled }},
	}
	for _, status := range []int{500, 502, 504} {
		answer := &harness.Answer{Status: status, Body: "<html>out of order</html>"}
		all[fmt.Sprintf("%d-before", status)] = harness.Stroke{Instead: answer}
		all[fmt.Sprintf("%d-after", status)] = harness.Stroke{Instead: answer, Forward: true}
	}
	return all
}

// life is that of this suite's tokens.
const life = 45 * time.Second

// halfAway spoils one refresh. Until the last tenth of the served token's life the refresh token is left alone, and the token stays; then the
// refresh token is tried again: it brings a new token where it is still good, and where it is not, the token stays to its end.
func halfAway(w *harness.World, target *aim, name string, stroke harness.Stroke, forgives bool) {
	t := w.TB
	w.Create(name)
	w.Authorize(name)
	served, kept := w.Served(name), w.Kept(name)
	target.at(name, stroke)
	w.Renew(name, "now")
	await(w, func() string {
		if token := w.Token(name); !target.hit(name) || !interrupted(token) {
			return fmt.Sprintf("%s: a person should be asked while the token is served: %+v", name, token.Status.Conditions)
		}
		return ""
	})
	if w.Served(name) != served || w.Kept(name) != kept {
		t.Errorf("%s: the token that is served, or the refresh token, did not stay", name)
	}
	token := w.Token(name)
	usable := w.Judge.Refreshes(kept)
	if usable != (forgives || !acted(stroke)) {
		t.Errorf("%s: the refresh token is good at the vendor: %t; this test says nothing", name, usable)
	}
	await(w, func() string { return ended(w, name, served, usable) })
	if again := target.repeated(name); again.Before(token.Status.ExpiresAt.Add(-life / 5)) { // a tenth, and what a busy machine takes
		t.Errorf("%s: the refresh token was tried again at %s, long before the end of the token that is served: %s", name, again, token.Status.ExpiresAt)
	}
	if usable && !w.Judge.Refreshes(w.Kept(name)) {
		t.Errorf("%s: the refresh token that is kept is not alive", name)
	}
}

// ended says "" once the refresh token was found good again, or somebody is asked because it was not and the token that was served is there.
func ended(w *harness.World, name, served string, usable bool) string {
	token := w.Token(name)
	if usable && w.Served(name) != served && harness.Has(token, v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued) {
		return ""
	}
	if !usable && w.Served(name) == served && harness.Has(token, v1alpha1.ConditionAuthorizationRequired, v1alpha1.ReasonAuthorizationRequired) {
		return ""
	}
	return fmt.Sprintf("%s: good at the vendor: %t, %+v", name, usable, token.Status.Conditions)
}

// await is Eventually for many cases at a time, which may not end the test from their goroutines.
func await(w *harness.World, check func() string) {
	w.TB.Helper()
	deadline, complaint := time.Now().Add(harness.Patience), "never looked"
	for time.Now().Before(deadline) {
		if complaint = check(); complaint == "" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.TB.Error(complaint)
}
