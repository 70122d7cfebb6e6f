package controller

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// answer is a token that a vendor gave and that no target Secret holds yet.
type answer struct {
	issued
	scopes          []string
	lifetimeUnknown bool      // the answer did not say how long the token lives
	lifetimeFault   string    // why what it said could not be used
	completion      []notice  // of the authorization that it came of
	narrowed        bool      // fewer scopes than were asked for
	lifetimeTold    bool      // the token before did not say either how long it lives, as far as can be told
	narrowedTold    bool      // the token before was for the same spec, and had fewer scopes as well
	unsaved         bool      // the refresh token could not be kept, since somebody else's Secret has the state Secret's name
	replaces        time.Time // when the token was asked for that the target held when this one was; zero: none
	due, at         time.Time // when its renewal was due, zero where none was or a suspension held it back, and when it came
}

// answers keeps what vendors gave until it is written, so that a failing write does not cost another request. A lost answer costs one.
type answers struct {
	mu    sync.Mutex
	byUID map[types.UID]*answer
}

func (a *answers) get(uid types.UID) *answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byUID[uid]
}

func (a *answers) put(uid types.UID, value *answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byUID == nil {
		a.byUID = map[types.UID]*answer{}
	}
	a.byUID[uid] = value
}

func (a *answers) drop(uid types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.byUID, uid)
}
