//go:build load

package load

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"tokensync.dev/tokensync/test/fleet"
)

// storms make all OAuthTokens due at once, twice: while the vendor is away (0: it is not), and while the manager is. Both times the vendor then
// takes no more than so many requests a second.
func storms(t *testing.T, r *Report, n int, outage time.Duration) {
	t.Helper()
	const limit = 100
	span := 20*time.Second + time.Duration(n)*24*time.Millisecond
	s := &site{Cluster: fleet.StartCluster(t), vendor: fleet.StartVendor(t, delay), n: n}
	s.Namespace(space)
	s.DeclareMany(space, s.vendor, 0, n, 2*span)
	s.targets = s.Follow(space)
	s.manager = s.RunManager(s.vendor)
	if !s.targets.Await(n, 10*time.Minute, issued) {
		t.Fatal("no bring-up")
	}
	if outage > 0 {
		s.vendorAway(t, r, outage, limit)
	} else {
		s.vendor.Limit(limit)
	}
	s.manager.Stop()
	time.Sleep(2 * span)
	s.manager = s.RunManager(s.vendor)
	s.recover(t, r, fmt.Sprintf("storm of %d, the manager back after %s: ", n, 2*span), true)
}

// vendorAway lets the vendor be away for longer than tokens live.
func (s *site) vendorAway(t *testing.T, r *Report, outage time.Duration, limit int) {
	t.Helper()
	s.vendor.MostInFlight()
	s.vendor.Away(true)
	from := s.vendor.Asked()
	time.Sleep(outage)
	r.Tell(fmt.Sprintf("storm of %d: requests to a vendor that is away for %s", s.n, outage), "%d", s.vendor.Asked()-from)
	s.vendor.Limit(limit)
	s.vendor.Away(false)
	s.recover(t, r, fmt.Sprintf("storm of %d, the vendor back after %s: ", s.n, outage), false)
}

func (s *site) recover(t *testing.T, r *Report, what string, ordered bool) {
	t.Helper()
	back, from, before := time.Now(), s.vendor.Asked(), s.targets.All()
	fresh := func(served fleet.Served) bool { return served.ExpiresAt.After(time.Now().Add(5 * time.Second)) }
	if !s.targets.Await(s.n, 20*time.Minute, fresh) {
		t.Fatalf("%sonly %d of %d have a good token again", what, s.targets.Count(fresh), s.n)
	}
	arrivals := s.vendor.Arrivals(from)
	refused := 0
	var order []fleet.Arrival
	for _, a := range arrivals {
		switch a.Status {
		case http.StatusTooManyRequests:
			refused++
		case http.StatusOK:
			order = append(order, a)
		}
	}
	if len(order) == 0 {
		t.Fatalf("%snobody needed a token: the outage was shorter than the tokens' lives", what)
	}
	r.Tell(what+"until all are good", "%.0f s", time.Since(back).Seconds())
	r.Tell(what+"requests in the second with most", "%d of %d", busiestSecond(arrivals), len(arrivals))
	r.Most(what+"most requests in flight", float64(s.vendor.MostInFlight()), inFlight, "")
	r.Most(what+"answers 429 for each success", float64(refused)/float64(len(order)), 0.2, "")
	if ordered {
		r.Most(what+"pairs in the wrong order of urgency", 100*disorder(order, before), 10, "%")
	}
}

// busiestSecond is how many requests came in the second in which most came.
func busiestSecond(arrivals []fleet.Arrival) int {
	most, bySecond := 0, map[int64]int{}
	for _, a := range arrivals {
		second := a.At.Unix()
		bySecond[second]++
		most = max(most, bySecond[second])
	}
	return most
}

// disorder is the share of neighbours at some distance of which the one whose token ended later was served first.
func disorder(order []fleet.Arrival, before map[string]fleet.Served) float64 {
	order = slices.DeleteFunc(slices.Clone(order), func(a fleet.Arrival) bool { return before[a.ID].ExpiresAt.IsZero() })
	distance := max(1, len(order)/10)
	wrong, pairs := 0, 0
	for i := distance; i < len(order); i++ {
		pairs++
		if cmp.Compare(before[order[i].ID].ExpiresAt.Unix(), before[order[i-distance].ID].ExpiresAt.Unix()) < 0 {
			wrong++
		}
	}
	return float64(wrong) / float64(max(pairs, 1))
}
