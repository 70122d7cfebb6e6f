package faults_test

import (
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
)

// outage is how long the API server is away: longer than a leader keeps its lease.
const outage = time.Minute

// TestAPIServerAwayAfterTheVendorsAnswer takes the API server away between the vendor's answer and the write, for a minute, with the default
// lease settings: the new refresh token is kept in memory and written, also by a process that has lost its lease or was told to stop.
func TestAPIServerAwayAfterTheVendorsAnswer(t *testing.T) {
	t.Parallel() // it waits
	for name, stopped := range map[string]bool{"the lease is lost": false, "SIGTERM": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := harness.NewWorld(t, nil)
			m := w.Join()
			m.Start()
			w.Create("api")
			w.Authorize("api")
			w.Settle(m)
			kept := w.Kept("api")
			var away atomic.Bool
			w.Vendor.Strike(func(*http.Request) *harness.Stroke {
				return &harness.Stroke{After: func() error {
					m.API.Away(true) // watches end too
					away.Store(true)
					return nil
				}}
			})
			w.Renew("api", "now")
			harness.Eventually(t, func() string {
				if !away.Load() {
					return "the vendor was not asked"
				}
				return ""
			})
			gone := time.Now()
			if w.Judge.Refreshes(kept) {
				t.Fatal("the vendor has not rotated, so that this test would say nothing")
			}
			if stopped {
				m.Signal(syscall.SIGTERM)
			}
			for time.Since(gone) < outage { // the point is the real time: leases have no injected clock
				if m.Ended() {
					t.Fatal("the process ended with a refresh token in its memory alone")
				}
				time.Sleep(100 * time.Millisecond)
			}
			w.Vendor.Strike(nil)
			m.API.Away(false)
			harness.Eventually(t, func() string {
				if now := w.Kept("api"); now == kept || !w.Judge.Refreshes(now) {
					return "the new refresh token is not written"
				}
				return ""
			})
			harness.Eventually(t, func() string {
				if !m.Ended() {
					return "the process, which leads no more, does not end"
				}
				return ""
			})
			m.Start()
			harness.Eventually(t, func() string {
				token := w.Token("api")
				if harness.Has(token, v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued) && token.Status.LastHandledRenewRequest == "now" {
					return ""
				}
				return "the next process does not go on"
			})
			if reused := w.Judge.Reused(); reused != 0 || !w.Judge.Refreshes(w.Kept("api")) {
				t.Errorf("%d spent refresh tokens were sent, and the one that is kept is alive: %t", reused, w.Judge.Refreshes(w.Kept("api")))
			}
		})
	}
}
