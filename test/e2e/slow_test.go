//go:build cluster

package e2e

import (
	"testing"
	"time"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
	"tokensync.dev/tokensync/test/e2e/actors"
)

// TestSlowKubelet lets applications call where the kubelet looks after mounted Secrets once a minute, as it does by default, with tokens
// that live for 300 s. They start at different moments between two looks. The kubelet of somebody else's cluster is taken as it is.
func TestSlowKubelet(t *testing.T) {
	beside(t)
	const unhasty = "unhasty"
	c := Open(t, "slow", 1, "SYNC_FREQUENCY=1m")
	c.DumpOnFailure()
	c.Load()
	c.Look()
	s := c.NewStage(actors.Play{Lifetime: time.Hour, Clients: []oauthtest.Client{Generic(unhasty, 300*time.Second)}})
	c.Namespace(team)
	overlay := s.Write(Overlay{Base: "config/default", Image: operatorImage()})
	s.Install(overlay)
	s.Afterwards(func() {
		s.Kubectl("-n", team, "delete", "oauthtokens", "--all", "--cascade=foreground", "--timeout="+patience.String())
		s.Kubectl("delete", "-k", overlay, "--timeout="+patience.String())
	})
	s.Declare(team, unhasty)
	s.AwaitToken(team, unhasty)
	var callers []*Caller
	for _, name := range []string{"first", "second", "third"} {
		callers = append(callers, s.Call(team, name, unhasty))
		time.Sleep(20 * time.Second)
	}
	callers = append(callers, s.Call(team, "keeper", unhasty, "--cache"))
	n := wanted(s, "E2E_SLOW_RENEWALS", 3)
	s.AwaitRenewals(n, time.Duration(n)*150*time.Second+patience, callers[:3]...)
	s.Accounts(callers...)
}
