package controller

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	repairHeld     = time.Minute // a repair that nothing undid for so long has held
	freeRepairs    = 4           // repairs in a row that are made at once
	repairPause    = 5 * time.Second
	maxRepairPause = 10 * time.Minute
)

// repairs remembers how often a target was mended in a row without holding, so that the operator does not fight with what keeps undoing
// it: a mutating webhook, another controller. It remembers the last token as well, of which nothing else tells once its Secret is gone
// and status says so. It may be lost.
type repairs struct {
	mu    sync.Mutex
	byUID map[types.UID]repairHistory
}

type repairHistory struct {
	count  int
	last   time.Time
	secret string // where the last token was written to; empty: nowhere yet
	held   record
	seen   time.Time // when the newest token was requested that a target was seen with since

	timed, assumed bool // whether it is known how the last token's lifetime was found, and that it had to be assumed
}

// allowedAt is when the next repair may be made: zero for at once, which holds unless several did not hold.
func (r *repairs) allowedAt(uid types.UID) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byUID[uid].next()
}

// note records a repair and tells whether it is the one from which on this is a fight.
func (r *repairs) note(uid types.UID, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	history := r.byUID[uid]
	if now.Sub(later(history.last, history.next())) > repairHeld {
		history.count = 0
	}
	history.count, history.last = history.count+1, now
	r.put(uid, history)
	return history.count == freeRepairs+1
}

// served records a token that was written to a Secret.
func (r *repairs) served(uid types.UID, secret string, held record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	history := r.byUID[uid]
	history.secret, history.held, history.seen = secret, held, held.askedAt() // whatever was seen before, maybe by a clock that was ahead
	r.put(uid, history)
}

// noteLifetime records whether the lifetime of a token that was written had to be assumed, and returns that of the one before.
func (r *repairs) noteLifetime(uid types.UID, assumed bool) (before, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	history := r.byUID[uid]
	before, known = history.assumed, history.timed
	history.timed, history.assumed = true, assumed
	r.put(uid, history)
	return before, known
}

// heldGood tells whether a Secret was given a token that has not ended yet.
func (r *repairs) heldGood(uid types.UID, secret string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	history := r.byUID[uid]
	return history.secret == secret && history.held.ExpiresAt.After(now)
}

// see records that a target was there with a token that was requested at a time. One ahead of now is of a clock that has been corrected since.
func (r *repairs) see(uid types.UID, now, requested time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if history := r.byUID[uid]; requested.After(history.seen) && !requested.After(now) {
		history.seen = requested
		r.put(uid, history)
	}
}

// lastSuccess is when the last token was requested; zero: not known.
func (r *repairs) lastSuccess(uid types.UID) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byUID[uid].seen
}

func (r *repairs) put(uid types.UID, history repairHistory) {
	if r.byUID == nil {
		r.byUID = map[types.UID]repairHistory{}
	}
	r.byUID[uid] = history
}

func (r *repairs) forget(uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byUID, uid)
}

func (h repairHistory) next() time.Time {
	if h.count < freeRepairs {
		return time.Time{}
	}
	pause := maxRepairPause
	if doublings := h.count - freeRepairs; doublings < 7 {
		pause = min(pause, repairPause<<doublings)
	}
	return h.last.Add(pause)
}
