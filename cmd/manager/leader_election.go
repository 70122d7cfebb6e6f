package main

import (
	"bytes"
	"context"
	"os"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/recorder"
)

const (
	// leaseName is the Lease by which replicas agree on who leads.
	leaseName = "tokensync-manager"
	// leaseTimeout bounds a request for the Lease: half of the ten seconds in which a leader must renew it.
	leaseTimeout = 5 * time.Second
	// lookPause is the longest time between two looks of an elector that waits: two seconds, and up to 1.2 times as much on top.
	lookPause = 4400 * time.Millisecond
)

// watchedLock is a lock whose holder is watched from the start of the process on. An elector that begins only when the cache is filled would
// wait for a whole lease from then, although the holder may have died long before. As an elector does, it goes by this process's own clock
// alone: a record that has not changed for the length of its lease is nobody's. Who takes it writes on the version that was read, so that a
// holder who comes back in between keeps it.
type watchedLock struct {
	resourcelock.Interface

	lease *resourcelock.LeaseLock // the same
	clock clock.Clock

	mu    sync.Mutex
	last  []byte // the record as it was read last
	since time.Time
}

// Get reads the record. It has no holder where that one's lease is over. Where it is about to be, Get waits for that and reads once more: the
// elector's next look would be seconds later.
func (l *watchedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, left, err := l.look(ctx)
	held := err == nil && record.HolderIdentity != "" && record.HolderIdentity != l.Identity()
	if held && left > 0 && left < lookPause {
		select {
		case <-l.clock.After(left):
			record, raw, _, err = l.look(ctx)
		case <-ctx.Done():
		}
	}
	return record, raw, err
}

// look reads the record, and tells how much is left of its lease; not more than nothing: it has no holder.
func (l *watchedLock) look(ctx context.Context) (record *resourcelock.LeaderElectionRecord, raw []byte, left time.Duration, err error) {
	if record, raw, err = l.Interface.Get(ctx); err != nil {
		return record, raw, 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if !bytes.Equal(raw, l.last) {
		l.last, l.since = raw, now
	}
	left = l.since.Add(time.Duration(record.LeaseDurationSeconds) * time.Second).Sub(now)
	if left > 0 || record.HolderIdentity == "" {
		return record, raw, left, nil
	}
	free := *record
	free.HolderIdentity = ""
	return &free, append([]byte("over: "), raw...), left, nil
}

// newLock makes the lock, and reads it for the first time.
func newLock(ctx context.Context, config *rest.Config, namespace string) (*watchedLock, error) {
	config = rest.AddUserAgent(rest.CopyConfig(config), "leader-election")
	config.Timeout = leaseTimeout
	leases, err := coordinationv1.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	lease := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: leaseName},
		Client:     leases,
		LockConfig: resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())},
	}
	lock := &watchedLock{Interface: lease, lease: lease, clock: clock.RealClock{}}
	_, _, _, _ = lock.look(ctx) // if this fails, the elector's own read is the first
	return lock, nil
}

// tellBy lets events tell who leads.
func (l *watchedLock) tellBy(provider recorder.Provider) {
	l.lease.LockConfig.EventRecorder = provider.GetEventRecorderFor(l.Identity()) //nolint:staticcheck // client-go's lock takes no other kind
}
