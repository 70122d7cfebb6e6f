package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// storeAttempts is how often a write is tried anew, each time from a live read, when something else writes the target at the same time.
const storeAttempts = 5

var errContended = errors.New("something else keeps writing the target Secret")

// store writes p.write: it creates the target where there is none, and applies it onto exactly the version that was read where it is
// ours. A Secret that turns out to be somebody else's is left alone, and one that holds a newer token is, too.
func (r *Reconciler) store(ctx context.Context, o *observation, p *plan) (*result, error) {
	for range storeAttempts {
		if p.outdated(o) {
			return r.outdone(o, p), nil
		}
		changed, err := r.writeTarget(ctx, o, p.write)
		switch {
		case err == nil && !changed:
			return r.unchangedBy(ctx, o, p)
		case err == nil:
			return r.stored(ctx, o, p)
		case !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err):
			return r.refused(o, p, err)
		}
		if p.answer == nil && apierrors.IsConflict(err) { // what is to be mended may have changed with it
			outcome := p.unchanged(o)
			outcome.at = r.Clock.Now().Add(undonePause)
			return outcome, nil
		}
		if err := r.observeLive(ctx, o); err != nil {
			return nil, err
		}
		if conflict := conflictProblem(o); conflict != nil {
			r.answers.drop(o.token.UID)
			return &result{problem: conflict, keep: p.keep, at: r.Clock.Now().Add(conflict.recheck)}, nil
		}
	}
	return nil, errContended
}

// outdated tells whether the target holds, unharmed and for the same request, a token that was asked for after the answer that is to be written:
// this process was stopped before the write, and whoever leads meanwhile has renewed, by which some vendors end the token before. The one that
// was there when this answer was asked for does not count: then a clock was ahead that has been corrected since.
func (r *plan) outdated(o *observation) bool {
	t := o.target
	if r.answer == nil || t.standing != ours || !t.intact() || !r.fingerprint.same(t.record.RequestHash) {
		return false
	}
	there := t.record.askedAt()
	return there.After(r.answer.record.askedAt()) && !there.Equal(r.answer.replaces)
}

// outdone drops an answer in favour of the newer token in the target.
func (r *Reconciler) outdone(o *observation, p *plan) *result {
	r.answers.drop(o.token.UID)
	p.holdAsItIs(o)
	outcome := p.unchanged(o)
	outcome.failure, outcome.at = nil, time.Time{} // it has its own schedule
	return outcome
}

// writeTarget makes one attempt, and tells whether the Secret is another than before.
func (r *Reconciler) writeTarget(ctx context.Context, o *observation, want *rendering) (changed bool, err error) {
	present := o.target.secret
	if present == nil {
		return true, r.Client.Create(ctx, want.secret(), client.FieldOwner(fieldManager))
	}
	version := present.ResourceVersion
	if o.mustDisown(want) {
		disowned, err := r.disown(ctx, o, want)
		if err != nil {
			return false, err
		}
		version = disowned
	}
	written := want.apply(present.UID, version)
	err = r.Client.Apply(ctx, written, client.FieldOwner(fieldManager), client.ForceOwnership)
	return *written.ResourceVersion != version, err
}

// mustDisown tells whether something that the operator wrote is to go away. Server-side apply removes what is not applied any more, but
// not what the same manager wrote when it created the object.
func (o *observation) mustDisown(want *rendering) bool {
	if o.live != nil || o.target.standing == handed {
		return true // what of it is to go can't be told: what is handed over may have been another OAuthToken's target
	}
	return len(without(o.target.seal.keys, sortedKeys(want.data))) > 0
}

// disown turns what was written by the creation into what was applied, and returns the new version.
func (r *Reconciler) disown(ctx context.Context, o *observation, want *rendering) (string, error) {
	live := o.live
	if live == nil {
		var err error
		if live, err = r.liveSecret(ctx, client.ObjectKey{Namespace: want.namespace, Name: want.name}); err != nil {
			return "", err
		}
		if live == nil || live.UID != o.target.secret.UID || live.ResourceVersion != o.target.secret.ResourceVersion {
			return "", apierrors.NewConflict(corev1.Resource("secrets"), want.name, errContended)
		}
	}
	patch, err := csaupgrade.UpgradeManagedFieldsPatch(live, sets.New(fieldManager), fieldManager)
	if err != nil || patch == nil {
		return live.ResourceVersion, err
	}
	upgraded := live.DeepCopy()
	err = r.Client.Patch(ctx, upgraded, client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(fieldManager))
	return upgraded.ResourceVersion, err
}

// stored tells what the target holds after a write, and removes targets under former names.
func (r *Reconciler) stored(ctx context.Context, o *observation, p *plan) (*result, error) {
	held, _ := parseRecord(p.write.annotations)
	p.held, p.matches = &held, p.fingerprint.sameSpec(held.RequestHash)
	outcome := p.unchanged(o)
	outcome.written = true
	outcome.at = time.Time{} // what was written has its own schedule
	outcome.notices = r.noteRepair(o, p)
	return outcome, r.removeFormer(ctx, o)
}

// unchangedBy tells apart why a write changed nothing: the target is as it should be already, since an earlier write landed and its answer was
// lost, or something turned the write into none.
func (r *Reconciler) unchangedBy(ctx context.Context, o *observation, p *plan) (*result, error) {
	if err := r.observeLive(ctx, o); err != nil {
		return nil, err
	}
	t := o.target
	if t.standing == ours && t.intact() && t.dressed(o.token) && t.secret.Annotations[v1alpha1.DataHashAnnotation] == p.write.annotations[v1alpha1.DataHashAnnotation] {
		return r.stored(ctx, o, p)
	}
	return r.undone(o, p), nil
}

// undonePause is how soon a target is looked at again after a write that changed nothing: no watch tells of it.
const undonePause = time.Second

// undone is the result of a write that a mutating webhook turned into none. A vendor's answer is kept, and written later.
func (r *Reconciler) undone(o *observation, p *plan) *result {
	pause := undonePause
	var notices []notice
	if p.answer != nil {
		p.holdAsItIs(o)
		pause = recheckCredentials
	} else if r.repairs.note(o.token.UID, r.Clock.Now()) {
		notices = append(notices, notice{warning: true, reason: v1alpha1.EventRepairFighting, about: fightProblem(o.token).message})
	}
	outcome := p.unchanged(o)
	outcome.problem, outcome.matches, outcome.notices = fightProblem(o.token), false, notices
	outcome.at = r.Clock.Now().Add(pause)
	return outcome
}

// noteRepair tells of a repair, and of a fight where repairs do not hold. A token that had to be requested because the one before was
// lost counts as well.
func (r *Reconciler) noteRepair(o *observation, p *plan) []notice {
	now := r.Clock.Now()
	renamed := p.takesFormer(o) && o.token.Status.SecretName != targetName(o.token)
	mended := p.answer == nil && !renamed && o.target.drifted(o.token)
	lost := p.answer != nil && r.repairs.heldGood(o.token.UID, targetName(o.token), now) && (o.target.secret == nil || !o.target.intact())
	if p.answer != nil {
		r.repairs.served(o.token.UID, targetName(o.token), *p.held)
	}
	if !lost && !mended {
		return nil
	}
	var notices []notice
	if mended {
		notices = append(notices, notice{
			reason: v1alpha1.EventTargetRepaired, about: fmt.Sprintf("Secret %q is again as the spec says", targetName(o.token)),
		})
	}
	if r.repairs.note(o.token.UID, now) {
		notices = append(notices, notice{warning: true, reason: v1alpha1.EventRepairFighting, about: fightProblem(o.token).message})
	}
	return notices
}

// removeFormer deletes targets under former names, or lets them stay, as the spec says. Those that were to stay before have neither an owner
// reference nor the annotation that stands for it, and are left.
func (r *Reconciler) removeFormer(ctx context.Context, o *observation) error {
	for i := range o.leftovers {
		leftover := &o.leftovers[i]
		_, ours := leftover.Annotations[v1alpha1.RemovedByAnnotation]
		if len(leftover.OwnerReferences) == 0 && !ours {
			continue
		}
		if retains(o.token) {
			if err := r.release(ctx, o.token, leftover); err != nil {
				return err
			}
			continue
		}
		err := r.Client.Delete(ctx, leftover, client.Preconditions{UID: &leftover.UID, ResourceVersion: &leftover.ResourceVersion})
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete the target Secret under its former name: %w", wordless{err})
		}
	}
	return nil
}

// release takes from a target under a former name what would have it removed with its OAuthToken.
func (r *Reconciler) release(ctx context.Context, token *v1alpha1.OAuthToken, leftover *corev1.Secret) error {
	free := leftover.DeepCopy()
	free.OwnerReferences = slices.DeleteFunc(free.OwnerReferences, func(owner metav1.OwnerReference) bool { return isOAuthToken(&owner, token.Name) })
	delete(free.Annotations, v1alpha1.RemovedByAnnotation)
	if equality.Semantic.DeepEqual(free, leftover) {
		return nil
	}
	err := r.Client.Patch(ctx, free, client.MergeFromWithOptions(leftover, client.MergeFromWithOptimisticLock{}), client.FieldOwner(fieldManager))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("let the target Secret under its former name stay: %w", wordless{err})
	}
	return nil
}
