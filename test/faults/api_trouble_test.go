package faults_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
)

// trouble is what an API server does to a manager's requests. It counts how often.
type trouble struct {
	tries  int // of each kind of request that are struck; 0: all
	watch  bool
	stroke harness.Stroke

	mu     sync.Mutex
	struck map[string]int
}

func (x *trouble) rule(r *http.Request) *harness.Stroke {
	if r.URL.Query().Has("watch") != x.watch || !x.watch && !harness.Counts(r) {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.struck[says(r)]++; x.tries > 0 && x.struck[says(r)] > x.tries {
		return nil
	}
	stroke := x.stroke
	return &stroke
}

// begin forgets what was struck before.
func (x *trouble) begin() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.struck = map[string]int{}
}

// missed are the steps that were not struck.
func (x *trouble) missed(steps ...string) []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var missed []string
	for _, step := range steps {
		if x.struck[step] == 0 {
			missed = append(missed, step)
		}
	}
	return missed
}

// refusing is an API server's own way to say no.
func refusing(status int, reason string, header map[string]string) *harness.Answer {
	return &harness.Answer{Status: status, Header: header, Body: fmt.Sprintf(
		`{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q,"message":"refused by the test"}`, status, reason)}
}

func after(span time.Duration) func() error {
	return func() error {
		time.Sleep(span)
		return nil
	}
}

// TestAnAPIServerInTroubleCostsNoRequestAndNoToken spoils what the API server says while a first token is issued and while it is renewed, with
// refresh tokens that can be spent once: the vendor is asked once for each, and the refresh token that is kept is the newest.
func TestAnAPIServerInTroubleCostsNoRequestAndNoToken(t *testing.T) {
	t.Parallel() // it waits
	for name, x := range map[string]*trouble{
		"slow":                                {stroke: harness.Stroke{Before: after(2 * time.Second)}},
		"409":                                 {tries: 2, stroke: harness.Stroke{Instead: refusing(http.StatusConflict, "Conflict", nil)}},
		"429":                                 {tries: 2, stroke: harness.Stroke{Instead: refusing(http.StatusTooManyRequests, "TooManyRequests", map[string]string{"Retry-After": "1"})}},
		"429, for as long as it can be asked": {tries: 12, stroke: harness.Stroke{Instead: refusing(http.StatusTooManyRequests, "TooManyRequests", map[string]string{"Retry-After": "0"})}},
		"500":                                 {tries: 3, stroke: harness.Stroke{Instead: refusing(http.StatusInternalServerError, "InternalError", nil)}},
		"503 from a load balancer":            {tries: 3, stroke: harness.Stroke{Instead: &harness.Answer{Status: http.StatusServiceUnavailable, Body: "<p>no backend</p>"}}},
		"504 although it was done":            {tries: 1, stroke: harness.Stroke{Forward: true, Instead: refusing(http.StatusGatewayTimeout, "Timeout", nil)}},
		"answers that are cut off":            {tries: 1, stroke: harness.Stroke{Half: true}},
		"a cache that is behind":              {watch: true, stroke: harness.Stroke{Late: 3 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := harness.NewWorld(t, nil, "--leader-elect=false")
			m := w.Join()
			x.begin()
			if x.watch { // those that stand would go on as they are
				m.API.Strike(x.rule)
			}
			m.Start()
			m.API.Strike(x.rule)
			issueAndRenew(w, func() { x.begin() }, func(steps ...string) {
				if missed := x.missed(steps...); !x.watch && len(missed) > 0 {
					t.Errorf("%q were not struck: this test says nothing of them", missed)
				}
			})
		})
	}
}

// issueAndRenew lets an OAuthToken get its first token and the next. begin is called before each, struck after it with the steps that it had.
func issueAndRenew(w *harness.World, begin func(), struck func(steps ...string)) {
	t := w.TB
	t.Helper()
	begin()
	w.Create("api", harness.Seeded)
	w.AwaitToken("api")
	struck("trial", "state", "target", "status")
	if granted := w.Judge.Granted("refresh_token"); granted != 1 {
		t.Fatalf("%d tokens were issued for the first one", granted)
	}
	served, kept := w.Served("api"), w.Kept("api")
	begin()
	w.Renew("api", "now")
	harness.Eventually(t, func() string {
		token := w.Token("api")
		if !harness.Has(token, v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued) {
			return fmt.Sprintf("what pods mount is called bad: %+v", token.Status.Conditions)
		}
		if w.Served("api") == served || token.Status.LastHandledRenewRequest != "now" || len(token.Status.Conditions) != 1 {
			return fmt.Sprintf("not renewed: %+v", token.Status)
		}
		return ""
	})
	struck("state", "target", "status")
	if granted := w.Judge.Granted("refresh_token"); granted != 2 {
		t.Errorf("%d tokens were issued, want one for each", granted)
	}
	if w.Judge.Reused() != 0 || w.Kept("api") == kept || !w.Judge.Refreshes(w.Kept("api")) || !w.Judge.Accepts(w.Served("api")) {
		t.Errorf("%d spent refresh tokens were sent; the one that is kept is good: %t, what is served: %t",
			w.Judge.Reused(), w.Judge.Refreshes(w.Kept("api")), w.Judge.Accepts(w.Served("api")))
	}
}

// TestWatchesThatEndCostNoRequestAndNoToken ends every connection to the API server again and again while tokens are issued and renewed.
func TestWatchesThatEndCostNoRequestAndNoToken(t *testing.T) {
	t.Parallel()
	w := harness.NewWorld(t, nil, "--leader-elect=false")
	m := w.Join()
	m.Start()
	ended, done := make(chan int), make(chan struct{})
	go func() {
		count := 0
		for {
			select {
			case <-done:
				ended <- count
				return
			case <-time.After(700 * time.Millisecond):
				m.API.Away(true)
				m.API.Away(false)
				count++
			}
		}
	}()
	issueAndRenew(w, func() {}, func(...string) { time.Sleep(2 * time.Second) })
	close(done)
	if count := <-ended; count < 4 {
		t.Errorf("the connections were ended %d times", count)
	}
	if m.Ended() {
		t.Error("the manager has ended")
	}
}

// TestAnIntentThatComesTooLateSendsNothing lets the API server take longer to write the intent than the intent allows for the sending: the
// refresh token is not sent, and the renewal is made anew.
func TestAnIntentThatComesTooLateSendsNothing(t *testing.T) {
	t.Parallel()
	w := harness.NewWorld(t, nil, "--leader-elect=false")
	m := w.Join()
	m.Start()
	x := &trouble{tries: 1, stroke: harness.Stroke{After: after(11 * time.Second)}}
	x.begin()
	var early int
	m.API.Strike(func(r *http.Request) *harness.Stroke {
		if says(r) != "state" {
			return nil
		}
		stroke := x.rule(r)
		if stroke != nil {
			held := stroke.After
			stroke.After = func() error {
				err := held()
				early = w.Judge.Granted("refresh_token")
				return err
			}
		}
		return stroke
	})
	issueAndRenew(w, func() { x.begin() }, func(steps ...string) {})
	if early != 1 {
		t.Errorf("%d tokens were issued by the time that the renewal's intent was written", early)
	}
}
