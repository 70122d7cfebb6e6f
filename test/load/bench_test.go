//go:build load

package load

import (
	"cmp"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"tokensync.dev/tokensync/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

func TestWhatItCosts(t *testing.T) {
	r := &Report{Strict: os.Getenv("BENCH_BOUNDED") == ""}
	rest := 3 * time.Minute // how long memory may take to settle: at rest, Go's runtime collects every two minutes
	if !r.Strict {
		rest = 5 * time.Second
	}
	outage, err := time.ParseDuration(cmp.Or(os.Getenv("BENCH_OUTAGE"), "1h"))
	if err != nil {
		t.Fatalf("BENCH_OUTAGE: %v", err)
	}
	var sizes []int
	for text := range strings.SplitSeq(cmp.Or(os.Getenv("BENCH_SIZES"), "1000,10000"), ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("BENCH_SIZES: %v", err)
		}
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		t.Run(fmt.Sprintf("%d OAuthTokens", n), func(t *testing.T) {
			s := bringUp(t, r, n, 24*time.Hour)
			memory(r, s, rest)
			restarts(t, r, s)
			unrelated(t, r, s, rest/3, 3*sizes[len(sizes)-1], 3*sizes[len(sizes)-1]/100)
		})
	}
	t.Run("renewals", func(t *testing.T) { renewals(t, r, sizes[0]) })
	if outage >= 0 {
		t.Run("storms", func(t *testing.T) { storms(t, r, sizes[len(sizes)-1], outage) })
	}
	r.Close(t, os.Getenv("BENCH_REPORT"))
}

// mostMemory is what a manager may hold once it has settled, in MiB.
func mostMemory(n int) float64 {
	if n <= 1000 {
		return 64
	}
	return 64 + (200-64)*float64(n-1000)/9000
}

func memory(r *Report, s *site, rest time.Duration) {
	held := s.manager.Settled(rest)
	r.Tell(fmt.Sprintf("%d: memory", s.n), "%s", held)
	r.Timed(fmt.Sprintf("%d: memory, settled", s.n), held.Resident, mostMemory(s.n), "MiB")
}
