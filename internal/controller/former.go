package controller

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// observeFormerTargets finds targets of this OAuthToken under other names, and reads the one that was served last.
func (r *Reconciler) observeFormerTargets(ctx context.Context, o *observation) error {
	owned, err := r.ownedTargets(ctx, o.token)
	if err != nil {
		return err
	}
	for i := range owned {
		secret := &owned[i]
		if secret.Name == targetName(o.token) || viewTarget(o.token, secret).standing != ours {
			continue
		}
		o.leftovers = append(o.leftovers, *secret)
	}
	if served := o.servedLast(); served != nil {
		o.former, err = r.liveSecret(ctx, client.ObjectKeyFromObject(served))
	}
	return err
}

// servedLast is the target under a former name from which the present one is to be written, where that is absent or holds an older token: the one
// that status names, else the one whose token was asked for last. nil: none, or none as new as what was served last.
func (o *observation) servedLast() *corev1.Secret {
	named, known := o.token.Status.SecretName, later(timeOf(o.token.Status.IssuedAt), o.lastSuccess)
	since := known
	switch held := o.target.record.askedAt(); {
	case o.target.standing == absent:
	case o.target.standing != ours:
		return nil
	case named == targetName(o.token) && (!o.target.intact() || !held.Before(known)): // else it has this name again, and was not written since
		return nil
	default:
		since = later(known, held.Add(time.Second))
	}
	var last *corev1.Secret
	var lastAsked time.Time
	for i := range o.leftovers {
		view := viewTarget(o.token, &o.leftovers[i])
		asked := view.record.askedAt()
		if view.secret.Name == named && !later(asked, known).Before(since) { // the cache may be behind
			return view.secret
		}
		newer := last == nil || asked.After(lastAsked) || asked.Equal(lastAsked) && view.secret.Name < last.Name
		if view.intact() && !asked.Before(since) && newer {
			last, lastAsked = view.secret, asked
		}
	}
	return last
}

// takesFormer tells whether the target is to be written from the one under its former name: from any where it is absent, else from one with a token
// for the same request.
func (r *plan) takesFormer(o *observation) bool {
	return o.former != nil && (o.target.standing == absent || r.fingerprint.same(o.former.Annotations[v1alpha1.RequestHashAnnotation]))
}
