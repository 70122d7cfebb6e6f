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
	urgency time.Time // since or from when pods are left without a token
	key     client.ObjectKey
}

// waiters are a queue by urgency, and by name where that is equal. There may be ten thousand.
type waiters struct {
	byKey   map[client.ObjectKey]waiter
	ordered *btree.BTreeG[waiter]
}

func newWaiters() waiters {
	return waiters{byKey: map[client.ObjectKey]waiter{}, ordered: btree.NewG(waiterDegree, waiter.before)}
}

func (w waiters) len() int { return len(w.byKey) }

// put adds somebody, or changes the urgency of somebody who waits already.
func (w waiters) put(key client.ObjectKey, urgency time.Time) {
	w.drop(key)
	added := waiter{urgency: urgency, key: key}
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

// takeFirst removes the one who is left without a token first. There is one.
func (w waiters) takeFirst() client.ObjectKey {
	first, _ := w.ordered.DeleteMin()
	delete(w.byKey, first.key)
	return first.key
}

func (a waiter) before(b waiter) bool {
	return cmp.Or(a.urgency.Compare(b.urgency), cmp.Compare(a.key.Namespace, b.key.Namespace), cmp.Compare(a.key.Name, b.key.Name)) < 0
}
