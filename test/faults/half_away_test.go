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

// aim strikes the next token request of one OAuthToken each.
type aim struct {
	mu      sync.Mutex
	strokes map[string]harness.Stroke
	struck  map[string]bool
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

func (a *aim) rule(r *http.Request) *harness.Stroke {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := r.URL.Query().Get("name")
	stroke, aimed := a.strokes[name]
	if !aimed {
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

	for kind, options := range map[string][]judge.Option{
		"rotation with reuse detection": {judge.WithLife(life)}, "spent tokens stay good": {judge.WithLife(life), judge.Lenient()},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := harness.NewWorld(t, options, "--leader-elect=false")
			m := w.Join()
			m.Start()
			target := &aim{strokes: map[string]harness.Stroke{}, struck: map[string]bool{}}
			w.Vendor.Strike(target.rule)
			var cases sync.WaitGroup
			rotated := 0
			for name, stroke := range spoiled() {
				if stroke.Forward || stroke.Half || stroke.HalfJSON {
					rotated++
				}
				cases.Go(func() { halfAway(w, target, name, stroke, len(options) > 1) })
			}
			cases.Wait()
			if kind != "rotation with reuse detection" {
				rotated = 0
			}
			if reused := w.Judge.Reused(); reused != rotated { // only after the last tenth of the served token's life, when nothing else is left
				t.Errorf("%d spent refresh tokens were sent, want %d", reused, rotated)
			}
		})
	}
}

func spoiled() map[string]harness.Stroke {
	all := map[string]harness.Stroke{"cut-after": {Half: true}, "half-json-after": {HalfJSON: true}, "cut-before": {Before: func() error { return errKilled }}}
	for _, status := range []int{500, 502, 504} {
		answer := &harness.Answer{Status: status, Body: "<html>out of order</html>"}
		all[fmt.Sprintf("%d-before", status)] = harness.Stroke{Instead: answer}
		all[fmt.Sprintf("%d-after", status)] = harness.Stroke{Instead: answer, Forward: true}
	}
	return all
}

// life is that of this suite's tokens.
const life = 45 * time.Second

func halfAway(w *harness.World, target *aim, name string, stroke harness.Stroke, lenient bool) {
	t := w.TB
	w.Create(name)
	w.Authorize(name)
	served, kept := w.Served(name), w.Kept(name)
	target.at(name, stroke)
	w.Renew(name, "now")
	await(w, func() string {
		token := w.Token(name)
		asked := harness.Has(token, v1alpha1.ConditionAuthorizationRequired, v1alpha1.ReasonRefreshInterrupted)
		good := harness.Has(token, v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued)
		if target.hit(name) && asked && good && token.Status.Authorization.URL != "" {
			return ""
		}
		return fmt.Sprintf("%s: a person should be asked while the token is served: %+v", name, token.Status.Conditions)
	})
	if w.Served(name) != served || w.Kept(name) != kept {
		t.Errorf("%s: the token that is served, or the refresh token, did not stay", name)
	}
	end := w.Token(name).Status.ExpiresAt.Time
	usable := lenient || w.Judge.Refreshes(kept)
	await(w, func() string {
		token := w.Token(name)
		switch {
		case usable && w.Served(name) != served && harness.Has(token, v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued):
			return ""
		case !usable && harness.Has(token, v1alpha1.ConditionAuthorizationRequired, v1alpha1.ReasonAuthorizationRequired):
			return ""
		case w.Served(name) != served && time.Now().Before(end.Add(-life/2)):
			return name + ": the token that was good is gone"
		}
		return fmt.Sprintf("%s: usable=%t, %+v", name, usable, token.Status.Conditions)
	})
	if usable && !w.Judge.Refreshes(w.Kept(name)) {
		t.Errorf("%s: the refresh token that is kept is not alive", name)
	}
	if !usable && w.Served(name) != served {
		t.Errorf("%s: the token that was served is gone before its end", name)
	}
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
