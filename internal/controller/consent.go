package controller

import (
	"strings"
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
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

// consentWanted is why a person is to be asked in a browser; nil: nobody is, or can be.
func consentWanted(now time.Time, token *v1alpha1.OAuthToken, p *plan, outcome *result) *problem {
	switch {
	case p.flow == nil || !p.flow.IsInteractive() || p.portalOff != nil || token.Spec.Suspend || outcome.unlinked:
		return nil
	case outcome.problem != nil && outcome.problem.authorize:
		return outcome.problem
	}
	return consentAhead(now, p.flow, usable(p.flow, outcome.keep))
}

// consentAhead is why a person is to be asked while nothing fails yet, since there is still time; nil: nobody is.
func consentAhead(now time.Time, flow *oauth.Flow, keep keepsake) *problem {
	switch {
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
	if ended(now, keep) {
		return personNeeded(flow, v1alpha1.ReasonRefreshTokenExpired)
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

// nextAfter is a time that is still to come; zero for one that has passed.
func nextAfter(now, at time.Time) time.Time {
	if at.After(now) {
		return at
	}
	return time.Time{}
}

// storedKeepsake is what the state Secret holds.
func storedKeepsake(o *observation) keepsake {
	if stateConflict(o) != nil {
		return keepsake{}
	}
	return parseState(o.state)
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
