package controller

import (
	"cmp"
	"time"

	"github.com/google/btree"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// waiterDegree is of the tree that waiters are kept in: how many children a node may have, halved.
const waiterDegree = 8

// waiter is somebody who waits for a place at an endpoint.
type waiter struct {
	hung    bool      // the last request was not answered, so that others come first
	urgency time.Time // since or from when pods are left without a token
	key     client.ObjectKey
	since   time.Time // when the waiting began
}

// waiters are a queue: first those whose last request did not hang, by urgency, and by name where that is equal. There may be ten thousand.
type waiters struct {
	byKey   map[client.ObjectKey]waiter
	ordered *btree.BTreeG[waiter]
}

func newWaiters() waiters {
	return waiters{byKey: map[client.ObjectKey]waiter{}, ordered: btree.NewG(waiterDegree, waiter.before)}
}

func (w waiters) len() int { return len(w.byKey) }

func (w waiters) has(key client.ObjectKey) bool {
	_, waits := w.byKey[key]
	return waits
}

// put adds somebody, or changes the place of somebody who waits already.
func (w waiters) put(now time.Time, key client.ObjectKey, urgency time.Time, hung bool) {
	added := waiter{hung: hung, urgency: urgency, key: key, since: now}
	if waits, known := w.byKey[key]; known {
		added.since = waits.since
	}
	w.drop(key)
	w.byKey[key] = added
	w.ordered.ReplaceOrInsert(added)
}

// drop removes somebody who does not wait any more, or never has.
func (w waiters) drop(key client.ObjectKey) {
	if gone, known := w.byKey[key]; known {
		delete(w.byKey, key)
		w.ordered.Delete(gone)
	}
}

// forgive lets urgency alone count for somebody who waits.
func (w waiters) forgive(key client.ObjectKey) {
	if waits, known := w.byKey[key]; known {
		w.put(waits.since, key, waits.urgency, false)
	}
}

// takeFirst removes the first one. There is one.
func (w waiters) takeFirst() client.ObjectKey {
	first, _ := w.ordered.DeleteMin()
	delete(w.byKey, first.key)
	return first.key
}

func (a waiter) before(b waiter) bool {
	if a.hung != b.hung {
		return b.hung
	}
	return cmp.Or(a.urgency.Compare(b.urgency), cmp.Compare(a.key.Namespace, b.key.Namespace), cmp.Compare(a.key.Name, b.key.Name)) < 0
}
