package controller

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/content"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/renewal"
)

// result is what came of a plan, for the report.
type result struct {
	held    *record  // the token that the target now holds, maybe expired; nil: none
	matches bool     // it is what the spec wants
	problem *problem // why there is no newer one; nil: nothing is wrong
	keep    keepsake
	scopes  []string // of a token that was just written

	failure   *v1alpha1.FailureStatus // nil: the last request succeeded
	recent    []time.Time             // failed requests of the past hour
	attempted bool                    // a request was made now
	written   bool                    // the target was written
	notices   []notice
	at        time.Time // when to look again; zero: as the schedule says
	link      string    // at which a person can authorize, where it was just made
	unlinked  bool      // no link can be made
	quiet     bool      // there is nothing to tell yet
}

// notice is something that happened, for an event.
type notice struct {
	warning       bool
	reason, about string
}

// unchanged is the result of a plan that did nothing.
func (p *plan) unchanged(o *observation) *result {
	failures := failuresOf(o.token.Status)
	return &result{
		held: p.held, matches: p.matches, problem: p.problem, keep: p.keep, recent: failures.Recent, at: p.decision.At,
		failure: o.token.Status.Failures, // also of a former spec: the next request keeps its distance from it
	}
}

// succeeded keeps what the vendor gave: first the refresh token, in the state Secret; then the answer, until the target holds it.
func (r *Reconciler) succeeded(ctx context.Context, o *observation, p *plan, token *oauth.Token) (*result, error) {
	if p.exchange.attempt != nil && otherSubject(o, p, token) {
		return r.refuseSubject(ctx, o, p, token)
	}
	if token.Scope == "" && p.exchange.means == byRefresh { // a seed is another grant, of which nothing is known
		token.Scope = r.grantedScope(ctx, o)
	}
	given := answerOf(o, p, token)
	p.problem = nil // what failed before has not failed now
	switch err := r.saveGiven(ctx, o, p, token); {
	case errors.Is(err, errForeignState):
		given.unsaved = true
	case errors.Is(err, errOvertaken):
		outcome := p.unchanged(o)
		r.giveWay(o, p, outcome)
		return outcome, nil
	case err != nil:
		return nil, err
	}
	if p.exchange.attempt != nil {
		r.ObserveAuthorization(p.exchange.attempt.Offer.Vendor, string(consent.Completed))
	}
	given.at = r.Clock.Now()
	r.answers.put(o.token.UID, given)
	rendered, err := render(o.token, given.issued)
	if err != nil {
		p.holdAsItIs(o)
		outcome := p.unchanged(o)
		outcome.problem, outcome.attempted, outcome.failure = templateFailed(err.Error()), true, nil
		return outcome, nil
	}
	p.write, p.answer = rendered, given
	return r.publish(ctx, o, p)
}

// errOvertaken: others have got a refresh token since, and it is kept.
var errOvertaken = errors.New("what came is older than what others have got since")

// saveGiven saves what of an answer must outlive everything, its refresh token above all.
func (r *Reconciler) saveGiven(ctx context.Context, o *observation, p *plan, token *oauth.Token) error {
	keep := keepsakeAfter(o, p, token)
	if !keep.changed(p.keep) {
		return nil
	}
	saved, err := r.saver.save(ctx, o.token, o.state, keep)
	switch {
	case errors.Is(err, errForeignState):
		return err
	case err != nil:
		return fmt.Errorf("save the refresh token (this goes on in the background): %w", err)
	}
	o.state, p.keep = saved, parseState(saved) // with the attempts to authorize that were begun meanwhile
	if !p.keep.RefreshToken.Equal(keep.RefreshToken) {
		return errOvertaken
	}
	return nil
}

// publish writes an answer to the target, and tells of it. Once it is written it is done with, whatever fails after that: as long as it is
// kept, it is what the target is to hold, and nothing newer is asked for.
func (r *Reconciler) publish(ctx context.Context, o *observation, p *plan) (*result, error) {
	given := p.answer
	outcome, err := r.store(ctx, o, p)
	if outcome == nil || !outcome.written {
		return r.inviteMeanwhile(ctx, o, p, outcome, err)
	}
	r.answers.drop(o.token.UID)
	outcome.attempted, outcome.failure, outcome.scopes = true, nil, given.scopes
	outcome.recent = renewal.AfterSuccess(r.Clock.Now(), failuresOf(o.token.Status)).Recent
	if before, known := r.repairs.noteLifetime(o.token.UID, given.lifetimeUnknown); known {
		given.lifetimeTold = before
	}
	outcome.notices = append(append(outcome.notices, given.completion...), noticesOf(o, given)...)
	r.metrics.observeLateness(given)
	return outcome, err
}

// answerOf is what the target is to hold after a token was given.
func answerOf(o *observation, p *plan, token *oauth.Token) *answer {
	lifetime := cmp.Or(token.Lifetime, assumedLifetime(o.token, p.flow))
	given := &answer{issued: issued{
		AccessToken: token.AccessToken.Reveal(), TokenType: token.TokenType, IDToken: token.IDToken.Reveal(), Extra: token.Extra,
		Scope: cmp.Or(token.Scope, strings.Join(p.flow.Scopes, " ")),
		record: record{
			IssuedAt: token.RequestedAt, ExpiresAt: token.RequestedAt.Add(lifetime), RequestHash: p.fingerprint.String(),
			RenewHandled: p.renewHandled(o.token),
		},
	}}
	given.scopes = strings.Fields(given.Scope)
	given.lifetimeUnknown, given.lifetimeFault = token.Lifetime == 0, token.LifetimeFault
	given.narrowed = narrower(given.scopes, p.flow.Scopes)
	given.lifetimeTold = p.held == nil || p.held.ExpiresAt.Sub(p.held.askedAt()) == lifetime
	given.narrowedTold = (p.held == nil || p.matches) && narrower(o.token.Status.Scopes, p.flow.Scopes)
	if p.exchange.attempt != nil {
		given.completion = completion(p, token)
	}
	if why := p.decision.Reason; p.held != nil && !o.rested && (why == renewal.RenewalDue || why == renewal.TokenExpired || why == renewal.RetryDue) {
		given.due = scheduleOf(o.token, usable(p.flow, p.keep), p.held).RenewalTime
	}
	if p.held != nil {
		given.replaces = p.held.askedAt()
	}
	if p.repeats(o, token) {
		given.record.IssuedAt, given.record.RepeatedAt = p.held.IssuedAt, token.RequestedAt
	}
	return given
}

// grantedScope is what was granted at first, which an answer to a refresh that says nothing of it means (RFC 6749, section 6): as status tells it,
// unless the target, which has survived a lost status, tells something else. Empty: neither tells it.
func (r *Reconciler) grantedScope(ctx context.Context, o *observation) string {
	told, t := strings.Join(o.token.Status.Scopes, " "), o.target
	if t.standing != ours || !t.sealed {
		return told
	}
	if kept, shown := t.secret.Data[content.KeyScope]; !shown || bytes.Equal(kept, hashValue([]byte(told))) {
		return told
	}
	live, err := r.liveSecret(ctx, client.ObjectKeyFromObject(t.secret))
	if err != nil || live == nil {
		return told
	}
	given := issued{
		AccessToken: string(live.Data[content.KeyAccessToken]), Scope: string(live.Data[content.KeyScope]), IDToken: string(live.Data[content.KeyIDToken]),
	}
	if hashGiven(given) != t.seal.given { // edited since, or a template's own
		return told
	}
	return given.Scope
}

// renewHandled is by which value a renewal was asked for last. It outlives the annotation, which may come back.
func (p *plan) renewHandled(token *v1alpha1.OAuthToken) string {
	before := token.Status.LastHandledRenewRequest
	if p.held != nil {
		before = p.held.RenewHandled
	}
	return cmp.Or(renewRequest(token), before)
}

// narrower tells whether something that was asked for was not granted.
func narrower(granted, asked []string) bool { return len(without(asked, granted)) > 0 }

// repeats tells whether the vendor gave the token that the target holds already.
func (p *plan) repeats(o *observation, token *oauth.Token) bool {
	return p.held != nil && o.target.sealed && o.target.seal.token == hashToken(token.AccessToken.Reveal())
}

func assumedLifetime(token *v1alpha1.OAuthToken, flow *oauth.Flow) time.Duration {
	var stated time.Duration
	if token.Spec.Renewal != nil {
		stated = token.Spec.Renewal.AssumedLifetime.Value()
	}
	return cmp.Or(stated, flow.AssumedLifetime(), defaultLifetime)
}

// keepsakeAfter is what the state Secret is to hold after a token was given (contract, section 9; RFC 6749, section 6).
func keepsakeAfter(o *observation, p *plan, token *oauth.Token) keepsake {
	keep := p.keep
	refreshed := p.exchange.means == byRefresh || p.exchange.means == bySeed
	for !refreshed && keep.Intent != nil { // it may be spent, and has been replaced; so may the one before it
		keep = keep.withoutRefreshToken()
	}
	keep.Intent = nil
	if refreshed {
		keep.Previous = refreshToken{}
	}
	if p.exchange.attempt != nil {
		keep = keep.completed(o, p, token)
	}
	given := !token.RefreshToken.IsEmpty() && keepsRefreshTokens(p.flow)
	if given {
		keep.RefreshToken, keep.Binding, keep.Previous = token.RefreshToken, binding(p.flow), refreshToken{}
	}
	if given && !refreshed {
		keep = keep.granted(token.RequestedAt, refreshTokenLifetime(o.token, p.flow))
	}
	switch { // only an answer about this refresh token may move its end
	case token.RefreshTokenLifetime > 0 && (given || refreshed):
		keep = keep.ending(token.RequestedAt.Add(token.RefreshTokenLifetime), token.RefreshTokenLifetime)
	case refreshed: // an end that is not told anew does not move
		keep.Life = 0
	}
	return keep
}

func refreshTokenLifetime(token *v1alpha1.OAuthToken, flow *oauth.Flow) time.Duration {
	var stated time.Duration
	if token.Spec.Renewal != nil {
		stated = token.Spec.Renewal.RefreshTokenLifetime.Value()
	}
	return cmp.Or(stated, flow.RefreshTokenLifetime())
}

// withStatedEnd fills in an end that nobody knew when the refresh token came, and the user has stated since.
func (k keepsake) withStatedEnd(token *v1alpha1.OAuthToken, flow *oauth.Flow) keepsake {
	known := k.RefreshToken.IsEmpty() || k.IssuedAt.IsZero() || !k.ExpiresAt.IsZero()
	if known || token.Spec.Renewal == nil || flow == nil || !belongs(flow, k) {
		return k
	}
	if life := token.Spec.Renewal.RefreshTokenLifetime.Value(); life > 0 {
		k.ExpiresAt = k.IssuedAt.Add(life)
	}
	return k
}

// keepsRefreshTokens is false for grants that can be repeated at will with nothing but the client's own secret: RFC 6749, section 4.4.3,
// has them give no refresh token, and one more secret in the cluster would gain nothing.
func keepsRefreshTokens(flow *oauth.Flow) bool {
	once, _ := flow.Once()
	return flow.Grant != oauth.ClientCredentials && (flow.Grant != oauth.SAML2Bearer || once != "")
}

// refused tells of an API server that does not let the target be written.
func (r *Reconciler) refused(o *observation, p *plan, err error) (*result, error) {
	r.proofs.noteRefusal(o.token.Namespace)
	if !refusesWrite(err) {
		return nil, fmt.Errorf("write the target Secret: %w", wordless{err})
	}
	p.holdAsItIs(o)
	outcome := p.unchanged(o)
	outcome.at = earliest(p.expiry(r.Clock.Now()), r.Clock.Now().Add(recheckCredentials))
	if !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		outcome.problem = refusedProblem(targetName(o.token), err)
	}
	return outcome, nil
}

// refusesWrite tells an API server that does not let a Secret be written from one that is in trouble.
func refusesWrite(err error) bool {
	webhookAway := apierrors.IsInternalError(err) && strings.Contains(wordsOf(err), "webhook")
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err) || webhookAway
}
