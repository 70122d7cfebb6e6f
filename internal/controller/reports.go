package controller

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// reports keeps a status that could not be written yet, so that a failed request is not forgotten, and repeated, while the API server is
// away.
type reports struct {
	mu    sync.Mutex
	byUID map[types.UID]*unreported
}

type unreported struct {
	wanted  v1alpha1.OAuthTokenStatus // as it should be
	present *v1alpha1.OAuthToken      // as the API server has it
}

// take gives an OAuthToken the status that it should have by now.
func (r *reports) take(token *v1alpha1.OAuthToken) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if kept := r.byUID[token.UID]; kept != nil {
		kept.present = token.DeepCopy()
		token.Status = *kept.wanted.DeepCopy()
	}
}

// pending tells whether the API server has another status than the OAuthToken was given.
func (r *reports) pending(uid types.UID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byUID[uid] != nil
}

// put keeps a status until drop.
func (r *reports) put(token *v1alpha1.OAuthToken, status v1alpha1.OAuthTokenStatus) (present *v1alpha1.OAuthToken) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byUID == nil {
		r.byUID = map[types.UID]*unreported{}
	}
	kept := r.byUID[token.UID]
	if kept == nil {
		kept = &unreported{present: token.DeepCopy()}
		r.byUID[token.UID] = kept
	}
	kept.wanted = status
	return kept.present
}

func (r *reports) drop(uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byUID, uid)
}
