package controller

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// uids knows which OAuthToken had a name when it was last looked at, so that what memory holds of it by its UID goes with it: with its deletion,
// or when another one has the name.
type uids struct {
	mu    sync.Mutex
	byKey map[types.NamespacedName]types.UID
}

// note says whose a name is, and returns who had it before; empty: nobody else.
func (u *uids) note(key types.NamespacedName, uid types.UID) (former types.UID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	former = u.byKey[key]
	if former == uid {
		return ""
	}
	if u.byKey == nil {
		u.byKey = map[types.NamespacedName]types.UID{}
	}
	u.byKey[key] = uid
	return former
}

// drop forgets a name, and returns whose it was; empty: nobody's.
func (u *uids) drop(key types.NamespacedName) types.UID {
	u.mu.Lock()
	defer u.mu.Unlock()
	uid := u.byKey[key]
	delete(u.byKey, key)
	return uid
}
