package soak

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/test/fleet"
)

// span is a time in which something was so.
type span struct{ from, to time.Time }

// touches tells whether a span and another one have a moment in common.
func (s span) touches(from, to time.Time) bool { return !s.from.After(to) && !s.to.Before(from) }

// chaos ends, stops and replaces managers.
type chaos struct {
	cluster  *fleet.Cluster
	vendor   *fleet.Vendor
	dice     *rand.Rand
	managers []*fleet.Manager
	kills    []span // of the leader, by kill -9: only then may an answer that was received be lost
	alone    []span // nobody led
	counts   map[string]int

	mu   sync.Mutex
	away []span // new connections to the vendor were reset
}

func (c *chaos) start() { c.managers = append(c.managers, c.cluster.RunManager(c.vendor)) }

// run does something to a manager now and then, until the end.
func (c *chaos) run(end time.Time) {
	for time.Now().Before(end) {
		time.Sleep(time.Duration(10+c.dice.IntN(20)) * time.Second)
		i := c.dice.IntN(len(c.managers))
		before, began, killed := c.holder(), time.Now(), time.Time{}
		what := []string{"SIGTERM", "kill -9", "SIGSTOP for 25 s"}[c.dice.IntN(3)]
		c.counts[what]++
		switch victim := c.managers[i]; what {
		case "SIGTERM":
			victim.Stop()
			c.managers[i] = c.cluster.RunManager(c.vendor)
		case "kill -9":
			victim.Kill()
			killed = time.Now()
			c.managers[i] = c.cluster.RunManager(c.vendor)
		default:
			victim.Signal(syscall.SIGSTOP)
			time.Sleep(25 * time.Second) // longer than a lease
			victim.Signal(syscall.SIGCONT)
			time.Sleep(time.Second)
			if victim.Ended() { // it has seen that it leads no more
				c.managers[i] = c.cluster.RunManager(c.vendor)
			}
		}
		if led := c.awaitLeader(before, began); led && !killed.IsZero() {
			c.kills = append(c.kills, span{began, killed})
		}
	}
}

// slam shuts the vendor's door for 2 s now and then, until it is told to end. The dice are its own, since it runs beside all else.
func (c *chaos) slam(dice *rand.Rand, end <-chan struct{}) {
	for {
		select {
		case <-end:
			return
		case <-time.After(time.Duration(40+dice.IntN(40)) * time.Second):
		}
		from := time.Now()
		c.vendor.Shut(true)
		time.Sleep(2 * time.Second)
		c.vendor.Shut(false)
		c.mu.Lock()
		c.away = append(c.away, span{from, time.Now()})
		c.mu.Unlock()
	}
}

// shut are the times in which new connections to the vendor were reset.
func (c *chaos) shut() []span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.away)
}

// lease tells who leads, and until when.
func (c *chaos) lease() (holder string, until time.Time) {
	c.cluster.TB.Helper()
	lease := &coordinationv1.Lease{}
	if err := c.cluster.Get(context.Background(), client.ObjectKey{Namespace: fleet.System, Name: "tokensync-manager"}, lease); err != nil {
		c.cluster.TB.Fatal(err)
	}
	if lease.Spec.HolderIdentity == nil || lease.Spec.RenewTime == nil || lease.Spec.LeaseDurationSeconds == nil {
		return "", time.Time{}
	}
	return *lease.Spec.HolderIdentity, lease.Spec.RenewTime.Add(time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second)
}

func (c *chaos) holder() string {
	holder, _ := c.lease()
	return holder
}

// awaitLeader waits until somebody leads who renews the lease, notes for how long nobody may have, and tells whether it is another one.
func (c *chaos) awaitLeader(before string, began time.Time) (changed bool) {
	for {
		now, first := c.lease()
		time.Sleep(2500 * time.Millisecond) // more than the pause between two renewals of a lease
		again, second := c.lease()
		if now == "" || now != again || !second.After(first) {
			continue
		}
		if now != before {
			c.alone = append(c.alone, span{from: began, to: time.Now()})
		}
		return now != before
	}
}

// leader is the manager that says it leads.
func (c *chaos) leader() *fleet.Manager {
	for _, m := range c.managers {
		if m.Value("leader_election_master_status") > 0 {
			return m
		}
	}
	c.cluster.TB.Fatal("nobody leads")
	return nil
}
