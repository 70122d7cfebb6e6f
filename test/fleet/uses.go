package fleet

import (
	"encoding/json"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// Uses follows the uses of refresh tokens, as the state Secrets of a namespace tell of them.
type Uses struct {
	mu   sync.Mutex
	open map[string]Use
	over map[string][]Use
}

// Use is one use of a refresh token, from when it was intended until it was known what came of it.
type Use struct {
	// From and To are when the watch told of the beginning and the end. To is zero for a use that goes on.
	From, To time.Time
	// Deadline is when sending must have begun.
	Deadline time.Time
}

// FollowUses watches the state Secrets of a namespace until the test ends.
func (c *Cluster) FollowUses(namespace string) *Uses {
	c.TB.Helper()
	u := &Uses{open: map[string]Use{}, over: map[string][]Use{}}
	c.followSecrets(namespace, v1alpha1.RoleState, cache.ResourceEventHandlerFuncs{
		AddFunc: u.note, UpdateFunc: func(_, now any) { u.note(now) },
	})
	return u
}

// All are the uses by ID, in their order.
func (u *Uses) All() map[string][]Use {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := map[string][]Use{}
	for id, uses := range u.over {
		all[id] = append(all[id], uses...)
	}
	for id, use := range u.open {
		all[id] = append(all[id], use)
	}
	return all
}

func (u *Uses) note(object any) {
	secret, ok := object.(*corev1.Secret)
	if !ok {
		return
	}
	var intent struct{ Deadline time.Time }
	if raw := secret.Data["refresh_in_progress"]; len(raw) > 0 && json.Unmarshal(raw, &intent) != nil {
		return
	}
	id, now := ID(secret.Namespace, strings.TrimSuffix(secret.Name, v1alpha1.StateSecretSuffix)), time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	use, goesOn := u.open[id]
	if goesOn && use.Deadline.Equal(intent.Deadline) {
		return
	}
	if goesOn {
		use.To = now
		u.over[id] = append(u.over[id], use)
		delete(u.open, id)
	}
	if !intent.Deadline.IsZero() {
		u.open[id] = Use{From: now, Deadline: intent.Deadline}
	}
}
