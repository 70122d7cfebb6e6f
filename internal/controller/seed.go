package controller

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
)

// seed is the first refresh token in the credentials; empty: there is none.
func (o *observation) seed() oauth.Sensitive {
	return declaration.Credentials(o.credentials.secret)[keyRefreshToken]
}

// spendsSeed tells whether an OAuthToken begins with a first refresh token, as it states or as its vendor leaves no choice.
func spendsSeed(token *v1alpha1.OAuthToken, catalogue *oauth.Catalogue) bool {
	return declaration.Grant(token, catalogue) == oauth.RefreshToken
}

// observeSeed finds out who else would send the first refresh token in the credentials, and who has: a vendor that sees a spent one ends all
// that came of it, whoever's that is by now.
func (r *Reconciler) observeSeed(ctx context.Context, o *observation) error {
	seed := o.seed()
	if seed.IsEmpty() || !spendsSeed(o.token, r.Platform.Catalogue) {
		return nil
	}
	if err := r.observeSenders(ctx, o, spentHash(seed.Reveal())); err != nil {
		return err
	}
	others, err := r.others(ctx, o.token, indexSeed, o.token.Spec.CredentialsSecretRef.Name)
	if err != nil {
		return err
	}
	for i := range others {
		other := &others[i]
		o.seedRivals = append(o.seedRivals, claimOf(other))
		if slices.Contains(o.seedSenders, other.Name) {
			continue
		}
		issued, err := r.issuedBySeed(ctx, other, o.credentials)
		if err != nil {
			return err
		}
		if issued {
			o.seedSenders, o.seedSent = append(o.seedSenders, other.Name), true
		}
	}
	return nil
}

// observeSenders finds the state Secrets of others that tell of a seed. An intent that is still open may come to nothing.
func (r *Reconciler) observeSenders(ctx context.Context, o *observation, hash string) error {
	var states corev1.SecretList
	if err := r.Client.List(ctx, &states, client.InNamespace(o.token.Namespace), client.MatchingFields{indexSpent: hash},
		client.DisableReadYourWritesConsistency); err != nil {
		return err
	}
	now := r.Clock.Now()
	for i := range states.Items {
		state := &states.Items[i]
		if state.Name == stateName(o.token) {
			continue
		}
		o.seedSenders = append(o.seedSenders, state.Annotations[v1alpha1.OwnerAnnotation])
		o.seedSent = o.seedSent || !fence(now, parseState(state)).After(now)
	}
	return nil
}

// issuedBySeed tells whether another OAuthToken's target holds a token that was given for the credentials as they are.
func (r *Reconciler) issuedBySeed(ctx context.Context, other *v1alpha1.OAuthToken, credentials credentialsView) (bool, error) {
	settings := declaration.Settings(other, credentials.secret, r.Platform)
	flow, obstacle := r.planner.resolve(&observation{token: other, credentials: credentials}, settings)
	if obstacle != nil {
		return false, nil
	}
	secret, err := secretOrNil(ctx, r.Client, client.ObjectKey{Namespace: other.Namespace, Name: targetName(other)}, client.DisableReadYourWritesConsistency)
	if err != nil {
		return false, err
	}
	view := viewTarget(other, secret)
	return view.recorded && r.planner.fingerprint(settings, flow).equal(view.record.RequestHash), nil
}

// noteSeed notes that the first refresh token in the credentials was sent, where what tells of it may go: another OAuthToken with its Secrets,
// or, where the state Secret is lost, the token that came of it.
func (r *plan) noteSeed(o *observation) {
	seed := o.seed()
	if seed.IsEmpty() || r.flow == nil || r.flow.Grant != oauth.RefreshToken {
		return
	}
	hash := spentHash(seed.Reveal())
	if o.seedSent && !r.keep.spent(hash) {
		r.keep = r.keep.withElsewhere(hash)
	}
	if len(r.keep.Spent) == 0 && r.issuedNow(o) {
		r.keep = r.keep.withSpent(hash)
	}
}

// issuedNow tells whether a target holds a token that was given for the spec and the credentials as they are.
func (r *plan) issuedNow(o *observation) bool {
	former := func(secret corev1.Secret) bool {
		return r.fingerprint.equal(secret.Annotations[v1alpha1.RequestHashAnnotation])
	}
	return o.target.recorded && r.fingerprint.equal(o.target.record.RequestHash) || slices.ContainsFunc(o.leftovers, former)
}

// seedExchange sends the first refresh token in the credentials, where that was not done yet; ok is false otherwise. The fault is that another
// OAuthToken has it.
func seedExchange(flow *oauth.Flow, o *observation, k keepsake) (e exchange, ok bool, fault *problem) {
	seed := o.seed()
	if flow.Grant != oauth.RefreshToken || seed.IsEmpty() {
		return exchange{}, false, nil
	}
	hash := spentHash(seed.Reveal())
	if k.spent(hash) { // whoever has sent it has what came of it
		return exchange{}, false, nil
	}
	if fault := seedClaimed(o); fault != nil {
		return exchange{}, false, fault
	}
	if len(o.seedSenders) > 0 || slices.Contains(k.Elsewhere, hash) {
		return exchange{}, false, nil
	}
	return exchange{means: bySeed, credential: seed}, true, nil
}

// seedClaimed is the problem that another OAuthToken spends the same first refresh token: one that has sent it, else the oldest.
func seedClaimed(o *observation) *problem {
	for _, rival := range o.seedRivals {
		if slices.Contains(o.seedSenders, rival.name) || rival.before(claimOf(o.token)) {
			return &problem{
				reason: v1alpha1.ReasonInvalidSpec,
				message: "OAuthToken \"" + rival.name + "\" spends the refresh token of this credentials Secret, and each can be spent once: " +
					"give this OAuthToken a credentials Secret with a refresh token of its own",
			}
		}
	}
	return nil
}
