package controller

import (
	"cmp"
	"context"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

const (
	// callbackPath is where the portal takes answers from browsers.
	callbackPath = "/callback"
	// ticketPath is before the ticket in a link.
	ticketPath = "/authorize/"
	// consentLead is how long before a refresh token's end a person is asked again.
	consentLead = 7 * 24 * time.Hour
)

// consentWanted is why a person is to be asked in a browser; nil: nobody is. It may be that nothing fails yet, since there is still time.
func consentWanted(now time.Time, token *v1alpha1.OAuthToken, flow *oauth.Flow, outcome *result) *problem {
	keep := outcome.keep
	switch {
	case flow == nil || !flow.IsInteractive() || token.Spec.Suspend:
		return nil
	case outcome.problem != nil && outcome.problem.authorize:
		return outcome.problem
	case keep.RefreshToken.IsEmpty():
		return nil
	case addsScopes(flow, keep):
		return &problem{
			reason: v1alpha1.ReasonAuthorizationRequired, authorize: true,
			message: "scopes were added that nobody has consented to yet: open the address in status.authorization.url",
		}
	}
	if soon := consentSoon(keep); soon.IsZero() || now.Before(soon) {
		return nil
	}
	return &problem{
		reason: v1alpha1.ReasonAuthorizationRequired, authorize: true,
		message: "the refresh token ends soon: open the address in status.authorization.url before it does",
	}
}

// addsScopes tells whether scopes are asked for that were not when consent was given.
func addsScopes(flow *oauth.Flow, keep keepsake) bool {
	return len(keep.Consent.Scopes) > 0 && len(without(flow.Scopes, keep.Consent.Scopes)) > 0
}

// consentSoon is when consent is asked for again, ahead of the refresh token's end; zero: that end is not known, or moves away with each
// refresh.
func consentSoon(keep keepsake) time.Time {
	if keep.RefreshToken.IsEmpty() || keep.ExpiresAt.IsZero() || keep.Life > 0 {
		return time.Time{}
	}
	return keep.ExpiresAt.Add(-min(consentLead, keep.ExpiresAt.Sub(keep.IssuedAt)/2))
}

// tidyConsent ends what time has ended of attempts to authorize.
func (r *plan) tidyConsent(now time.Time) {
	var wanted *oauth.AuthorizationRequest
	if r.flow != nil && r.flow.IsInteractive() && !needsIssuer(r.flow) {
		if request, err := r.flow.AuthorizationRequest(r.portalURL + callbackPath); err == nil {
			wanted = &request
		}
	}
	r.keep.Consent = r.keep.Consent.Tidy(now, wanted)
}

// invite sees to the link by which a person can authorize: that there is one while it is wanted, and none otherwise.
func (r *Reconciler) invite(ctx context.Context, o *observation, p *plan) (*result, error) {
	outcome := p.unchanged(o)
	if p.flow == nil || o.saving || stateConflict(o) != nil {
		return outcome, nil
	}
	now, keep, ticket := r.Clock.Now(), p.keep, oauth.Sensitive{}
	endpoint, key := gateKey(p.flow), client.ObjectKeyFromObject(o.token)
	if consentWanted(now, o.token, p.flow, outcome) == nil {
		keep.Consent = keep.Consent.Withdraw()
		r.aside.renounce(now, endpoint, key, false, time.Time{})
	} else {
		if again := p.lookAgain(o); again.After(now) {
			outcome.problem, outcome.at = failureProblem(o.token.Status.Failures), earliest(outcome.at, again)
			return outcome, nil
		}
		if needsIssuer(p.flow) && !r.aside.enter(now, endpoint, key, p.urgency()) {
			outcome.at = earliest(outcome.at, now.Add(waitingRecheck))
			return outcome, nil
		}
		offer, err := r.offer(ctx, o, p)
		r.aside.leave(r.Clock.Now(), endpoint, key)
		if err != nil {
			return r.uninvited(ctx, o, p, err)
		}
		keep.Consent, ticket = r.linked(o.token, keep.Consent, offer)
		if keep.RefreshToken.IsEmpty() && outcome.failure != nil && saidByIssuer(outcome.failure.Reason) {
			outcome.failure = nil // discovery has worked again
			if _, obstacle := chooseExchange(now, p.flow, o, keep, p.served(now)); obstacle != nil {
				outcome.problem = obstacle
			}
		}
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
	outcome.at = earliest(outcome.at, keep.Consent.Next(now), nextAfter(now, consentSoon(keep)))
	return outcome, nil
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

// nextAfter is a time that is still to come; zero for one that has passed.
func nextAfter(now, at time.Time) time.Time {
	if at.After(now) {
		return at
	}
	return time.Time{}
}

// lookAgain is when an issuer is asked once more that could not be read; zero: it may be asked now, or need not be. What the issuer said is
// told apart by its reason from what the token endpoint refuses for good: that is no reason not to make a link.
func (r *plan) lookAgain(o *observation) time.Time {
	if !needsIssuer(r.flow) || !r.keep.RefreshToken.IsEmpty() || !r.failuresCurrent(o.token) {
		return time.Time{}
	}
	if failures := o.token.Status.Failures; saidByIssuer(failures.Reason) {
		return timeOf(failures.NextAttempt)
	}
	return time.Time{}
}

// needsIssuer tells whether endpoints have to be found by discovery.
func needsIssuer(flow *oauth.Flow) bool { return flow.NeedsDiscovery() || flow.NeedsAuthorizationEndpoint() }

// saidByIssuer tells whether a failure may be discovery's.
func saidByIssuer(reason string) bool {
	return selfHealing(reason) || reason == v1alpha1.ReasonInvalidSpec
}

// uninvited tells that the authorization endpoint can't be found. While nothing else is wrong, there is time; and while there is a refresh
// token, only its own failures count.
func (r *Reconciler) uninvited(ctx context.Context, o *observation, p *plan, err error) (*result, error) {
	if p.problem != nil && p.keep.RefreshToken.IsEmpty() {
		return r.failed(ctx, o, p, err)
	}
	outcome := p.unchanged(o)
	outcome.at = earliest(outcome.at, r.Clock.Now().Add(recheckWorld))
	return outcome, nil
}

// storedKeepsake is what the state Secret holds.
func storedKeepsake(o *observation) keepsake {
	if stateConflict(o) != nil {
		return keepsake{}
	}
	return parseState(o.state)
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
	started := r.Clock.Now()
	metadata, err := r.Vendors.Discover(ctx, flow.Endpoints.IssuerURL, flow.CABundle)
	if err != nil {
		r.hear(passed, gateKey(flow), client.ObjectKeyFromObject(o.token), started, err)
		return nil, err
	}
	return flow.WithMetadata(metadata)
}

// shownTicket is the ticket in the link that status shows; empty: none, or not of this portal.
func shownTicket(token *v1alpha1.OAuthToken, portalURL string) oauth.Sensitive {
	if token.Status.Authorization == nil {
		return oauth.Sensitive{}
	}
	ticket, _ := strings.CutPrefix(token.Status.Authorization.URL, portalURL+ticketPath)
	return oauth.NewSensitive(ticket)
}

// authorizationStatus tells of the link, while it can be used, and of who authorized.
func authorizationStatus(token *v1alpha1.OAuthToken, p *plan, outcome *result) *v1alpha1.AuthorizationStatus {
	record := outcome.keep.Consent
	shown := v1alpha1.AuthorizationStatus{URL: outcome.link, Subject: pinnedSubject(token, outcome.keep)}
	if before := token.Status.Authorization; shown.URL == "" && before != nil && record.Holds(shownTicket(token, p.portalURL)) {
		shown.URL = before.URL
	}
	if shown.URL != "" {
		shown.RequestedAt = stamp(record.RequestedAt)
	}
	if shown == (v1alpha1.AuthorizationStatus{}) {
		return nil
	}
	return &shown
}

// pinnedSubject is who authorized last; empty: nobody, or the vendor does not tell.
func pinnedSubject(token *v1alpha1.OAuthToken, keep keepsake) string {
	if keep.Consent.Subject != "" || token.Status.Authorization == nil {
		return keep.Consent.Subject
	}
	return token.Status.Authorization.Subject
}
