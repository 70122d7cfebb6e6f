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
	r := &Report{}
	for text := range strings.SplitSeq(cmp.Or(os.Getenv("BENCH_SIZES"), "1000,10000"), ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("BENCH_SIZES: %v", err)
		}
		t.Run(fmt.Sprintf("%d OAuthTokens", n), func(t *testing.T) {
			s := bringUp(t, r, n, 24*time.Hour)
			memory(r, s)
		})
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

func memory(r *Report, s *site) {
	held := s.manager.Settled(time.Minute)
	r.Tell(fmt.Sprintf("%d: memory", s.n), "%s", held)
	r.Tell(fmt.Sprintf("%d: heap", s.n), "%.0f MiB in use, %.0f MiB idle, next GC %.0f", s.manager.Value("go_memstats_heap_inuse_bytes")/(1<<20),
		(s.manager.Value("go_memstats_heap_idle_bytes")-s.manager.Value("go_memstats_heap_released_bytes"))/(1<<20), s.manager.Value("go_memstats_next_gc_bytes")/(1<<20))
	r.Most(fmt.Sprintf("%d: memory, settled", s.n), held.Resident, mostMemory(s.n), "MiB")
}
