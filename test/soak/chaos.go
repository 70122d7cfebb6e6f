package soak

import (
	"context"
	"math/rand/v2"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/test/fleet"
)

// span is a time in which nobody led.
type span struct{ from, to time.Time }

// chaos ends, stops and replaces managers.
type chaos struct {
	cluster  *fleet.Cluster
	vendor   *fleet.Vendor
	dice     *rand.Rand
	managers []*fleet.Manager
	kills    []time.Time // by kill -9: only then may an answer that was received be lost
	alone    []span
	counts   map[string]int
}

func (c *chaos) start() { c.managers = append(c.managers, c.cluster.RunManager(c.vendor)) }

// run does something to a manager now and then, until the end.
func (c *chaos) run(end time.Time) {
	for time.Now().Before(end) {
		time.Sleep(time.Duration(10+c.dice.IntN(20)) * time.Second)
		i := c.dice.IntN(len(c.managers))
		before, began := c.holder(), time.Now()
		what := []string{"SIGTERM", "kill -9", "SIGSTOP for 25 s"}[c.dice.IntN(3)]
		c.counts[what]++
		switch victim := c.managers[i]; what {
		case "SIGTERM":
			victim.Stop()
			c.managers[i] = c.cluster.RunManager(c.vendor)
		case "kill -9":
			c.kills = append(c.kills, began)
			victim.Kill()
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
		c.awaitLeader(before, began)
	}
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

// awaitLeader waits until somebody leads who renews the lease, and notes for how long nobody may have.
func (c *chaos) awaitLeader(before string, began time.Time) {
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
		return
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
