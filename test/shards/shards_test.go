// Package shards_test runs several managers side by side, each in charge of some namespaces, with a lease and a hash key of its own; and one
// manager over namespaces whose OAuthTokens have the same names.
package shards_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tokensync.dev/tokensync/test/fleet"
	"tokensync.dev/tokensync/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// each is how many OAuthTokens a namespace has.
const each = 40

func issued(s fleet.Served) bool { return s.AccessToken != "" }

// site is a control plane whose namespaces have OAuthTokens of the same names.
func site(t *testing.T, lifetime time.Duration, namespaces ...string) (*fleet.Cluster, *fleet.Vendor, *fleet.Targets) {
	t.Helper()
	c, v := fleet.StartCluster(t), fleet.StartVendor(t, 20*time.Millisecond)
	for _, namespace := range namespaces {
		c.Namespace(namespace)
		c.DeclareMany(namespace, v, 0, each, lifetime)
	}
	return c, v, c.Follow("")
}

// isolated complains of every token that is not its Secret's.
func isolated(t *testing.T, v *fleet.Vendor, targets *fleet.Targets) {
	t.Helper()
	for id, served := range targets.All() {
		if _, owner := v.OwnerOf(served.AccessToken); owner != id {
			t.Errorf("%s holds a token of %q", id, owner)
		}
	}
}

func TestEveryObjectIsServedOnceAndNoneIsOrphanedWhenANamespaceMoves(t *testing.T) {
	c, v, targets := site(t, time.Minute, "orders", "claims", "billing")
	managers := map[string]*fleet.Manager{}
	run := func(name string, namespaces ...string) {
		managers[name] = c.RunManagerIn(name, v, "--namespaces="+strings.Join(namespaces, ","))
	}
	for _, name := range []string{"tokensync-a", "tokensync-b", "tokensync-c"} {
		c.Namespace(name)
	}
	run("tokensync-a", "orders")
	run("tokensync-b", "claims")
	run("tokensync-c", "billing")
	if !targets.Await(3*each, harness.Patience, issued) {
		t.Fatalf("%d of %d are served", targets.Count(issued), 3*each)
	}
	if v.Asked() != 3*each {
		t.Errorf("%d token requests for %d OAuthTokens", v.Asked(), 3*each)
	}
	isolated(t, v, targets)

	asked := v.Asked()
	managers["tokensync-c"].Stop() // billing moves from c to a
	managers["tokensync-a"].Stop()
	run("tokensync-a", "orders", "billing")
	moved := time.Now()
	if !targets.Await(3*each, harness.Patience, func(s fleet.Served) bool { return s.IssuedAt.After(moved) }) {
		t.Fatalf("only %d of %d were renewed after a namespace moved", targets.Count(func(s fleet.Served) bool { return s.IssuedAt.After(moved) }), 3*each)
	}
	for _, r := range targets.Replaced() {
		if r.At.Sub(r.Token.IssuedAt) < 20*time.Second { // due after half a minute, less the jitter
			t.Errorf("%s was renewed when %s old: the move has cost a request", r.ID, r.At.Sub(r.Token.IssuedAt).Round(time.Second))
		}
		if r.At.After(r.Token.ExpiresAt) {
			t.Errorf("%s was renewed after the token's end", r.ID)
		}
	}
	if requests, renewals := v.Asked()-asked, len(targets.Replaced()); requests < renewals || requests > renewals+5 { // some under way
		t.Errorf("%d token requests for %d renewals", requests, renewals)
	}
	isolated(t, v, targets)
}

// soonest is how soon after a request for a token of 24 s the next one is to come: due after 12 s, less the jitter, a second that rounding hides,
// and one for the way. A needless one comes sooner, after the 6 s or so that the manager keeps requests apart.
const soonest = 8 * time.Second

func TestEqualNamesInTwoNamespacesShareNothing(t *testing.T) {
	for _, workers := range []int{10, 50} {
		t.Run(fmt.Sprintf("%d workers", workers), func(t *testing.T) {
			c, v, targets := site(t, 24*time.Second, "orders", "claims")
			c.RunManager(v, fmt.Sprintf("--max-concurrent-reconciles=%d", workers))
			renewed := func() int { return len(targets.Replaced()) }
			harness.Eventually(t, func() string {
				if n := renewed(); n < 4*each {
					return fmt.Sprintf("%d renewals", n)
				}
				return ""
			})
			isolated(t, v, targets)
			for _, r := range targets.Replaced() {
				if _, owner := v.OwnerOf(r.Token.AccessToken); owner != r.ID {
					t.Errorf("%s held a token of %q", r.ID, owner)
				}
			}
			arrivals := v.Arrivals(0)
			if surplus := len(arrivals) - 2*each - renewed(); surplus > 5 { // some under way
				t.Errorf("%d token requests have brought neither a first token nor a renewal", surplus)
			}
			last := map[string]time.Time{}
			for _, a := range arrivals {
				if before := last[a.ID]; !before.IsZero() && a.At.Sub(before) < soonest {
					t.Errorf("%s was asked for twice within %s", a.ID, a.At.Sub(before))
				}
				last[a.ID] = a.At
			}
		})
	}
}
