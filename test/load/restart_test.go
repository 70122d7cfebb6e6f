//go:build load

package load

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/test/harness"
)

// leaseLength is how long a killed leader's lease lasts (controller-runtime's default).
const leaseLength = 15 * time.Second

// restarts ends the manager in both ways, and measures how long it takes until another one is in charge: until an OAuthToken that was made
// after the end has its token.
func restarts(t *testing.T, r *Report, s *site) {
	t.Helper()
	s.manager.Stop()
	s.restart(t, r, "clean stop", 5*time.Second, s.n)
	s.manager.Kill()
	s.restart(t, r, "kill -9", 5*time.Second+leaseLength, s.n+1)
}

func (s *site) restart(t *testing.T, r *Report, how string, limit time.Duration, newcomer int) {
	t.Helper()
	requests, asked := s.vendor.Asked(), s.Asked()
	ended := time.Now()
	if err := s.Declare(context.Background(), space, s.vendor, newcomer, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	s.manager = s.RunManager(s.vendor)
	if !s.targets.Await(newcomer+1, 2*time.Minute, issued) {
		t.Fatalf("%s: the new manager serves nobody", how)
	}
	took := time.Since(ended)
	s.settle()
	more := s.Asked().Since(asked)
	what := fmt.Sprintf("%d: restart after %s: ", s.n, how)
	r.Timed(what+"until in charge", took.Seconds(), limit.Seconds(), "s")
	r.Most(what+"token requests, beside that of a new OAuthToken", float64(s.vendor.Asked()-requests-1), 0, "")
	// The new OAuthToken: its own creation and its client's, the trial, the target, the status, and the harness's reading of metrics.
	r.Most(what+"writes, beside those for it", float64(more.Writes()-5), 0, "")
	r.Most(what+"reads", float64(more.Reads()), 12, "")
	r.Tell(what+"API requests", "%s", more)
}

// unrelated is how much more memory a manager needs where there are many Secrets that do not concern it, and how long it takes there to bring up as
// many OAuthTokens as without them.
func unrelated(t *testing.T, r *Report, s *site, rest time.Duration, secrets, large int) {
	t.Helper()
	s.manager.Stop()
	s.manager = s.RunManager(s.vendor)
	s.settle()
	before := s.manager.Settled(rest)
	s.Namespace("others")
	megabyte := make([]byte, 1<<20-1<<10)
	s.Each(0, secrets, func(ctx context.Context, i int) error {
		data := map[string][]byte{"value": []byte("unrelated")}
		if i < large {
			data["value"] = megabyte
		}
		return s.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "others", Name: fmt.Sprintf("other-%d", i)}, Data: data})
	})
	s.manager.Stop()
	s.manager = s.RunManager(s.vendor)
	s.settle()
	after := s.manager.Settled(rest)
	r.Timed(fmt.Sprintf("%d: more memory of its own with %d unrelated Secrets, %d of 1 MiB", s.n, secrets, large), after.Own-before.Own, 8, "MiB")
	s.bringUpAnew(t, r, fmt.Sprintf("%d: among %d unrelated Secrets: ", s.n, secrets))
}

// bringUpAnew lets a manager find n other OAuthTokens without a token, where those that were served so far are gone.
func (s *site) bringUpAnew(t *testing.T, r *Report, what string) {
	t.Helper()
	s.manager.Stop()
	served := s.targets.Count(issued)
	s.RemoveMany(space, 0, served)
	harness.Eventually(t, func() string {
		if left := s.targets.Count(issued); left > 0 {
			return fmt.Sprintf("%d targets are left", left)
		}
		return ""
	})
	s.DeclareMany(space, s.vendor, served, served+s.n, 24*time.Hour)
	before := s.Asked()
	s.manager = s.RunManager(s.vendor)
	if !s.targets.Await(s.n, 10*time.Minute, issued) {
		t.Fatalf("%s%d of %d target Secrets hold a token after 10 minutes", what, s.targets.Count(issued), s.n)
	}
	took := time.Since(s.manager.Started)
	s.settle()
	r.Timed(what+"until all target Secrets hold a token", took.Seconds(), s.goal.Seconds(), "s")
	s.judgeIssues(r, what, s.Asked().Since(before), s.manager.ProcessorTime())
}
