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
	return declaration.Credentials(o.credentials.secret).Once(oauth.RefreshToken)
}

// shareOf is what OAuthTokens have in common that would send the same credential, of those that can be sent once: its key and its Secret. Grants
// that begin with the same key share it, and a grant counts as well where it is the vendor's and not stated. Empty: the grant takes none.
func shareOf(token *v1alpha1.OAuthToken, catalogue *oauth.Catalogue) string {
	key := declaration.Grant(token, catalogue).OnceKey()
	if key == "" {
		return ""
	}
	return key + "/" + token.Spec.CredentialsSecretRef.Name
}

// observeSharers finds out who else would send what the credentials hold that can be sent once, and who has. A vendor that sees a spent refresh
// token ends all that came of it, whoever's that is by now; one that has seen an assertion refuses whoever brings it once more.
func (r *Reconciler) observeSharers(ctx context.Context, o *observation) error {
	share := shareOf(o.token, r.Platform.Catalogue)
	credential := declaration.Credentials(o.credentials.secret).Once(declaration.Grant(o.token, r.Platform.Catalogue))
	if share == "" || credential.IsEmpty() {
		return nil
	}
	if err := r.observeSenders(ctx, o, spentHash(credential.Reveal())); err != nil {
		return err
	}
	others, err := r.others(ctx, o.token, indexOnce, share)
	if err != nil {
		return err
	}
	for i := range others {
		other := &others[i]
		o.sharers = append(o.sharers, claimOf(other))
		if slices.Contains(o.senders, other.Name) {
			continue
		}
		issued, err := r.issuedFor(ctx, other, o.credentials)
		if err != nil {
			return err
		}
		if issued {
			o.senders, o.sent = append(o.senders, other.Name), true
		}
	}
	return nil
}

// observeSenders finds the state Secrets of others that tell of a credential that was sent. An intent that is still open may come to nothing.
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
		o.senders = append(o.senders, state.Annotations[v1alpha1.OwnerAnnotation])
		o.sent = o.sent || !fence(now, parseState(state)).After(now)
	}
	return nil
}

// issuedFor tells whether another OAuthToken's target holds a token that was given for the credentials as they are.
func (r *Reconciler) issuedFor(ctx context.Context, other *v1alpha1.OAuthToken, credentials credentialsView) (bool, error) {
	settings := declaration.Settings(other, credentials.secret, r.Platform)
	settings.EnableInteractive = true // or it was, when the token was got
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

// noteSent notes that what the credentials hold was sent that can be sent once, where what tells of it may go: another OAuthToken with its Secrets,
// or, where the state Secret is lost, the token that came of it.
func (r *plan) noteSent(o *observation) {
	if r.flow == nil {
		return
	}
	_, credential := r.flow.Once()
	if credential.IsEmpty() {
		return
	}
	hash := spentHash(credential.Reveal())
	if o.sent && !r.keep.spent(hash) {
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
	if !flow.Grant.TakesRefreshToken() || seed.IsEmpty() {
		return exchange{}, false, nil
	}
	free, fault := freeToSend(flow.Grant, seed, o, k)
	if !free {
		return exchange{}, false, fault
	}
	return exchange{means: bySeed, credential: seed}, true, nil
}

// assertionExchange sends the ready assertion in the credentials, where that was not done yet, or one that is signed for this request.
func assertionExchange(flow *oauth.Flow, o *observation, k keepsake) (exchange, *problem) {
	if lacking := flow.Lacking(); lacking != nil {
		return exchange{}, &problem{reason: v1alpha1.ReasonAwaitingCredentials, message: lacking.Error(), waiting: true}
	}
	assertion, ready := flow.ReadyAssertion()
	if !ready {
		return exchange{means: byGrant}, nil
	}
	free, fault := freeToSend(flow.Grant, assertion, o, k)
	switch {
	case fault != nil:
		return exchange{}, fault
	case !free:
		return exchange{}, &problem{
			reason:  v1alpha1.ReasonAwaitingCredentials,
			message: "the SAML assertion in the credentials Secret was sent already: put a fresh one under the key assertion",
			waiting: true,
		}
	}
	return exchange{means: byAssertion, credential: assertion}, nil
}

// freeToSend tells whether nobody has sent a credential that can be sent once: whoever has sent it has what came of it. The fault is that another
// OAuthToken has it.
func freeToSend(grant oauth.GrantType, credential oauth.Sensitive, o *observation, k keepsake) (free bool, fault *problem) {
	hash := spentHash(credential.Reveal())
	if k.spent(hash) {
		return false, nil
	}
	if fault := claimed(grant, o); fault != nil {
		return false, fault
	}
	return len(o.senders) == 0 && !slices.Contains(k.Elsewhere, hash), nil
}

// claimed is the problem that another OAuthToken sends what can be sent once: one that has sent it, else the oldest.
func claimed(grant oauth.GrantType, o *observation) *problem {
	for _, other := range o.sharers {
		if !slices.Contains(o.senders, other.name) && !other.before(claimOf(o.token)) {
			continue
		}
		message := "OAuthToken \"" + other.name + "\" spends the refresh token of this credentials Secret, and each can be spent once: " +
			"give this OAuthToken a credentials Secret with a refresh token of its own"
		if grant == oauth.SAML2Bearer {
			message = "OAuthToken \"" + other.name + "\" sends the SAML assertion of this credentials Secret, and each can be sent once: " +
				"give this OAuthToken a credentials Secret with an assertion of its own, or with saml_signing_key and saml_signing_certificate"
		}
		return &problem{reason: v1alpha1.ReasonInvalidSpec, message: message}
	}
	return nil
}
