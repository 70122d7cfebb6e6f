package faults_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
)

// TestALeaderThatWasStoppedSpendsNothingTwice stops the leading process at each request of a renewal, lets another one take the lease over, and
// then lets the first go on. What remains can't be made from outside: a process that is stopped between its last look at the deadline and the
// sending itself, for longer than the deadline and the minute after it (docs/security.md).
func TestALeaderThatWasStoppedSpendsNothingTwice(t *testing.T) {
	for k := 1; k <= 5; k++ {
		for _, forwarded := range []bool{false, true} {
			t.Run(fmt.Sprintf("request %d, forwarded=%t", k, forwarded), func(t *testing.T) {
				t.Parallel()
				stopAtStep(t, k, forwarded)
			})
		}
	}
}

func stopAtStep(t *testing.T, k int, forwarded bool) {
	t.Helper()
	w := harness.NewWorld(t, nil)
	first, second := w.Join(), w.Join().Elsewhere()
	first.Start()
	w.Create("api")
	w.Authorize("api")
	second.Start()
	w.Settle(first, second)
	served, kept, leader := w.Served("api"), w.Kept("api"), holder(w)
	stopped, goOn := make(chan struct{}), make(chan struct{})
	hold := func() error {
		first.Signal(syscall.SIGSTOP)
		close(stopped)
		<-goOn
		return nil
	}
	c := &counter{k: k, stroke: func() *harness.Stroke {
		if forwarded {
			return &harness.Stroke{After: hold}
		}
		return &harness.Stroke{Before: hold}
	}}
	first.API.Strike(c.rule)
	w.Vendor.Strike(c.rule)
	w.Renew("api", "now")
	<-stopped
	w.Vendor.Strike(nil)
	harness.Eventually(t, func() string {
		if holder(w) == leader {
			return "nobody takes the lease over"
		}
		return ""
	})
	w.Settle(second)
	close(goOn)
	first.Signal(syscall.SIGCONT)
	harness.Eventually(t, func() string {
		if !first.Ended() {
			return "the process that has lost its lease goes on"
		}
		return ""
	})
	harness.Eventually(t, func() string {
		token := w.Token("api")
		renewed := w.Served("api") != served && token.Status.LastHandledRenewRequest == "now"
		asked := harness.Has(token, v1alpha1.ConditionAuthorizationRequired, v1alpha1.ReasonRefreshInterrupted)
		if renewed || asked {
			return ""
		}
		return fmt.Sprintf("neither renewed nor interrupted after %s: %+v", c.struck(), token.Status.Conditions)
	})
	t.Logf("stopped at %s", c.struck())
	judgeEnd(w, "api", served, kept, c.struck())
	if reused := w.Judge.Reused(); reused != 0 {
		t.Errorf("stopped at %s: a spent refresh token was sent %d times", c.struck(), reused)
	}
}

// holder is who leads.
func holder(w *harness.World) string {
	lease := &coordinationv1.Lease{}
	key := client.ObjectKey{Namespace: w.Namespace, Name: "tokensync-manager"}
	if err := w.Client.Get(context.Background(), key, lease); err != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}
