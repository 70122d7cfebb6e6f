//go:build load

package load

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"tokensync.dev/tokensync/test/fleet"
	"tokensync.dev/tokensync/test/harness"
)

// renewals lets OAuthTokens come at ten a second and live so long that ten are due a second once all have come and their writes are done,
// while a tenth of the vendor's answers are failures.
func renewals(t *testing.T, r *Report, n int) {
	t.Helper()
	const perSecond = 10
	span := time.Duration(n) * time.Second / perSecond
	s := &site{Cluster: fleet.StartCluster(t), vendor: fleet.StartVendor(t, delay), n: n}
	s.Namespace(space)
	s.targets = s.Follow(space)
	s.manager = s.RunManager(s.vendor)
	for i := range n { // at an even pace
		next := time.Now().Add(time.Second / perSecond)
		s.DeclareMany(space, s.vendor, i, i+1, 2*span+2*span/5)
		time.Sleep(time.Until(next))
	}
	harness.Eventually(t, func() string { // what is counted below begins with no request under way
		if issued := len(s.Due(space)); issued < n {
			return fmt.Sprintf("%d of %d are issued", issued, n)
		}
		return ""
	})
	s.vendor.FailOften(0.1)
	due := dues{}
	from, asked, processor := s.vendor.Asked(), s.Asked(), s.manager.ProcessorTime()
	lists := 0 // our own
	for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(time.Second) {
		due.note(s)
		lists++
	}
	arrivals, more, spent := s.vendor.Arrivals(from), s.Asked().Since(asked), s.manager.ProcessorTime()-processor
	renewed, late := due.lateness(arrivals)
	if renewed < n/2 || len(late) == 0 {
		t.Fatalf("only %d renewals of %d", renewed, n)
	}
	what := fmt.Sprintf("renewals of %d at %d a second, a tenth of the answers failing: ", n, perSecond)
	r.Tell(what+"lateness", "median %.2f s, p99 %.2f s, most %.2f s", quantile(late, 0.5), quantile(late, 0.99), quantile(late, 1))
	r.Timed(what+"lateness, p99", quantile(late, 0.99), 0.5, "s")
	r.Timed(what+"processor time for one", spent.Seconds()*1000/float64(renewed), 3, "ms")
	r.Tell(what+"API requests for one", "%s", more.Per(renewed))
	// A failed attempt writes status once more; some renewals are under way at the end.
	failed := len(arrivals) - renewed
	r.Most(what+"writes for one, beside one status for each of the failures", float64(more.Writes()-failed)/float64(renewed), 2.02, "")
	r.Most(what+"reads for one", float64(more.Reads()-lists)/float64(renewed), 0.01, "")
}

// dues are the times at which tokens are to be renewed, by name and issue.
type dues map[string]map[int64]time.Time

func (d dues) note(s *site) {
	for name, due := range s.Due(space) {
		if d[name] == nil {
			d[name] = map[int64]time.Time{}
		}
		d[name][due.Unix()] = due
	}
}

// lateness is, for each success whose first attempt it was, how long after it was due the vendor was asked.
func (d dues) lateness(arrivals []fleet.Arrival) (renewed int, late []float64) {
	failed := map[string]bool{}
	for _, a := range arrivals {
		if a.Status != http.StatusOK {
			failed[a.ID] = true
			continue
		}
		renewed++
		if failed[a.ID] {
			failed[a.ID] = false
			continue
		}
		var last time.Time
		for _, due := range d[a.ID] {
			if !due.After(a.At) && due.After(last) {
				last = due
			}
		}
		if !last.IsZero() {
			late = append(late, a.At.Sub(last).Seconds())
		}
	}
	return renewed, late
}

func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
