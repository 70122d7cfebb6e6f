package controller

import (
	"crypto/rand"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// unsent remembers by which mark this process last tried to write an intent without getting to know that it stands. The API server may have
// written it all the same, and lost the answer: an intent with that mark is this process's own, and nothing was sent after it. It may be lost:
// then the intent counts as one whose result is not known.
type unsent struct {
	mu    sync.Mutex
	marks map[types.UID]string
}

// begin gives the mark for an intent that is about to be written: the last one, as long as nothing was sent by it.
func (u *unsent) begin(uid types.UID) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.marks == nil {
		u.marks = map[types.UID]string{}
	}
	if u.marks[uid] == "" {
		u.marks[uid] = rand.Text()
	}
	return u.marks[uid]
}

// mark is that of intents after which nothing was sent; empty: there is none.
func (u *unsent) mark(uid types.UID) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.marks[uid]
}

// end says that an intent stands, and sending begins, or that its OAuthToken is gone.
func (u *unsent) end(uid types.UID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.marks, uid)
}
