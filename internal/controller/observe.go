package controller

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// observation is all that a plan is made from.
type observation struct {
	token       *v1alpha1.OAuthToken
	credentials credentialsView
	target      targetView
	live        *corev1.Secret  // the target with its data, read where something about it must be mended; else nil
	former      *corev1.Secret  // the target under its former name with its data, read where that was served last; else nil
	leftovers   []corev1.Secret // targets under former names, from the cache
	state       *corev1.Secret  // nil: none
	rivals      []claim         // other OAuthTokens that want the same target
	sharers     []claim         // other OAuthTokens that would send the same credential, which can be sent once
	senders     []string        // other OAuthTokens, there or gone, that send it, or have sent it
	sent        bool            // one of these has sent it, and can't take that back
	answer      *answer         // a vendor's answer that is not written yet
	saving      bool            // something is being written to the state Secret
	saves       worth           // what that is worth
	unsent      []use           // what was announced, maybe, and not sent
	mendAt      time.Time       // the target is not to be mended before; zero: at once
	lastSuccess time.Time       // when the last token was requested, as far as memory tells
	rested      bool            // it has been suspended since its token was issued, as far as memory and status tell
}

// credentialsView is what there is of the credentials Secret.
type credentialsView struct {
	secret     *corev1.Secret // nil: none that is labelled
	unlabelled bool           // it exists, without the label
	otherRole  bool           // the label has another value
}

// observe reads what there is, from the cache but for what the cache can't tell. nil: there is no such OAuthToken.
func (r *Reconciler) observe(ctx context.Context, key client.ObjectKey) (*observation, error) {
	token := &v1alpha1.OAuthToken{}
	if err := r.Client.Get(ctx, key, token); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if former := r.uids.note(key, token.UID); former != "" { // deleted and made anew between two looks
		r.forget(key, former)
	}
	r.reports.take(token)
	o := &observation{token: token, answer: r.answers.get(token.UID), saving: r.saver.busy(token.UID), saves: r.saver.saves(token.UID), unsent: r.unsent.since(token.UID)}
	o.mendAt, o.lastSuccess, o.rested = r.repairs.allowedAt(token.UID), r.repairs.lastSuccess(token.UID), r.metrics.rested(token)
	for _, read := range []func(context.Context, *observation) error{
		r.observeCredentials, r.observeTarget, r.observeFormerTargets, r.observeState, r.observeRivals, r.observeSharers,
	} {
		if err := read(ctx, o); err != nil {
			return nil, err
		}
	}
	r.repairs.see(token.UID, r.Clock.Now(), o.target.requestedAt())
	if o.former != nil {
		r.repairs.see(token.UID, r.Clock.Now(), viewTarget(token, hashed(o.former)).requestedAt())
	}
	return o, nil
}

// observeCredentials takes the credentials Secret from the cache, or live where the cache does not show one that is there. Of one without the label
// nothing but its metadata is read.
func (r *Reconciler) observeCredentials(ctx context.Context, o *observation) error {
	key := client.ObjectKey{Namespace: o.token.Namespace, Name: o.token.Spec.CredentialsSecretRef.Name}
	secret, err := r.cachedSecret(ctx, key)
	if err != nil {
		return err
	}
	if secret != nil && secret.Labels[v1alpha1.RoleLabel] == v1alpha1.RoleCredentials {
		o.credentials.secret = secret
		return nil
	}
	if secret != nil { // a target or state Secret, labelled as such
		o.credentials.unlabelled, o.credentials.otherRole = true, true
		return nil
	}
	var found metav1.PartialObjectMetadata
	found.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err = r.Live.Get(ctx, key, &found)
	role, labelled := found.Labels[v1alpha1.RoleLabel]
	switch {
	case err != nil:
		return client.IgnoreNotFound(err)
	case role != v1alpha1.RoleCredentials:
		o.credentials.unlabelled, o.credentials.otherRole = true, labelled
		return nil
	}
	live, err := r.liveSecret(ctx, key) // the watch of OAuthTokens was quicker than that of Secrets
	if live != nil && live.Labels[v1alpha1.RoleLabel] == v1alpha1.RoleCredentials {
		o.credentials.secret = live
	}
	return err
}

// observeTarget views the target, and reads it live where it must be mended.
func (r *Reconciler) observeTarget(ctx context.Context, o *observation) error {
	key := client.ObjectKey{Namespace: o.token.Namespace, Name: targetName(o.token)}
	secret, err := r.cachedSecret(ctx, key)
	if err != nil {
		return err
	}
	reason, _ := problemIn(o.token.Status)
	if secret == nil && (o.token.Status.SecretName == key.Name || reason == v1alpha1.ReasonSecretConflict) {
		return r.observeLive(ctx, o) // one that lost its label, or never had it, is not in the cache
	}
	if o.target, err = r.view(ctx, o.token, secret); err != nil {
		return err
	}
	if o.target.standing != ours || o.target.complaint != "" || !o.needsMending(r.hasher) {
		return nil
	}
	return r.observeLive(ctx, o)
}

// observeLive views the target as the API server has it, where the cache is behind or can't show it.
func (r *Reconciler) observeLive(ctx context.Context, o *observation) error {
	live, err := r.liveSecret(ctx, client.ObjectKey{Namespace: o.token.Namespace, Name: targetName(o.token)})
	if err != nil {
		return err
	}
	o.live, o.target = nil, targetView{}
	if live == nil {
		return nil
	}
	if o.target, err = r.view(ctx, o.token, hashed(live)); err != nil {
		return err
	}
	if o.target.standing == ours {
		o.live = live
	}
	return nil
}

// view views a Secret with hashed data. One that an OAuthToken of another name has left behind can be handed over as if it were nobody's.
func (r *Reconciler) view(ctx context.Context, token *v1alpha1.OAuthToken, secret *corev1.Secret) (targetView, error) {
	v := viewTarget(token, secret)
	if v.standing != foreign || !handedFromAnother(token, secret) {
		return v, nil
	}
	former := client.ObjectKey{Namespace: secret.Namespace, Name: secret.Annotations[v1alpha1.OwnerAnnotation]}
	for _, reader := range []client.Reader{r.Client, r.Live} { // absence in the cache is no proof
		err := reader.Get(ctx, former, &v1alpha1.OAuthToken{}, client.DisableReadYourWritesConsistency)
		if err == nil || !apierrors.IsNotFound(err) {
			return v, client.IgnoreNotFound(err)
		}
	}
	left := secret.DeepCopy()
	delete(left.Annotations, v1alpha1.OwnerAnnotation)
	return viewTarget(token, left), nil
}

// needsMending tells whether the target differs from what the operator would write with the token that it holds.
func (o *observation) needsMending(h hasher) bool {
	t := o.target
	return !t.intact() || !t.rendered(o.token) || !t.dressed(o.token) || !h.recognises(t.record.RequestHash)
}

// ownedTargets are the target Secrets that say they belong to an OAuthToken. One of its own name is in no index, and is among them where the
// spec has another name.
func (r *Reconciler) ownedTargets(ctx context.Context, token *v1alpha1.OAuthToken) ([]corev1.Secret, error) {
	var owned corev1.SecretList
	if err := r.Client.List(ctx, &owned, client.InNamespace(token.Namespace), client.MatchingFields{indexOwner: token.Name},
		client.DisableReadYourWritesConsistency); err != nil {
		return nil, err
	}
	if targetName(token) == token.Name {
		return owned.Items, nil
	}
	namesake, err := secretOrNil(ctx, r.Client, client.ObjectKeyFromObject(token), client.DisableReadYourWritesConsistency)
	if err != nil || namesake == nil || ownerOf(namesake) != token.Name {
		return owned.Items, err
	}
	return append(owned.Items, *namesake), nil
}

// observeState finds the state Secret. One that lost its label is not in the cache: where status tells of what it holds, or of a Secret in its place,
// the API server is asked.
func (r *Reconciler) observeState(ctx context.Context, o *observation) (err error) {
	if o.state, err = r.cachedSecret(ctx, stateKey(o.token)); err != nil || o.state != nil {
		return err
	}
	_, message := problemIn(o.token.Status)
	if o.token.Status.RefreshToken != nil || o.token.Status.Authorization != nil || message == foreignState(o.token) {
		o.state, err = r.liveSecret(ctx, stateKey(o.token))
	}
	return err
}

// observeRivals finds other OAuthTokens that want the same target.
func (r *Reconciler) observeRivals(ctx context.Context, o *observation) error {
	if o.target.standing == ours {
		return nil
	}
	others, err := r.others(ctx, o.token, indexTarget, targetName(o.token))
	if err != nil {
		return err
	}
	for i := range others {
		o.rivals = append(o.rivals, claimOf(&others[i]))
	}
	return r.observeNamesake(ctx, o)
}

// observeNamesake finds the OAuthToken that has the target's name and wants it too: it is in no index.
func (r *Reconciler) observeNamesake(ctx context.Context, o *observation) error {
	key := client.ObjectKey{Namespace: o.token.Namespace, Name: targetName(o.token)}
	if key.Name == o.token.Name {
		return nil
	}
	namesake := &v1alpha1.OAuthToken{}
	if err := r.Client.Get(ctx, key, namesake, client.DisableReadYourWritesConsistency); err != nil {
		return client.IgnoreNotFound(err)
	}
	if targetName(namesake) == key.Name && namesake.DeletionTimestamp.IsZero() {
		o.rivals = append(o.rivals, claimOf(namesake))
	}
	return nil
}

// others lists the other OAuthTokens that an index finds under a value, without those that are going.
func (r *Reconciler) others(ctx context.Context, token *v1alpha1.OAuthToken, index, value string) ([]v1alpha1.OAuthToken, error) {
	var list v1alpha1.OAuthTokenList
	if err := r.Client.List(ctx, &list, client.InNamespace(token.Namespace), client.MatchingFields{index: value},
		client.DisableReadYourWritesConsistency); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(other v1alpha1.OAuthToken) bool {
		return other.UID == token.UID || !other.DeletionTimestamp.IsZero()
	}), nil
}

// cachedSecret reads a Secret from the cache, which holds labelled ones only. nil: it is not there.
// Where it does not show what was written last within seconds, because something took the label away, the API server is asked.
func (r *Reconciler) cachedSecret(ctx context.Context, key client.ObjectKey) (*corev1.Secret, error) {
	brief, cancel := context.WithTimeout(ctx, cachePatience)
	defer cancel()
	secret, err := secretOrNil(brief, r.Client, key)
	if err == nil || brief.Err() == nil || ctx.Err() != nil {
		return secret, err
	}
	if secret, err = r.liveSecret(ctx, key); err != nil || secret == nil {
		return secret, err
	}
	return slimmed(secret), nil
}

// cachePatience is how long the cache may take to show the operator's own writes.
const cachePatience = 5 * time.Second

// liveSecret reads a Secret from the API server. nil: there is none.
func (r *Reconciler) liveSecret(ctx context.Context, key client.ObjectKey) (*corev1.Secret, error) {
	return secretOrNil(ctx, r.Live, key)
}

func secretOrNil(ctx context.Context, reader client.Reader, key client.ObjectKey, options ...client.GetOption) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	if err := reader.Get(ctx, key, secret, options...); apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // absence is an answer, not a fault
	} else if err != nil {
		return nil, err
	}
	return secret, nil
}
