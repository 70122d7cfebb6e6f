package gitops_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// passing tells whether a state is one that a new commit or object passes through until it is observed.
func passing(state string) bool {
	for part := range strings.FieldsSeq(state) {
		if part == "OutOfSync" || part == "Missing" || part == "Progressing" || part == "Unknown" {
			return true
		}
	}
	return strings.TrimSpace(state) == "" || len(strings.Fields(state)) < 2
}

// expectSteady wants one state and no other, once it was reached.
func expectSteady(t *testing.T, what string, seen []string, want string) {
	t.Helper()
	first := slices.IndexFunc(seen, func(state string) bool { return !passing(state) })
	if diff := cmp.Diff([]string{want}, seen[max(first, 0):]); diff != "" {
		t.Errorf("%s: it flaps (-want +got):\n%s", what, diff)
	}
}

// expectPath wants states one after the other, and between them no more than what so many changes pass through.
func expectPath(t *testing.T, what string, seen []string, changes int, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, slices.Compact(slices.DeleteFunc(slices.Clone(seen), passing))); diff != "" {
		t.Errorf("%s (-want +got), of all: %q\n%s", what, seen, diff)
	}
	if flap := flap(seen, changes); flap != "" {
		t.Errorf("%s: %s, of all: %q", what, flap, seen)
	}
}

// flap tells what is wrong with the states between those that last; "": nothing. A change is passed through once, by each state on the way once.
// What the states begin with belongs to what was before.
func flap(seen []string, changes int) string {
	first := slices.IndexFunc(seen, func(state string) bool { return !passing(state) })
	passages, way := 0, map[string]bool{}
	for _, state := range seen[max(first, 0):] {
		switch {
		case !passing(state):
			clear(way)
			continue
		case way[state]:
			return fmt.Sprintf("it passes through %q twice on one way", state)
		case len(way) == 0:
			passages++
		}
		way[state] = true
	}
	if passages > changes {
		return fmt.Sprintf("it leaves what lasts %d times for %d changes", passages, changes)
	}
	return ""
}

func TestAFlapIsSeenBetweenTheStatesThatLast(t *testing.T) {
	const (
		healthy, suspended = "Synced Healthy", "Synced Suspended"
		behind, observed   = "OutOfSync Healthy", "Synced Progressing"
	)
	for about, c := range map[string]struct {
		seen    []string
		changes int
		flaps   bool
	}{
		"nothing happens":                   {[]string{healthy}, 0, false},
		"a change that is seen at once":     {[]string{healthy, suspended}, 1, false},
		"a change and its way":              {[]string{healthy, behind, observed, suspended}, 1, false},
		"the way of what was before":        {[]string{observed, healthy, behind, suspended}, 1, false},
		"back and forth on the way":         {[]string{healthy, behind, observed, behind, suspended}, 1, true},
		"a second way":                      {[]string{healthy, behind, suspended, observed, suspended}, 1, true},
		"two changes, each with its way":    {[]string{healthy, behind, suspended, observed, healthy}, 2, false},
		"a way although nothing is changed": {[]string{healthy, observed, healthy}, 0, true},
	} {
		if got := flap(c.seen, c.changes); (got != "") != c.flaps {
			t.Errorf("%s: %q", about, got)
		}
	}
}
