package controller

import (
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// unsent remembers what this process has tried to send since it last sent something, without getting to know that the write before, which
// announces it, stands. The API server may have written it all the same, and lost the answer: what bears the mark is this process's own, and
// nothing was sent after it. Which of several writes stands, the mark in it tells. It may be lost: then an intent counts as one whose result is
// not known, a code and an assertion as sent.
type unsent struct {
	mu   sync.Mutex
	uses map[types.UID][]use
}

// maxUnsent bounds the uses of one OAuthToken that are remembered; the oldest go first. Only who changes the credentials again and again, while no
// write succeeds, gets there.
const maxUnsent = 10

// use is an exchange that was announced in the state Secret, maybe.
type use struct {
	exchange
	mark string // by which its announcement is known again
}

// begin gives the mark for a use that is about to be announced: the one that it has already, if it is tried again.
func (u *unsent) begin(uid types.UID, e exchange) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.uses == nil {
		u.uses = map[types.UID][]use{}
	}
	for _, before := range u.uses[uid] {
		if before.means == e.means && before.credential.Equal(e.credential) {
			return before.mark
		}
	}
	begun := use{exchange: e, mark: rand.Text()}
	former := u.uses[uid]
	u.uses[uid] = append(former[max(0, len(former)-maxUnsent+1):], begun)
	return begun.mark
}

// since are the uses after whose announcement nothing was sent.
func (u *unsent) since(uid types.UID) []use {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.uses[uid])
}

// end says that an announcement stands, and sending begins, or that its OAuthToken is gone.
func (u *unsent) end(uid types.UID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.uses, uid)
}

// withoutUnsent takes back what stands of uses after whose announcement nothing was sent. A code can be sent at once.
func (k keepsake) withoutUnsent(uses []use) keepsake {
	for _, u := range uses {
		if k.Intent != nil && k.Intent.Mark == u.mark {
			k.Intent = nil
			if u.means == bySeed {
				k = k.withoutSeed(spentHash(u.credential.Reveal()))
			}
		}
		if k.TakenBy == u.mark {
			k = k.untaken(u)
		}
	}
	return k
}

// untaken gives back a code or an assertion that was taken to be sent.
func (k keepsake) untaken(u use) keepsake {
	k.TakenBy = ""
	switch u.means {
	case byAssertion:
		k = k.withoutSpent(spentHash(u.credential.Reveal()))
	case byCode:
		k.Consent = k.Consent.PutBack(u.attempt.State, u.credential, time.Time{})
	case byRefresh, bySeed, byGrant, byFragment:
	}
	return k
}
