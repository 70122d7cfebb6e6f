package controller

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/renewal"
)

// +kubebuilder:rbac:groups=tokensync.dev,resources=oauthtokens,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=tokensync.dev,resources=oauthtokens/status,verbs=patch
// +kubebuilder:rbac:groups=tokensync.dev,resources=oauthtokens/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;patch;update;delete
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// waitingRecheck is how soon somebody who waits for a place at an endpoint looks again, should the call be lost.
const waitingRecheck = time.Minute

// Reconciler keeps the token of every OAuthToken fresh. Its exported fields are set once, before SetupWithManager.
type Reconciler struct {
	// Client reads from the cache, with the operator's own writes in it, and writes.
	Client client.Client
	// Live reads from the API server.
	Live client.Reader
	// Vendors sends requests to authorization servers.
	Vendors *oauth.Client
	// Platform is what the platform's administrators decide.
	Platform declaration.Platform
	// HashKey is the key of request hashes (see HashKey).
	HashKey []byte
	// Recorder writes events.
	Recorder events.EventRecorder
	// Clock tells the time.
	Clock clock.Clock
	// MaxConcurrentReconciles is how many OAuthTokens are worked on at once.
	MaxConcurrentReconciles int

	hasher  hasher
	planner planner
	uids    uids
	answers answers
	reports reports
	repairs repairs
	gate    gate // of token requests
	aside   gate // of what vendors are asked beside: revocations, and where a link leads
	saver   saver
	unsent  unsent
	proofs  proofs
	revoked sync.Map // the UIDs of OAuthTokens that are being deleted and have nothing to revoke any more; it may be lost
	unheld  sync.Map // the UIDs of OAuthTokens whose finalizer is refused, which was told; it may be lost
	metrics *metrics
	called  chan event.TypedGenericEvent[client.ObjectKey]
}

// Reconcile brings one OAuthToken forward: observe, plan, request, store, report.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	defer keepWordless()
	o, err := r.observe(ctx, request.NamespacedName)
	if err != nil {
		return ctrl.Result{}, err
	}
	if o == nil {
		r.forget(request.NamespacedName, r.uids.drop(request.NamespacedName))
		return ctrl.Result{}, nil
	}
	if !o.token.DeletionTimestamp.IsZero() {
		return r.finalize(ctx, o)
	}
	unheld := r.keepFinalizer(ctx, o)
	if unheld != nil && !refusesWrite(unheld) {
		return ctrl.Result{}, unheld
	}
	r.tellUnheld(o.token, unheld)
	p := r.planner.plan(r.Clock.Now(), o, r.pausedUntil)
	r.queue(o, p)
	outcome, err := r.carryOut(ctx, o, p)
	if err == nil {
		again, err := r.report(ctx, o, p, outcome)
		if unheld != nil {
			again.RequeueAfter = min(again.RequeueAfter, recheckCredentials)
		}
		return again, err
	}
	if outcome == nil { // the API server is in trouble; what is true of the token is to be told all the same
		p.holdAsItIs(o)
		outcome = p.unchanged(o)
	}
	_, unreported := r.report(ctx, o, p, outcome)
	return ctrl.Result{}, errors.Join(err, unreported)
}

// Wait returns when no refresh token is left to save. The process ends after it.
func (r *Reconciler) Wait() { r.saver.Wait() }

// queue leaves the queues in which there is nothing to wait for: after a change of the endpoint, and with nothing to request.
func (r *Reconciler) queue(o *observation, p *plan) {
	now, key := r.Clock.Now(), client.ObjectKeyFromObject(o.token)
	if p.flow == nil {
		r.gate.forget(now, key)
		r.aside.forget(now, key)
		return
	}
	r.gate.keepTo(now, gateKey(p.flow), key)
	r.aside.keepTo(now, gateKey(p.flow), key)
	if p.step != stepRequest {
		r.gate.renounce(now, gateKey(p.flow), key, p.decision.Reason == renewal.Paused, p.urgency())
	}
}

// carryOut does what a plan says.
func (r *Reconciler) carryOut(ctx context.Context, o *observation, p *plan) (*result, error) {
	if err := r.keepStateMarks(ctx, o); err != nil && p.step != stepWrite { // the target is mended whatever else is wrong
		return r.undeclared(ctx, o, p, err)
	}
	switch p.step {
	case stepRequest:
		return r.request(ctx, o, p)
	case stepWrite:
		if p.answer != nil {
			return r.publish(ctx, o, p)
		}
		outcome, err := r.store(ctx, o, p)
		return r.inviteMeanwhile(ctx, o, p, outcome, err)
	case stepWait:
	}
	if p.held != nil && o.target.standing == ours && len(o.leftovers) > 0 && !p.takesFormer(o) {
		if err := r.removeFormer(ctx, o); err != nil {
			return p.unchanged(o), err
		}
	}
	return r.invite(ctx, o, p, p.unchanged(o))
}

// pausedUntil is the end of the pause that a vendor asked for.
func (r *Reconciler) pausedUntil(flow *oauth.Flow) time.Time {
	return r.gate.pausedUntil(r.Clock.Now(), gateKey(flow), flow.ClientID)
}

// forget drops what memory holds of an OAuthToken that is gone.
func (r *Reconciler) forget(key types.NamespacedName, uid types.UID) {
	r.gate.forget(r.Clock.Now(), key)
	r.aside.forget(r.Clock.Now(), key)
	r.metrics.forget(key)
	r.answers.drop(uid)
	r.reports.drop(uid)
	r.repairs.forget(uid)
	r.unsent.end(uid)
	r.proofs.forget(uid)
	r.revoked.Delete(uid)
	r.unheld.Delete(uid)
}
