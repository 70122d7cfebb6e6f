//go:build load

package load

import (
	"fmt"
	"testing"
	"time"

	"tokensync.dev/tokensync/test/fleet"
)

const (
	delay = 50 * time.Millisecond // of the vendor
	space = "load"                // namespace of the OAuthTokens
	// inFlight is how many requests the operator makes to one endpoint at once.
	inFlight = 10
	workers  = 50 // of a manager, by default
)

func issued(s fleet.Served) bool { return s.AccessToken != "" }

// site is a control plane with OAuthTokens that were brought up.
type site struct {
	*fleet.Cluster

	vendor  *fleet.Vendor
	targets *fleet.Targets
	manager *fleet.Manager
	n       int
	goal    time.Duration // of a bring-up
}

// bringUp lets a manager find n OAuthTokens without a token, and measures how long it takes until all have one.
func bringUp(t *testing.T, r *Report, n int, lifetime time.Duration) *site {
	t.Helper()
	s := &site{Cluster: fleet.StartCluster(t), vendor: fleet.StartVendor(t, delay), n: n}
	s.Namespace(space)
	s.DeclareMany(space, s.vendor, 0, n, lifetime)
	s.targets = s.Follow(space)
	before := s.Asked()
	s.manager = s.RunManager(s.vendor)
	if !s.targets.Await(n, 10*time.Minute, issued) {
		t.Fatalf("%d of %d target Secrets hold a token after 10 minutes", s.targets.Count(issued), n)
	}
	took := time.Since(s.manager.Started)
	s.settle()
	asked, processor := s.Asked().Since(before), s.manager.ProcessorTime()
	if s.vendor.Asked() != n {
		t.Errorf("%d token requests for %d OAuthTokens", s.vendor.Asked(), n)
	}
	if most := s.vendor.MostInFlight(); most > inFlight {
		t.Errorf("%d requests in flight at once", most)
	}
	s.measureBare(t, r, took)
	s.judgeIssues(r, fmt.Sprintf("%d: ", n), asked, processor)
	return s
}

// judgeIssues judges what a bring-up has cost.
func (s *site) judgeIssues(r *Report, what string, asked fleet.Requests, processor time.Duration) {
	n := float64(s.n)
	r.Tell(what+"API requests for one issue", "%s", asked.Per(s.n))
	// The target and the status; and a trial of a target by each worker that begins before the first has proved that it can be made.
	r.Most(what+"writes for one issue (target, status)", float64(asked.Writes())/n, 2.02+workers/n, "")
	r.Most(what+"reads for one issue (that the target is absent)", float64(asked.Reads())/n, 1.01+12/n, "")
	r.Tell(what+"processor time for one issue", "%.1f ms", processor.Seconds()*1000/n)
}

// measureBare holds the time of a bring-up against what the API server and the vendor need at least.
func (s *site) measureBare(t *testing.T, r *Report, took time.Duration) {
	t.Helper()
	var writes time.Duration
	t.Run("bare writes", func(t *testing.T) { // on a control plane that ends with it
		bare := fleet.StartCluster(t)
		bare.Namespace(space)
		bare.DeclareMany(space, s.vendor, 0, s.n, time.Hour)
		writes = bareWrites(bare, space, s.n, take(s.Cluster, space))
	})
	vendor := delay * time.Duration(s.n) / inFlight
	r.Tell(fmt.Sprintf("%d: bare writes", s.n), "%.1f s", writes.Seconds())
	r.Tell(fmt.Sprintf("%d: least time by the vendor", s.n), "%.1f s", vendor.Seconds())
	s.goal = 3 * max(writes, vendor) / 2
	r.Timed(fmt.Sprintf("%d: until all target Secrets hold a token", s.n), took.Seconds(), s.goal.Seconds(), "s")
}

// settle waits until the API server is asked nothing more.
func (s *site) settle() {
	s.TB.Helper()
	last, since := s.Asked().All(), time.Now()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(500 * time.Millisecond) {
		if now := s.Asked().All(); now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) > 3*time.Second {
			return
		}
	}
	s.TB.Fatal("the API server is asked and asked")
}
