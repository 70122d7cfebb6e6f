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
)

// watchedLock is a lock whose holder is watched from the start of the process on. An elector that begins only when the cache is filled would
// wait for a whole lease from then, although the holder may have died long before. As an elector does, it goes by this process's own clock
// alone: a record that has not changed for the length of its lease is nobody's. Who takes it writes on the version that was read, so that a
// holder who comes back in between keeps it.
type watchedLock struct {
	resourcelock.Interface

	lease *resourcelock.LeaseLock // the same
	clock clock.PassiveClock

	mu    sync.Mutex
	last  []byte // the record as it was read last
	since time.Time
}

// Get reads the record. It has no holder where that one's lease is over.
func (l *watchedLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if err != nil {
		return record, raw, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if !bytes.Equal(raw, l.last) {
		l.last, l.since = raw, now
	}
	if now.Sub(l.since) <= time.Duration(record.LeaseDurationSeconds)*time.Second {
		return record, raw, nil
	}
	free := *record
	free.HolderIdentity = ""
	return &free, append([]byte("over: "), raw...), nil
}

// newLock makes the lock, and reads it for the first time.
func newLock(ctx context.Context, config *rest.Config, namespace string) (*watchedLock, error) {
	config = rest.AddUserAgent(config, "leader-election")
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
	_, _, _ = lock.Get(ctx) // if this fails, the elector's own read is the first
	return lock, nil
}

// tellBy lets events tell who leads.
func (l *watchedLock) tellBy(provider recorder.Provider) {
	l.lease.LockConfig.EventRecorder = provider.GetEventRecorderFor(l.Identity()) //nolint:staticcheck // client-go's lock takes no other kind
}
