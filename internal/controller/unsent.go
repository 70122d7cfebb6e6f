package controller

import (
	"crypto/rand"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// unsent remembers what this process last tried to send without getting to know that the write before, which announces it, stands. The API
// server may have written it all the same, and lost the answer: what bears the mark is this process's own, and nothing was sent after it. It
// may be lost: then an intent counts as one whose result is not known, a code and an assertion as sent.
type unsent struct {
	mu   sync.Mutex
	uses map[types.UID]use
}

// use is an exchange that was announced in the state Secret, maybe.
type use struct {
	exchange
	mark string // by which its announcement is known again; empty: there is no use
}

// begin gives the mark for a use that is about to be announced: the last one, as long as nothing was sent by it.
func (u *unsent) begin(uid types.UID, e exchange) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.uses == nil {
		u.uses = map[types.UID]use{}
	}
	mark := u.uses[uid].mark
	if mark == "" {
		mark = rand.Text()
	}
	u.uses[uid] = use{exchange: e, mark: mark}
	return mark
}

// last is the use after whose announcement nothing was sent.
func (u *unsent) last(uid types.UID) use {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.uses[uid]
}

// end says that an announcement stands, and sending begins, or that its OAuthToken is gone.
func (u *unsent) end(uid types.UID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.uses, uid)
}

// withoutUnsent takes an announcement back after which nothing was sent. A code can be sent at once.
func (k keepsake) withoutUnsent(last use) keepsake {
	if last.mark == "" {
		return k
	}
	if k.Intent != nil && k.Intent.Mark == last.mark {
		k.Intent = nil
		if last.means == bySeed {
			k = k.withoutSeed(spentHash(last.credential.Reveal()))
		}
	}
	if k.TakenBy != last.mark {
		return k
	}
	k.TakenBy = ""
	switch last.means {
	case byAssertion:
		k = k.withoutSpent(spentHash(last.credential.Reveal()))
	case byCode:
		k.Consent = k.Consent.PutBack(last.attempt.State, last.credential, time.Time{})
	case byRefresh, bySeed, byGrant, byFragment:
	}
	return k
}
