package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/renewal"
)

// useAnswer plans to use what a browser brought, at once: a code lives for minutes, whatever failed before. It returns false where there is
// nothing to use.
func (r *plan) useAnswer(now time.Time, o *observation, paused time.Time) bool {
	attempt := r.keep.Consent.Waiting()
	if attempt == nil || !r.flow.IsInteractive() || o.token.Spec.Suspend {
		return false
	}
	means := byCode
	if attempt.Offer.Request.Implicit {
		means = byFragment
	}
	if notBefore := later(attempt.NotBefore, later(paused, renewal.SpacedFrom(now, o.lastSuccess))); notBefore.After(now) {
		r.recall(o)
		r.wait(now)
		r.decision.At = earliest(r.decision.At, notBefore)
		return true
	}
	r.step, r.exchange = stepRequest, exchange{means: means, credential: attempt.Answer, attempt: attempt}
	return true
}

// exchangeAnswer turns what a browser brought into a token. The code goes out of the state Secret before it is sent, so that nobody sends it
// twice (RFC 6749, section 4.1.2).
func (r *Reconciler) exchangeAnswer(ctx context.Context, o *observation, p *plan, flow *oauth.Flow) (*oauth.Token, error) {
	attempt := p.exchange.attempt
	wanted, err := flow.AuthorizationRequest(r.Platform.PortalURL + callbackPath)
	if err != nil {
		return nil, err
	}
	if attempt.Offer.Request != wanted {
		return nil, errSpecChanged
	}
	if p.exchange.means == byFragment {
		return oauth.ImplicitToken(attempt.Answer, attempt.StartedAt)
	}
	request := flow.CodeRequest(attempt.Answer, attempt.Verifier, attempt.Offer.Request.RedirectURI)
	return r.send(ctx, o, p, request)
}

// errSpecChanged: the OAuthToken asks for something else than it did when the browser set out.
var errSpecChanged = errors.New("the spec changed while somebody authorized")

// settleAnswer tells what a failure means for what a browser brought. A code that reached nobody is kept; else the person is told.
func (r *Reconciler) settleAnswer(ctx context.Context, o *observation, p *plan, failure *oauth.Error, outcome *result) error {
	attempt, keep := p.exchange.attempt, p.keep
	unused := p.exchange.means == byCode && (!p.declared || !failure.Sent || failure.Class == oauth.Throttled)
	ended := consent.Outcome{Result: consent.ExchangeFailed, Detail: failure.Message}
	switch {
	case unused:
		keep.Consent = keep.Consent.PutBack(attempt.State, p.exchange.credential, timeOf(outcome.failure.NextAttempt))
	case failure.Ambiguous():
		ended.Result = consent.Interrupted
		fallthrough
	default:
		keep.Consent = keep.Consent.Settle(attempt.State, ended)
		r.ObserveAuthorization(attempt.Offer.Vendor, string(ended.Result))
	}
	if err := r.keepConsent(ctx, o, p, keep, outcome); err != nil || unused {
		return err
	}
	outcome.at = r.Clock.Now() // the link is made at the next look, and a renewal has its own time
	_, obstacle := chooseExchange(r.Clock.Now(), p.flow, o, keep, p.served(r.Clock.Now()))
	if obstacle == nil { // there is a refresh token still: nothing but this attempt has failed now
		outcome.problem, outcome.failure = r.asNextSeen(o), o.token.Status.Failures
		outcome.notices = append(outcome.notices, notice{warning: true, reason: string(failure.Reason), about: failure.Message})
		return nil
	}
	outcome.problem = authorizeAgain(obstacle, failureProblem(outcome.failure))
	return nil
}

// endAttempt ends an attempt for a reason that lies here and not with the vendor.
func (r *Reconciler) endAttempt(ctx context.Context, o *observation, p *plan, ended consent.Outcome, why notice) (*result, error) {
	keep, outcome := p.keep, p.unchanged(o)
	keep.Consent = keep.Consent.Settle(p.exchange.attempt.State, ended)
	r.ObserveAuthorization(p.exchange.attempt.Offer.Vendor, string(ended.Result))
	outcome.notices, outcome.at = []notice{why}, r.Clock.Now()
	if err := r.keepConsent(ctx, o, p, keep, outcome); err != nil {
		return outcome, err
	}
	outcome.problem = r.asNextSeen(o)
	return outcome, nil
}

// asNextSeen is the problem as the next look sees it: what was wrong before an attempt that came to nothing, such as that a person is wanted.
func (r *Reconciler) asNextSeen(o *observation) *problem {
	return r.planner.plan(r.Clock.Now(), o, r.pausedUntil).problem
}

// keepConsent writes what became of an attempt. It goes on in the background where the API server is away.
func (r *Reconciler) keepConsent(ctx context.Context, o *observation, p *plan, keep keepsake, outcome *result) error {
	saved, err := r.saver.settle(ctx, o.token, o.state, keep)
	if errors.Is(err, errForeignState) {
		outcome.problem = conflict(foreignState(o.token))
		return nil
	}
	if err != nil {
		return fmt.Errorf("save what became of the authorization (this goes on in the background): %w", err)
	}
	keep = parseState(saved)
	o.state, p.keep, outcome.keep = saved, keep, keep
	return nil
}

// otherSubject tells whether somebody else authorized than before, without leave. A ticket can be seen by whoever may read the OAuthToken.
func otherSubject(o *observation, p *plan, token *oauth.Token) bool {
	pinned := pinnedSubject(o.token, p.keep)
	return pinned != "" && token.Subject(p.flow.ClientID) != pinned && o.token.Annotations[v1alpha1.AllowSubjectChangeAnnotation] != "true"
}

// refuseSubject gives back what somebody else's account was connected for: nothing of it is used.
func (r *Reconciler) refuseSubject(ctx context.Context, o *observation, p *plan, token *oauth.Token) (*result, error) {
	for hint, given := range map[string]oauth.Sensitive{"refresh_token": token.RefreshToken, "access_token": token.AccessToken} {
		if request := p.flow.RevocationRequest(given, hint); request != nil && !given.IsEmpty() {
			_ = r.Vendors.Revoke(ctx, request) // it ends by itself otherwise
		}
	}
	return r.endAttempt(ctx, o, p, consent.Outcome{Result: consent.SubjectMismatch, Subject: token.Subject(p.flow.ClientID)}, notice{
		warning: true, reason: v1alpha1.ReasonAccessDenied,
		about: "somebody else authorized than before, and what came of it is not used: let the same person authorize, or set the annotation " +
			v1alpha1.AllowSubjectChangeAnnotation + `: "true"`,
	})
}

// completed is the keepsake after an answer was turned into a token.
func (k keepsake) completed(o *observation, p *plan, token *oauth.Token) keepsake {
	attempt, subject := p.exchange.attempt, token.Subject(p.flow.ClientID)
	if token.RefreshToken.IsEmpty() && subject != pinnedSubject(o.token, k) {
		k = k.withoutRefreshToken() // it is another person's
	}
	k.Consent = k.Consent.Complete(attempt.State, subject, p.flow.Scopes)
	k.Consent.Unrefreshable = p.exchange.means == byCode && token.RefreshToken.IsEmpty()
	return k
}

// completion tells of an authorization.
func completion(p *plan, token *oauth.Token) []notice {
	about := "somebody authorized"
	if subject := token.Subject(p.flow.ClientID); subject != "" {
		about = fmt.Sprintf("%q authorized", subject)
	}
	notices := []notice{{reason: v1alpha1.EventAuthorizationCompleted, about: about}}
	if p.exchange.means == byCode && token.RefreshToken.IsEmpty() {
		notices = append(notices, notice{warning: true, reason: v1alpha1.EventRefreshTokenMissing, about: missingRefreshToken(p.flow)})
	}
	return notices
}

// missingRefreshToken says what follows where a vendor gave no refresh token, and what can be done about it.
func missingRefreshToken(flow *oauth.Flow) string {
	text := "The vendor gave no refresh token, so that somebody must authorize each time the token ends."
	if hint := flow.FailureHint("no_refresh_token"); hint != "" {
		text += " " + hint
	}
	return text
}

// authorizeAgain is the problem that a person must authorize again because of a failure.
func authorizeAgain(obstacle, failure *problem) *problem {
	if failure == nil || !obstacle.authorize || failure.authorize || selfHealing(failure.reason) {
		return obstacle
	}
	return &problem{
		reason: failure.reason, authorize: true,
		message: clip(failure.message, maxMessage/2) + " Then authorize again: open the address in status.authorization.url",
	}
}
