package main

import (
	"context"
	"encoding/json"
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

func TestALeaseIsWatchedFromTheStart(t *testing.T) {
	hands := clocktesting.NewFakePassiveClock(time.Now())
	held := &paper{record: resourcelock.LeaderElectionRecord{HolderIdentity: "other", LeaseDurationSeconds: 15, RenewTime: metav1.Now()}}
	lock := &watchedLock{Interface: held, clock: hands}
	for _, step := range []struct {
		about  string
		passes time.Duration
		renews bool
		holder string
	}{
		{about: "at the start its holder is taken to live, whatever its own times say", holder: "other"},
		{about: "until the lease is over", passes: 15 * time.Second, holder: "other"},
		{about: "then it is nobody's", passes: time.Second, holder: ""},
		{about: "and stays so", passes: time.Hour, holder: ""},
		{about: "until somebody renews it", renews: true, holder: "other"},
		{about: "each renewal counts from when it was seen", passes: 10 * time.Second, renews: true, holder: "other"},
		{about: "and not from the one before", passes: 15 * time.Second, holder: "other"},
		{about: "to its end", passes: time.Second, holder: ""},
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
