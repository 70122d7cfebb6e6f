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
// it: a mutating webhook, another controller. It may be lost.
type repairs struct {
	mu    sync.Mutex
	byUID map[types.UID]repairHistory
}

type repairHistory struct {
	count int
	last  time.Time
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
	if r.byUID == nil {
		r.byUID = map[types.UID]repairHistory{}
	}
	history := r.byUID[uid]
	if now.Sub(later(history.last, history.next())) > repairHeld {
		history.count = 0
	}
	history.count, history.last = history.count+1, now
	r.byUID[uid] = history
	return history.count == freeRepairs+1
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
