package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/content"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
)

const (
	// revocationLimit is how long a deletion waits for its revocation.
	revocationLimit = 5 * time.Minute
	// revocationPause is the time between two attempts.
	revocationPause = 15 * time.Second
)

// keepFinalizer lets the finalizer be there just while the spec asks for revocation.
func (r *Reconciler) keepFinalizer(ctx context.Context, o *observation) error {
	if controllerutil.ContainsFinalizer(o.token, v1alpha1.RevokeFinalizer) == o.token.Spec.RevokeOnDelete {
		return nil
	}
	before := o.token.DeepCopy()
	if o.token.Spec.RevokeOnDelete {
		controllerutil.AddFinalizer(o.token, v1alpha1.RevokeFinalizer)
	} else {
		controllerutil.RemoveFinalizer(o.token, v1alpha1.RevokeFinalizer)
	}
	err := r.patchFinalizers(ctx, before, o.token)
	if err != nil {
		o.token.Finalizers = before.Finalizers
	}
	return err
}

// tellUnheld tells once that the finalizer is refused. Nothing else waits for it.
func (r *Reconciler) tellUnheld(token *v1alpha1.OAuthToken, refusal error) {
	if refusal == nil {
		r.unheld.Delete(token.UID)
		return
	}
	if _, told := r.unheld.Swap(token.UID, true); told {
		return
	}
	about := "a deletion would revoke nothing, and leave the Secrets: the API server refuses the finalizer: "
	if !token.Spec.RevokeOnDelete {
		about = "a deletion would revoke the token all the same: the API server refuses that the finalizer goes: "
	}
	r.event(token, notice{warning: true, reason: v1alpha1.EventRevocationFailed, about: about +
		obstacleOf(refusal, "let the cluster's policies and the operator's role allow it", "let its policy allow it")})
}

func (r *Reconciler) patchFinalizers(ctx context.Context, before, after *v1alpha1.OAuthToken) error {
	status := after.Status // the answer would overwrite what memory holds
	err := r.Client.Patch(ctx, after, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(fieldManager))
	after.Status = status
	return withoutWords(client.IgnoreNotFound(err))
}

// finalize revokes what a deleted OAuthToken holds, removes its Secrets, which nobody else does, and lets it go: when the revocation is done,
// when it can't be done, or after five minutes.
func (r *Reconciler) finalize(ctx context.Context, o *observation) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(o.token, v1alpha1.RevokeFinalizer) {
		return ctrl.Result{}, nil
	}
	r.gate.forget(r.Clock.Now(), client.ObjectKeyFromObject(o.token))
	if _, done := r.revoked.Load(o.token.UID); !done {
		n, again := r.revoke(ctx, o)
		if o.saving { // what is being saved is to be revoked, too
			again = max(again, revocationPause)
		}
		if left := revocationLimit - r.Clock.Since(o.token.DeletionTimestamp.Time); again > 0 && left > 0 {
			return ctrl.Result{RequeueAfter: min(again, left)}, nil
		}
		r.revoked.Store(o.token.UID, true)
		if n != nil {
			r.event(o.token, *n)
		}
	}
	if err := r.removeSecrets(ctx, o); err != nil {
		return ctrl.Result{}, err
	}
	before := o.token.DeepCopy()
	controllerutil.RemoveFinalizer(o.token, v1alpha1.RevokeFinalizer)
	return ctrl.Result{}, r.patchFinalizers(ctx, before, o.token)
}

// removeSecrets deletes target and state Secret, unless they are to stay.
func (r *Reconciler) removeSecrets(ctx context.Context, o *observation) error {
	if retains(o.token) {
		return nil
	}
	if err := r.removeFormer(ctx, o); err != nil {
		return err
	}
	for key, ours := range map[client.ObjectKey]func(*corev1.Secret) bool{
		{Namespace: o.token.Namespace, Name: targetName(o.token)}: func(s *corev1.Secret) bool { return isOurTarget(o.token, s) },
		stateKey(o.token): func(s *corev1.Secret) bool { return isOurState(o.token, s) },
	} {
		live, err := r.liveSecret(ctx, key)
		if err != nil {
			return fmt.Errorf("read Secret %q, to delete it with its OAuthToken: %w", key.Name, wordless{err})
		}
		if live == nil || !ours(live) {
			continue
		}
		err = r.Client.Delete(ctx, live, client.Preconditions{UID: &live.UID, ResourceVersion: &live.ResourceVersion})
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete Secret %q with its OAuthToken: %w", key.Name, wordless{err})
		}
	}
	return nil
}

// isOurTarget tells whether a Secret is this OAuthToken's target.
func isOurTarget(token *v1alpha1.OAuthToken, secret *corev1.Secret) bool {
	standing, _ := standingOf(token, secret)
	return standing == ours
}

// revoke calls the revocation endpoint for the refresh token and the access token (RFC 7009). It returns what to tell, and after which
// pause another attempt may help; 0: none does.
func (r *Reconciler) revoke(ctx context.Context, o *observation) (*notice, time.Duration) {
	live, err := r.liveSecret(ctx, client.ObjectKey{Namespace: o.token.Namespace, Name: targetName(o.token)})
	if err != nil {
		return revocationFailed("the target Secret can't be read"), revocationPause
	}
	if storedRefreshToken(o).Value.IsEmpty() && writtenAccessToken(o, live).IsEmpty() && !o.saving { // whatever is wrong with the spec
		return r.lost(o), 0
	}
	settings := declaration.Settings(o.token, o.credentials.secret, r.Platform)
	settings.EnableInteractive, settings.EnableImplicit = true, true // nobody is asked in a browser for what is to be revoked
	flow, obstacle := r.planner.resolve(o, settings)
	if obstacle != nil {
		if o.credentials.secret == nil {
			return revocationFailed(obstacle.message), 0
		}
		return revocationFailed(obstacle.message), revocationPause
	}
	held, strange := revocable(o, flow, live, r.planner.fingerprint(settings, flow))
	if len(held) > 0 {
		if failed, again := r.askToRevoke(ctx, o, flow, held); failed != nil {
			return failed, again
		}
	}
	switch {
	case strange:
		return revocationFailed(givenElsewhere), 0
	case len(held) > 0:
		return &notice{reason: v1alpha1.EventTokenRevoked, about: "the vendor has revoked the token"}, 0
	}
	return r.lost(o), 0
}

// lost is what to tell where no token is held that could be revoked: nil, where none is known to be good.
func (r *Reconciler) lost(o *observation) *notice {
	if expires := o.token.Status.ExpiresAt; expires == nil || !expires.After(r.Clock.Now()) {
		return nil
	}
	return revocationFailed("its Secret is gone already or does not hold it")
}

// askToRevoke asks the vendor to revoke what is held. It returns what to tell where that fails, as revoke does.
func (r *Reconciler) askToRevoke(ctx context.Context, o *observation, flow *oauth.Flow, held map[string]oauth.Sensitive) (*notice, time.Duration) {
	endpoint, clientID, key := gateKey(flow), flow.ClientID, client.ObjectKeyFromObject(o.token)
	if pause := r.aside.pausedUntil(r.Clock.Now(), endpoint, clientID).Sub(r.Clock.Now()); pause > 0 {
		return revocationFailed("the vendor asked for a pause that is not over"), pause
	}
	if !r.aside.enter(r.Clock.Now(), endpoint, key, o.token.DeletionTimestamp.Time) {
		return revocationFailed("too many requests to the vendor were left unanswered for this one to be sent"), revocationPause
	}
	defer func() { r.aside.leave(r.Clock.Now(), endpoint, key) }()
	flow, err := r.withRevocationEndpoint(ctx, o, flow)
	if err != nil {
		return revocationFailed(err.Error()), r.revocationAgain(endpoint, clientID, err)
	}
	requests, known := revocations(flow, held)
	if !known {
		return revocationFailed("the vendor has no revocation endpoint that is known: set spec.endpoints.revocationURL"), 0
	}
	for _, request := range requests {
		started := r.Clock.Now()
		err := r.Vendors.Revoke(ctx, request)
		r.hear(&r.aside, endpoint, key, started, err)
		if err != nil {
			return revocationFailed(err.Error()), r.revocationAgain(endpoint, clientID, err)
		}
	}
	return nil, 0
}

// revocationAgain is the pause after a failure. One that the vendor asked for holds for all revocations of this client.
func (r *Reconciler) revocationAgain(endpoint, clientID string, err error) time.Duration {
	failure, ok := errors.AsType[*oauth.Error](err)
	if !ok || failure.Class != oauth.Throttled {
		return revocationPause
	}
	pause := cmp.Or(failure.RetryAfter, pauseOfOthers)
	r.aside.pause(endpoint, clientID, r.Clock.Now().Add(pause))
	return pause
}

// withRevocationEndpoint is the flow with the revocation endpoint that discovery finds, where none is stated.
func (r *Reconciler) withRevocationEndpoint(ctx context.Context, o *observation, flow *oauth.Flow) (*oauth.Flow, error) {
	if !flow.NeedsRevocationEndpoint() {
		return flow, nil
	}
	return r.askIssuer(ctx, o, &r.aside, flow)
}

// givenElsewhere is why something is not revoked that is no business of whom the spec names now.
const givenElsewhere = "it was given to another client, by another vendor, or for another spec, than what is stated now: revoke it there"

// revocable are the tokens that are held, by their hints. Something is strange, and not among them, where another vendor has given it, or another
// client has got it, than are stated now: an access token of another spec, and a refresh token that is bound to others.
func revocable(o *observation, flow *oauth.Flow, live *corev1.Secret, now fingerprint) (held map[string]oauth.Sensitive, strange bool) {
	held = map[string]oauth.Sensitive{}
	switch stored := storedRefreshToken(o); {
	case stored.Value.IsEmpty():
	case stored.Binding == "" || stored.Binding == binding(flow):
		held[hintRefreshToken] = stored.Value
	default:
		strange = true
	}
	switch written := writtenAccessToken(o, live); {
	case written.IsEmpty():
	case now.surelySameSpec(live.Annotations[v1alpha1.RequestHashAnnotation]):
		held[hintAccessToken] = written
	default:
		strange = true
	}
	return held, strange
}

// storedRefreshToken is the one that the state Secret holds; its value is empty where it holds none.
func storedRefreshToken(o *observation) refreshToken {
	if o.state == nil || !isOurState(o.token, o.state) {
		return refreshToken{}
	}
	return parseState(o.state).held()
}

// writtenAccessToken is the one that the target Secret holds; empty: it holds none. A template or somebody's edit can put anything under its key, and
// a vendor says of any text that it has revoked it.
func writtenAccessToken(o *observation, live *corev1.Secret) oauth.Sensitive {
	if !isOurTarget(o.token, live) {
		return oauth.Sensitive{}
	}
	value := string(live.Data[content.KeyAccessToken])
	if seal, sealed := parseSeal(live.Annotations[v1alpha1.DataHashAnnotation]); !sealed || seal.token != hashToken(value) {
		return oauth.Sensitive{}
	}
	return oauth.NewSensitive(value)
}

// The hints of a revocation (RFC 7009, section 2.1).
const (
	hintRefreshToken = "refresh_token"
	hintAccessToken  = "access_token"
)

// revocations are the requests that revoke what is held, the refresh token first: its access tokens should end with it (RFC 7009,
// section 2.1). known is false where there is something to revoke and no endpoint for it.
func revocations(flow *oauth.Flow, held map[string]oauth.Sensitive) (requests []*oauth.Request, known bool) {
	for _, hint := range []string{hintRefreshToken, hintAccessToken} {
		if token, ok := held[hint]; ok {
			request := flow.RevocationRequest(token, hint)
			if request == nil {
				return nil, false
			}
			requests = append(requests, request)
		}
	}
	return requests, true
}

func revocationFailed(why string) *notice {
	return &notice{warning: true, reason: v1alpha1.EventRevocationFailed, about: "the token was not revoked and stays good until its end: " + why}
}
