package faults_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
	"tokensync.dev/tokensync/test/judge"
)

// TestALeaderThatWasStoppedSpendsNothingTwice stops the leading process at each request of a renewal, lets another one take the lease over, and
// then lets the first go on.
func TestALeaderThatWasStoppedSpendsNothingTwice(t *testing.T) {
	for i, step := range renewal() {
		for _, forwarded := range []bool{false, true} {
			t.Run(fmt.Sprintf("request %d (%s), forwarded=%t", i+1, step, forwarded), func(t *testing.T) {
				t.Parallel()
				stopAtStep(t, i+1, step, forwarded)
			})
		}
	}
}

func stopAtStep(t *testing.T, k int, step string, forwarded bool) {
	t.Helper()
	w := harness.NewWorld(t, nil)
	first, second := w.Join(), w.Join().Elsewhere()
	first.Start()
	w.Create("orders")
	w.Authorize("orders")
	second.Start()
	w.Settle(first, second)
	served, kept, leader := w.Served("orders"), w.Kept("orders"), holder(w)
	c, stopped, goOn := stopping(first, "orders", k, forwarded)
	first.API.Strike(c.rule)
	w.Vendor.Strike(c.rule)
	w.Renew("orders", "now")
	harness.Eventually(t, stopped)
	if c.struck() != step {
		t.Fatalf("request %d is %s, want %s", k, c.struck(), step)
	}
	w.Vendor.Strike(nil)
	harness.Eventually(t, func() string {
		if holder(w) == leader {
			return "nobody takes the lease over"
		}
		return ""
	})
	w.Settle(second)
	goOn()
	harness.Eventually(t, func() string {
		if !first.Ended() {
			return "the process that has lost its lease goes on"
		}
		return ""
	})
	harness.Eventually(t, func() string {
		token := w.Token("orders")
		renewed := w.Served("orders") != served && token.Status.LastHandledRenewRequest == "now"
		if renewed || interrupted(token) {
			return ""
		}
		return fmt.Sprintf("neither renewed nor interrupted after %s: %+v", step, token.Status.Conditions)
	})
	judgeEnd(w, "orders", served, kept, step)
	if reused := w.Judge.Reused(); reused != 0 {
		t.Errorf("stopped at %s: a spent refresh token was sent %d times", step, reused)
	}
}

// stopping stops a manager at the k-th request. stopped says "" once that is so; goOn lets the request go its way, and the manager on.
func stopping(m *harness.Member, name string, k int, forwarded bool) (c *counter, stopped func() string, goOn func()) {
	stands, released := make(chan struct{}), make(chan struct{})
	hold := func() error {
		m.Signal(syscall.SIGSTOP)
		close(stands)
		<-released
		return nil
	}
	c = &counter{name: name, k: k, stroke: func() *harness.Stroke {
		if forwarded {
			return &harness.Stroke{After: hold}
		}
		return &harness.Stroke{Before: hold}
	}}
	stopped = func() string {
		select {
		case <-stands:
			return ""
		default:
			return fmt.Sprintf("there is no request %d", k)
		}
	}
	return c, stopped, func() {
		close(released)
		m.Signal(syscall.SIGCONT)
	}
}

// short is the life of access tokens that end before a refresh token may be tried again.
const short = time.Minute

// stopForLong stops a manager at a request of its renewal until another one has waited for the deadline and the minute after it, and has
// spent the refresh token. Then the first goes on.
func stopForLong(t *testing.T, k int, forwarded bool, flags ...string) *harness.World {
	t.Helper()
	w := harness.NewWorld(t, []judge.Option{judge.WithLife(short)}, flags...)
	first, second := w.Join(), w.Join().Elsewhere()
	first.Start()
	w.Create("orders")
	w.Authorize("orders")
	w.Settle(first)
	kept := w.Kept("orders")
	c, stopped, goOn := stopping(first, "orders", k, forwarded)
	first.API.Strike(c.rule)
	w.Vendor.Strike(c.rule)
	w.Renew("orders", "now")
	harness.Eventually(t, stopped)
	began := time.Now()
	w.Vendor.Strike(nil)
	second.Start()
	harness.Eventually(t, func() string {
		if now := w.Kept("orders"); now == kept || !w.Judge.Refreshes(now) || w.Judge.Refreshes(kept) {
			return "the other manager does not spend the refresh token"
		}
		return ""
	})
	if waited := time.Since(began); waited < time.Minute {
		t.Errorf("the other manager spent the refresh token after %s, before a minute after the deadline", waited)
	}
	goOn()
	return w
}

// TestWhoWasStoppedForLongSendsNothing stops a manager after it has written that it is about to spend the refresh token, until another one has
// spent it. Without leases nothing keeps the first from going on but the deadline.
func TestWhoWasStoppedForLongSendsNothing(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"the lease is lost": nil, "no leases": {"--leader-elect=false"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := stopForLong(t, 1, true, flags...)
			granted := w.Judge.Granted("refresh_token")
			harness.Eventually(t, func() string { // somebody renews the token when its time has come, with what the first has left
				if w.Judge.Granted("refresh_token") == granted && w.Judge.Reused() == 0 {
					return "nobody renews the token any more"
				}
				return ""
			})
			if reused := w.Judge.Reused(); reused != 0 {
				t.Fatalf("a spent refresh token was sent %d times", reused)
			}
			harness.Eventually(t, func() string {
				token := w.Token("orders")
				if !harness.Has(token, v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued) || !w.Judge.Refreshes(w.Kept("orders")) {
					return fmt.Sprintf("the token is not served: %+v", token.Status.Conditions)
				}
				return ""
			})
		})
	}
}

// TestTheWindowThatRemains shows what can't be kept from happening (docs/security.md): a request that was sent in time, by a process or over a
// network that then stands still for longer than the deadline and the minute after it, comes to the vendor after another process had to take
// it for lost. To stop a process between its last look at the deadline and the sending would look the same to the vendor, but can't be aimed
// at from outside. A vendor that detects reuse ends the grant, and a person is asked.
func TestTheWindowThatRemains(t *testing.T) {
	t.Parallel()
	w := stopForLong(t, 2, false, "--leader-elect=false")
	harness.Eventually(t, func() string {
		if w.Judge.Reused() == 0 {
			return "the late request did not come"
		}
		return ""
	})
	if w.Judge.Alive(w.Kept("orders")) {
		t.Error("the grant outlives a reuse: this judge would let anything pass")
	}
	harness.Eventually(t, func() string {
		token := w.Token("orders")
		if !meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionAuthorizationRequired) || token.Status.Authorization == nil || token.Status.Authorization.URL == "" {
			return fmt.Sprintf("nobody is asked: %+v", token.Status.Conditions)
		}
		return ""
	})
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
