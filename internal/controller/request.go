package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

const (
	// sendWithin is how long after its intent a one-time credential may be sent.
	sendWithin = 10 * time.Second
	// shortWait is how long somebody without a status waits for a place before status says so: mostly the turn comes by then.
	shortWait = 2 * time.Minute
	// patience is how long a request may take before status says that one is under way.
	patience = 2 * time.Second
	// defaultLifetime counts where nobody says how long a token lives.
	defaultLifetime = time.Hour
)

// request asks the vendor for a token, once. On success the answer is in r.answers, and a refresh token that came with it is saved.
func (r *Reconciler) request(ctx context.Context, o *observation, p *plan) (*result, error) {
	key := client.ObjectKeyFromObject(o.token)
	endpoint := gateKey(p.flow)
	if !r.gate.enter(r.Clock.Now(), endpoint, key, p.urgency()) {
		outcome := p.unchanged(o)
		outcome.at = earliest(p.expiry(r.Clock.Now()), r.pausedUntil(p.flow), r.Clock.Now().Add(waitingRecheck))
		waited := r.Clock.Since(r.gate.waitsSince(endpoint, key))
		outcome.quiet = waited < shortWait && len(o.token.Status.Conditions) == 0
		r.confirmAhead(ctx, o, p)
		return r.inviteMeanwhile(ctx, o, p, outcome, nil)
	}
	leave := sync.OnceFunc(func() { r.gate.leave(r.Clock.Now(), endpoint, key) })
	defer leave()
	if ctx.Err() != nil {
		return nil, ctx.Err() // somebody else may lead by now
	}
	ctx, end := r.saver.shelter(ctx)
	defer end()
	if found, err := r.confirmAbsence(ctx, o, p); err != nil {
		outcome, err := r.refused(o, p, err)
		return r.inviteMeanwhile(ctx, o, p, outcome, err)
	} else if found {
		return r.carryOut(ctx, o, r.planner.plan(r.Clock.Now(), o, r.pausedUntil))
	}
	token, err := r.exchange(ctx, o, p)
	if err == nil {
		leave() // others need not wait until the answer is written; after a failure the pause is noted first
	}
	if errors.Is(err, errSpecChanged) {
		return r.endAttempt(ctx, o, p, consent.Outcome{Result: consent.SpecChanged}, notice{
			warning: true, reason: v1alpha1.ReasonAuthorizationRequired,
			about: "the spec changed while somebody authorized: authorize again, at the address in status.authorization.url",
		})
	}
	if err != nil {
		return r.failed(ctx, o, p, err)
	}
	return r.succeeded(ctx, o, p, token)
}

// hear tells a gate how a request ended that began at a time. What reached nobody, and did not take long, says nothing.
func (r *Reconciler) hear(g *gate, endpoint string, key client.ObjectKey, started time.Time, err error) {
	now := r.Clock.Now()
	failure, failed := errors.AsType[*oauth.Error](err)
	hung := failed && failure.Class == oauth.Transient && now.Sub(started) >= longWait
	if hung || err == nil || failed && failure.Sent {
		g.heard(now, endpoint, key, hung)
	}
}

// gateKey is what requests are counted by: the endpoint.
func gateKey(flow *oauth.Flow) string {
	if flow.NeedsDiscovery() {
		return flow.Endpoints.IssuerURL
	}
	return flow.Endpoints.TokenURL
}

// exchange makes the request: discovery where it is needed, the intent where something is spent, then the token request itself. An error
// that is no *oauth.Error is the API server's, and nothing was sent.
func (r *Reconciler) exchange(ctx context.Context, o *observation, p *plan) (*oauth.Token, error) {
	if p.exchange.attempt != nil {
		flow, err := r.discovered(ctx, o, &r.gate, p.flow)
		if err != nil {
			return nil, err
		}
		return r.exchangeAnswer(ctx, o, p, flow)
	}
	flow := p.flow
	if flow.NeedsDiscovery() {
		var err error
		if flow, err = r.discovered(ctx, o, &r.gate, flow); err != nil {
			return nil, err
		}
	}
	request, err := r.prepare(flow, p.exchange)
	if err != nil {
		return nil, err
	}
	return r.send(ctx, o, p, request)
}

// send makes the token request, after the intent where something is spent.
func (r *Reconciler) send(ctx context.Context, o *observation, p *plan, request *oauth.Request) (*oauth.Token, error) {
	if p.exchange.once() {
		var err error
		if request.SendBefore, err = r.declare(ctx, o, p); err != nil {
			return nil, fmt.Errorf("write the intent to spend a credential: %w", err)
		}
	}
	defer r.announce(ctx, o, p)()
	started := r.Clock.Now()
	token, err := r.Vendors.Token(ctx, request)
	r.hear(&r.gate, gateKey(p.flow), client.ObjectKeyFromObject(o.token), started, err)
	r.metrics.observeRequest(p.flow, r.Clock.Since(started), err)
	return token, err
}

func (r *Reconciler) prepare(flow *oauth.Flow, e exchange) (*oauth.Request, error) {
	if e.means == byRefresh || e.means == bySeed {
		return flow.RefreshRequest(e.credential), nil
	}
	return flow.TokenRequest(r.Clock.Now())
}

// declare writes to the state Secret that a one-time credential is about to be sent, which proves that writing works and keeps another
// replica from sending it. It returns the time after which nothing may be sent.
func (r *Reconciler) declare(ctx context.Context, o *observation, p *plan) (time.Time, error) {
	now := r.Clock.Now().UTC().Truncate(time.Second)
	hash, deadline := spentHash(p.exchange.credential.Reveal()), now.Add(sendWithin)
	keep := p.keep
	if p.exchange.means == bySeed {
		keep = keep.withSeed(p.exchange.credential, hash, binding(p.flow), now, refreshTokenLifetime(o.token, p.flow))
	}
	if p.exchange.means == bySeed || p.exchange.means == byAssertion {
		keep.Twins = p.twins
	}
	mark := r.unsent.begin(o.token.UID, p.exchange)
	switch p.exchange.means {
	case byAssertion:
		keep = keep.withSpent(hash)
		keep.TakenBy = mark
	case byCode:
		keep.Consent = keep.Consent.Take(p.exchange.attempt.State, deadline)
		keep.TakenBy = mark
	case byRefresh, bySeed, byGrant, byFragment:
		keep.Intent = &intent{Deadline: deadline, Credential: hash, Mark: mark}
	}
	written, err := writeState(ctx, r.Client, o.token, o.state, keep)
	if err != nil {
		return time.Time{}, err
	}
	r.unsent.end(o.token.UID)
	keep.TakenBy = "" // it is sent now
	o.state, p.keep, p.declared = written, keep, true
	return deadline, nil
}

// announce says in status that a request is under way, if it takes long and there is no good token. The returned function ends that.
func (r *Reconciler) announce(ctx context.Context, o *observation, p *plan) (stop func()) {
	if p.served(r.Clock.Now()) != nil {
		return func() {}
	}
	ended, finished := make(chan struct{}), make(chan struct{})
	timer := r.Clock.NewTimer(patience)
	go func() {
		defer close(finished)
		select {
		case <-timer.C():
			r.reportRequesting(ctx, o, p)
		case <-ended:
		}
	}()
	return func() {
		timer.Stop()
		close(ended)
		<-finished
	}
}

// stateKey names an OAuthToken's state Secret.
func stateKey(token *v1alpha1.OAuthToken) client.ObjectKey {
	return client.ObjectKey{Namespace: token.Namespace, Name: stateName(token)}
}
