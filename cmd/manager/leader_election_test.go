package main

import (
	"context"
	"encoding/json"
	"runtime"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	clocktesting "k8s.io/utils/clock/testing"
)

// paper is a lock's record, as somebody else writes it.
type paper struct {
	resourcelock.Interface

	record resourcelock.LeaderElectionRecord
}

func (p *paper) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	raw, err := json.Marshal(p.record)
	record := p.record
	return &record, raw, err
}

func (p *paper) Identity() string { return "self" }

func TestALeaseIsWatchedFromTheStart(t *testing.T) {
	hands := clocktesting.NewFakeClock(time.Now())
	held := &paper{record: resourcelock.LeaderElectionRecord{HolderIdentity: "other", LeaseDurationSeconds: 15, RenewTime: metav1.Now()}}
	lock := &watchedLock{Interface: held, clock: hands}
	for _, step := range []struct {
		about  string
		passes time.Duration
		renews bool
		holder string
	}{
		{about: "at the start its holder is taken to live, whatever its own times say", holder: "other"},
		{about: "until the lease is over", passes: 10 * time.Second, holder: "other"},
		{about: "then it is nobody's", passes: 5 * time.Second, holder: ""},
		{about: "and stays so", passes: time.Hour, holder: ""},
		{about: "until somebody renews it", renews: true, holder: "other"},
		{about: "each renewal counts from when it was seen", passes: 10 * time.Second, renews: true, holder: "other"},
		{about: "and not from the one before", passes: 10 * time.Second, holder: "other"},
		{about: "to its end", passes: 5 * time.Second, holder: ""},
	} {
		hands.SetTime(hands.Now().Add(step.passes))
		if step.renews {
			held.record.RenewTime = metav1.NewTime(held.record.RenewTime.Add(time.Second))
		}
		record, raw, err := lock.Get(t.Context())
		if err != nil || record.HolderIdentity != step.holder {
			t.Errorf("%s: the holder is %q, want %q (%v)", step.about, record.HolderIdentity, step.holder, err)
		}
		if _, before, _ := held.Get(t.Context()); (string(raw) == string(before)) != (step.holder != "") {
			t.Errorf("%s: an elector goes by the record's bytes, which must tell a holder from none", step.about)
		}
	}
}

func TestTheEndOfALeaseIsWaitedForWhereItIsNear(t *testing.T) {
	hands := clocktesting.NewFakeClock(time.Now())
	held := &paper{record: resourcelock.LeaderElectionRecord{HolderIdentity: "other", LeaseDurationSeconds: 15, RenewTime: metav1.Now()}}
	lock := &watchedLock{Interface: held, clock: hands}
	if _, _, err := lock.Get(t.Context()); err != nil {
		t.Fatal(err)
	}
	hands.Step(12 * time.Second)
	holder := make(chan string)
	look := func(ctx context.Context) {
		record, _, err := lock.Get(ctx)
		if err != nil {
			t.Error(err)
		}
		holder <- record.HolderIdentity
	}
	ctx, end := context.WithCancel(t.Context())
	go look(ctx)
	awaitWaiter(t, hands)
	end()
	if got := <-holder; got != "other" {
		t.Errorf("whoever is told to end meanwhile is told of holder %q", got)
	}
	go look(t.Context())
	awaitWaiter(t, hands)
	hands.Step(3 * time.Second)
	if got := <-holder; got != "" {
		t.Errorf("at the end of the lease its holder is %q", got)
	}
}

func TestALeaseThatWasReleasedIsNotWaitedFor(t *testing.T) {
	hands := clocktesting.NewFakeClock(time.Now())
	released := &paper{record: resourcelock.LeaderElectionRecord{LeaseDurationSeconds: 1, RenewTime: metav1.Now()}} // as client-go leaves it
	lock := &watchedLock{Interface: released, clock: hands}
	told := make(chan error)
	go func() {
		record, _, err := lock.Get(t.Context())
		if record.HolderIdentity != "" {
			t.Errorf("its holder is %q", record.HolderIdentity)
		}
		told <- err
	}()
	for !hands.HasWaiters() {
		select {
		case err := <-told:
			if err != nil {
				t.Error(err)
			}
			return
		default:
			runtime.Gosched()
		}
	}
	hands.Step(time.Second)
	t.Errorf("it is waited for (%v)", <-told)
}

func awaitWaiter(t *testing.T, hands *clocktesting.FakeClock) {
	t.Helper()
	for !hands.HasWaiters() {
		if t.Context().Err() != nil {
			t.Fatal("nobody waits")
		}
		runtime.Gosched()
	}
}
