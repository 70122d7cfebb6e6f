package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	testingclock "k8s.io/utils/clock/testing"
)

// newTestScreen is one of a terminal of that height; 0: of no terminal.
func newTestScreen(height int) (*screen, *strings.Builder) {
	var out strings.Builder
	clock := testingclock.NewFakeClock(noon)
	return &screen{out: &out, clock: clock, began: noon, size: func() (int, int, bool) { return 80, height, height > 0 }}, &out
}

func TestTheStoryStandsAboveTheLiveTable(t *testing.T) {
	s, out := newTestScreen(24)
	s.show([]string{"one", "two"})
	s.show([]string{"one", "two"}) // costs nothing
	s.done("well")
	s.show([]string{"three"})
	want := "one\ntwo\n" +
		"\x1b[2A\r\x1b[J" + "  ✓ well\n" + "one\ntwo\n" +
		"\x1b[2A\r\x1b[J" + "three\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

func TestTheLiveTableFitsTheTerminal(t *testing.T) {
	s, out := newTestScreen(4)
	s.show([]string{"one", "two", "three"})
	if diff := cmp.Diff("one\ntwo\n", out.String()); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

func TestALineThatTellsWhatGoesOnIsNeverBrokenByTheTerminal(t *testing.T) {
	s, out := newTestScreen(24)
	s.working(strings.Repeat("x", 100))
	if diff := cmp.Diff("  … "+strings.Repeat("x", 74)+"…\n", out.String()); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

func TestTheLastTableStays(t *testing.T) {
	s, out := newTestScreen(24)
	s.show([]string{"table"})
	s.settle()
	s.done("over")
	s.working("stopping")
	s.settle()
	s.done("stopped")
	want := "table\n" + "  ✓ over\n" + "  … stopping\n" + "\x1b[1A\r\x1b[J" + "  ✓ stopped\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

func TestChangesAreLinesWhereThereIsNoTerminal(t *testing.T) {
	s, out := newTestScreen(0)
	s.working("something")
	s.show([]string{"table"})
	s.change("api is Ready")
	s.done("well")
	if diff := cmp.Diff("      0.0 s  api is Ready\n  ✓ well\n", out.String()); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}
