package controller

import (
	"cmp"
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/renewal"
)

// invite sees to the link by which a person can authorize: that there is one while it is wanted, and none otherwise.
func (r *Reconciler) invite(ctx context.Context, o *observation, p *plan, outcome *result) (*result, error) {
	if p.flow == nil || o.saving || stateConflict(o) != nil {
		return outcome, nil
	}
	now, keep, ticket := r.Clock.Now(), p.keep, oauth.Sensitive{}
	if consentWanted(now, o.token, p, outcome) == nil {
		keep.Consent = keep.Consent.Withdraw()
		r.aside.renounce(now, gateKey(p.flow), client.ObjectKeyFromObject(o.token), false, time.Time{})
	} else {
		offer, err := r.offerInTurn(ctx, o, p, outcome)
		if err != nil {
			return r.uninvited(ctx, o, p, outcome, err)
		}
		if offer == nil {
			return outcome, nil
		}
		keep.Consent, ticket = r.linked(o.token, keep.Consent, *offer)
	}
	if keep.changed(storedKeepsake(o)) {
		written, err := writeState(ctx, r.Client, o.token, o.state, keep)
		if err != nil {
			return r.undeclared(ctx, o, p, err)
		}
		o.state, p.keep, outcome.keep = written, keep, keep
	}
	if !ticket.IsEmpty() {
		outcome.link = r.Platform.PortalURL + ticketPath + ticket.Reveal()
	}
	outcome.at = earliest(outcome.at, keep.Consent.Next(now), nextAfter(now, consentSoon(usable(p.flow, keep))))
	return outcome, nil
}

// inviteMeanwhile sees to the link where something else comes first, and has to wait: the API server refuses the target, or there is no place at
// the endpoint. What a browser brought is used before anybody is asked again.
func (r *Reconciler) inviteMeanwhile(ctx context.Context, o *observation, p *plan, outcome *result, err error) (*result, error) {
	if err != nil || outcome.written || outcome.quiet || p.exchange.attempt != nil || consentWanted(r.Clock.Now(), o.token, p, outcome) == nil {
		return outcome, err
	}
	return r.invite(ctx, o, p, outcome)
}

// offerInTurn is offer, at an issuer's pace; nil: it is not the time for it yet, and what the issuer said last still holds. Once it can be read,
// that is over.
func (r *Reconciler) offerInTurn(ctx context.Context, o *observation, p *plan, outcome *result) (*consent.Offer, error) {
	now, endpoint, key := r.Clock.Now(), gateKey(p.flow), client.ObjectKeyFromObject(o.token)
	said := p.saidByIssuer(now, o)
	if needsIssuer(p.flow) && !r.Vendors.Knows(p.flow.Endpoints.IssuerURL, p.flow.CABundle) {
		var again time.Time
		switch {
		case said != nil && lookAgain(o).After(now):
			again = lookAgain(o)
		case r.aside.enter(now, endpoint, key, p.urgency()):
			defer func() { r.aside.leave(r.Clock.Now(), endpoint, key) }()
		default:
			again = now.Add(waitingRecheck)
		}
		if !again.IsZero() {
			outcome.problem, outcome.at = firstProblem(said, outcome.problem), earliest(outcome.at, again)
			return nil, nil
		}
	}
	offer, err := r.offer(ctx, o, p)
	if err != nil {
		return nil, err
	}
	if said != nil {
		outcome.failure = nil
		if _, obstacle := chooseExchange(now, p.flow, o, p.keep, p.served(now)); obstacle != nil {
			outcome.problem = obstacle
		}
	}
	return &offer, nil
}

// linked is a record with a ticket for what is offered. The ticket is empty where the link that status shows is still good.
func (r *Reconciler) linked(token *v1alpha1.OAuthToken, record consent.Record, offer consent.Offer) (consent.Record, oauth.Sensitive) {
	now := r.Clock.Now()
	if record.Invites(now, shownTicket(token, r.Platform.PortalURL), offer) {
		return record, oauth.Sensitive{}
	}
	ticket := consent.NewSecret()
	return record.Invite(now, ticket, offer), ticket
}

// lookAgain is when an issuer is asked once more that could not be read. Whoever asks for a renewal says that it can be read now.
func lookAgain(o *observation) time.Time {
	failures, asked := o.token.Status.Failures, renewRequest(o.token)
	if asked != "" && asked != o.token.Status.LastHandledRenewRequest && failures.Reason != v1alpha1.ReasonRateLimited {
		return timeOf(failures.LastTime).Add(renewal.WishSpacing)
	}
	return timeOf(failures.NextAttempt)
}

// needsIssuer tells whether endpoints have to be found by discovery.
func needsIssuer(flow *oauth.Flow) bool {
	return flow.NeedsDiscovery() || flow.NeedsAuthorizationEndpoint()
}

// saidByIssuer is the last failure, where it may be discovery's; nil: none is. It is told apart by its reason from what the token endpoint refuses
// for good: that is no reason not to make a link. As long as a refresh token can be spent, failures are its own.
func (r *plan) saidByIssuer(now time.Time, o *observation) *problem {
	if !r.failuresCurrent(o.token) || holdsRefreshToken(now, r.flow, r.keep) {
		return nil
	}
	if failures := o.token.Status.Failures; selfHealing(failures.Reason) || failures.Reason == v1alpha1.ReasonInvalidSpec {
		return failureProblem(failures)
	}
	return nil
}

// uninvited tells that the authorization endpoint can't be found. While nothing else is wrong, there is time; and while there is a refresh
// token that can be spent, only its own failures count.
func (r *Reconciler) uninvited(ctx context.Context, o *observation, p *plan, outcome *result, err error) (*result, error) {
	if p.problem != nil && !holdsRefreshToken(r.Clock.Now(), p.flow, p.keep) {
		return r.failed(ctx, o, p, err)
	}
	outcome.at = earliest(outcome.at, r.Clock.Now().Add(recheckWorld))
	return outcome, nil
}

// offer is what a person is asked to consent to. It takes discovery where the authorization endpoint is not known.
func (r *Reconciler) offer(ctx context.Context, o *observation, p *plan) (consent.Offer, error) {
	flow, err := r.discovered(ctx, o, &r.aside, p.flow)
	if err != nil {
		return consent.Offer{}, err
	}
	request, err := flow.AuthorizationRequest(r.Platform.PortalURL + callbackPath)
	if err != nil {
		return consent.Offer{}, err
	}
	title := cmp.Or(flow.Vendor.Title, flow.Vendor.Name)
	if flow.Vendor.Endpoints.AuthorizationURL == "" { // an entry for any server: people know it by its host
		title = request.Host()
	}
	return consent.Offer{Vendor: flow.Vendor.Name, Title: title, Scopes: flow.Scopes, Request: request}, nil
}

// discovered is the flow with endpoints that discovery finds, where it needs some. A gate that was passed is told of failures alone, since
// metadata may have been known before.
func (r *Reconciler) discovered(ctx context.Context, o *observation, passed *gate, flow *oauth.Flow) (*oauth.Flow, error) {
	if !needsIssuer(flow) {
		return flow, nil
	}
	return r.askIssuer(ctx, o, passed, flow)
}

// askIssuer fills in what discovery finds, where it is not stated.
func (r *Reconciler) askIssuer(ctx context.Context, o *observation, passed *gate, flow *oauth.Flow) (*oauth.Flow, error) {
	started := r.Clock.Now()
	complete, err := r.Vendors.Complete(ctx, flow)
	if err != nil {
		r.hear(passed, gateKey(flow), client.ObjectKeyFromObject(o.token), started, err)
	}
	return complete, err
}
