package controller

import (
	"context"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// proofLife is how long it counts that a target was absent, or could be made: longer than who waits for a place mostly waits.
const proofLife = 2 * time.Minute

// proofs remembers what the API server has shown of targets that the cache does not show. It is memory only, and may be lost.
type proofs struct {
	mu      sync.Mutex
	absent  map[types.UID]time.Time // when the target of an OAuthToken was confirmed to be absent
	makable map[kind]time.Time      // when the creation of a target was last seen to be possible
}

// kind is what is judged alike by those who may refuse a Secret: quotas, policies, the right to create it.
type kind struct {
	namespace  string
	secretType corev1.SecretType
}

// isAbsent tells whether the absence of a target was confirmed a moment ago, for one request.
func (p *proofs) isAbsent(now time.Time, uid types.UID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, known := p.absent[uid]
	delete(p.absent, uid)
	return known && now.Sub(at) < proofLife
}

// knows tells whether there is a confirmation, fresh or not.
func (p *proofs) knows(uid types.UID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, known := p.absent[uid]
	return known
}

func (p *proofs) isMakable(now time.Time, k kind) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, known := p.makable[k]
	return known && now.Sub(at) < proofLife
}

// noteAbsence notes that the target of an OAuthToken is absent.
func (p *proofs) noteAbsence(now time.Time, uid types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.absent == nil {
		p.absent = map[types.UID]time.Time{}
	}
	p.absent[uid] = now
}

// noteMakable notes that a target of a kind could be made.
func (p *proofs) noteMakable(now time.Time, k kind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.makable == nil {
		p.makable = map[kind]time.Time{}
	}
	for other, at := range p.makable {
		if now.Sub(at) >= proofLife {
			delete(p.makable, other)
		}
	}
	p.makable[k] = now
}

// noteRefusal forgets what was possible in a namespace, where a Secret was refused.
func (p *proofs) noteRefusal(namespace string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k := range p.makable {
		if k.namespace == namespace {
			delete(p.makable, k)
		}
	}
}

// forget drops what is remembered of an OAuthToken.
func (p *proofs) forget(uid types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.absent, uid)
}

// confirmAbsence proves, where the cache shows no target Secret, that there is none and that one can be made, so that no token is requested
// that is there already or could not be kept. Where there is one after all, it is observed, and found is true. What was confirmed while this
// OAuthToken waited for a place is not asked again.
func (r *Reconciler) confirmAbsence(ctx context.Context, o *observation, p *plan) (found bool, err error) {
	if o.target.standing != absent || r.proofs.isAbsent(r.Clock.Now(), o.token.UID) && r.isMakable(o, p) {
		return false, nil
	}
	return r.askAbsence(ctx, o, p)
}

// confirmAhead confirms absence while there is no place at the vendor yet, once: what it takes need not be done in the place then. A failure
// shows when the place comes.
func (r *Reconciler) confirmAhead(ctx context.Context, o *observation, p *plan) {
	if o.target.standing != absent || r.proofs.knows(o.token.UID) {
		return
	}
	ahead := *o // nothing that is found now is acted upon
	if found, err := r.askAbsence(ctx, &ahead, p); err == nil && !found {
		r.proofs.noteAbsence(r.Clock.Now(), o.token.UID)
	}
}

// isMakable tells whether a target like this one could be made a moment ago. Where something is spent for the token, it is tried each time.
func (r *Reconciler) isMakable(o *observation, p *plan) bool {
	return !p.exchange.once() && r.proofs.isMakable(r.Clock.Now(), kind{o.token.Namespace, targetType(o.token)})
}

// askAbsence asks the API server: by a read, where a target of this kind could be made a moment ago, else by a dry run of its creation.
func (r *Reconciler) askAbsence(ctx context.Context, o *observation, p *plan) (found bool, err error) {
	if r.isMakable(o, p) {
		if err := r.observeLive(ctx, o); err != nil {
			return false, err
		}
		return o.target.standing != absent, nil
	}
	trial := renderMetadata(o.token, record{}, trialData(o.token), seal{}).secret()
	err = r.Client.Create(ctx, trial, client.DryRunAll, client.FieldOwner(fieldManager), client.DisableReadYourWritesConsistency)
	switch {
	case err == nil:
		r.proofs.noteMakable(r.Clock.Now(), kind{o.token.Namespace, targetType(o.token)})
		return false, nil
	case dryRunRefused(err):
		return false, nil
	case apierrors.IsAlreadyExists(err):
		return true, r.observeLive(ctx, o)
	}
	return false, err
}

// dryRunRefused tells whether an admission webhook can't be asked for a dry run: then the creation itself has to show.
func dryRunRefused(err error) bool {
	return apierrors.IsBadRequest(err) && strings.Contains(err.Error(), "dry run")
}

// trialData holds what the API server demands of a Secret's type.
func trialData(token *v1alpha1.OAuthToken) map[string][]byte {
	return map[corev1.SecretType]map[string][]byte{
		corev1.SecretTypeDockerConfigJson: {corev1.DockerConfigJsonKey: []byte("{}")},
		corev1.SecretTypeBasicAuth:        {corev1.BasicAuthPasswordKey: []byte("-")},
	}[targetType(token)]
}
