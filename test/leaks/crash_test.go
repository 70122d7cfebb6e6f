package leaks

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"tokensync.dev/tokensync/test/harness"
)

// TestACrashQuotesNoSecret has the Go runtime write down every goroutine while token requests of every grant wait for their answer.
func TestACrashQuotesNoSecret(t *testing.T) {
	t.Parallel()
	s := SetStage(t, "--zap-devel", "--zap-log-level=10")
	release := make(chan struct{})
	defer close(release)
	held := &Echo{instead: func(_ http.ResponseWriter, r *http.Request, _ sent) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}}
	for _, grant := range unattended() {
		s.Vendor.Strike(grant, held)
		s.Make(grant, grant)
	}
	for _, grant := range unattended() {
		harness.Eventually(t, func() string {
			if s.Vendor.Struck(grant) == 0 {
				return "no request of " + grant
			}
			return ""
		})
	}
	s.Manager.Signal(syscall.SIGQUIT)
	harness.Eventually(t, func() string {
		if !s.Manager.Ended() {
			return "the manager runs on"
		}
		return ""
	})
	if !strings.Contains(s.Manager.Log(), "goroutine ") {
		t.Error("no goroutine was written down")
	}
	s.reports(t)
}
