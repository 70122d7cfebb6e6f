package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/renewal"
)

// pauseOfOthers is how long other OAuthTokens of a throttled client wait where the endpoint does not say.
const pauseOfOthers = 30 * time.Second

// failed notes a failure, and what became of a credential that can be spent once.
func (r *Reconciler) failed(ctx context.Context, o *observation, p *plan, err error) (*result, error) {
	if fault, ok := errors.AsType[*oauth.ConfigError](err); ok {
		outcome := p.unchanged(o)
		outcome.problem = configProblem(fault)
		outcome.at = earliest(p.expiry(r.Clock.Now()), r.Clock.Now().Add(time.Hour))
		return outcome, nil
	}
	failure, ok := errors.AsType[*oauth.Error](err)
	if !ok {
		return r.undeclared(ctx, o, p, err)
	}
	now := r.Clock.Now()
	outcome := p.unchanged(o)
	outcome.attempted = true
	after := renewal.AfterFailure(now, p.scheduleClass(failure), failuresOf(o.token.Status), p.failuresCurrent(o.token), failure.RetryAfter,
		p.renewalState(o, time.Time{}).Token, string(o.token.UID))
	outcome.recent, outcome.failure = after.Recent, failureStatus(after, p.fingerprint, failure)
	outcome.problem = failureProblem(outcome.failure)
	outcome.at = earliest(after.NextAttempt, p.expiry(now), now.Add(time.Hour))
	if failure.Class == oauth.Throttled {
		r.gate.pause(gateKey(p.flow), p.flow.ClientID, now.Add(cmp.Or(failure.RetryAfter, pauseOfOthers)))
	}
	if p.keepsRest(o, failure) {
		return outcome, r.saveRest(ctx, o, p, failure.Rest, outcome)
	}
	if p.exchange.attempt != nil {
		return outcome, r.settleAnswer(ctx, o, p, failure, outcome)
	}
	if p.declared {
		return outcome, r.settle(ctx, o, p, failure, outcome)
	}
	return outcome, nil
}

// undeclared tells of a state Secret that can't be written. An unlabelled Secret of its name is not in the cache, and shows only now. Where it
// is ours, it gets its label back, and the next look goes on with what it holds.
func (r *Reconciler) undeclared(ctx context.Context, o *observation, p *plan, err error) (*result, error) {
	if refusesWrite(err) {
		outcome := p.unchanged(o)
		outcome.unlinked = p.keep.Consent.Ticket == ""
		outcome.at = earliest(p.expiry(r.Clock.Now()), r.Clock.Now().Add(recheckCredentials))
		if !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
			outcome.problem = refusedStateProblem(stateName(o.token), err)
		}
		return outcome, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return nil, err
	}
	live, unread := r.liveSecret(ctx, stateKey(o.token))
	if unread != nil || live == nil {
		return nil, err
	}
	o.state = live
	if isOurState(o.token, live) {
		return nil, errors.Join(err, r.keepStateMarks(ctx, o))
	}
	outcome := p.unchanged(o)
	outcome.problem = stateConflict(o)
	outcome.at = earliest(p.expiry(r.Clock.Now()), r.Clock.Now().Add(outcome.problem.recheck))
	return outcome, nil
}

// interrupts tells whether a failure leaves it open if the refresh token was spent. Where the answer holds the next one, it does not.
func (p *plan) interrupts(failure *oauth.Error) bool {
	spends := p.exchange.means == byRefresh || p.exchange.means == bySeed
	return p.declared && spends && failure.Ambiguous() && failure.Rest == nil && p.flow.RefreshTokenRotation() != oauth.RotationNo
}

// keepsRest tells whether an answer that can't be used holds a refresh token that can.
func (p *plan) keepsRest(o *observation, failure *oauth.Error) bool {
	if failure.Rest == nil || !keepsRefreshTokens(p.flow) || p.exchange.means == byFragment {
		return false
	}
	return p.exchange.attempt == nil || !otherSubject(o, p, failure.Rest)
}

// saveRest saves the refresh token of an answer that can't be used otherwise: it is what the one that was sent, or the code, was spent for.
func (r *Reconciler) saveRest(ctx context.Context, o *observation, p *plan, rest *oauth.Token, outcome *result) error {
	err := r.saveGiven(ctx, o, p, rest)
	outcome.keep = p.keep
	switch {
	case errors.Is(err, errForeignState):
		outcome.problem = conflict(foreignState(o.token))
		return nil
	case errors.Is(err, errOvertaken):
		r.giveWay(o, p, outcome)
		return nil
	case err == nil && p.exchange.attempt != nil:
		r.ObserveAuthorization(p.exchange.attempt.Offer.Vendor, string(consent.Completed))
		outcome.notices = append(outcome.notices, completion(p, rest)...)
	}
	return err
}

// scheduleClass is the schedule's word for a failure. A refused refresh token is retried soon, since the next request is another one;
// one that may be spent is too, since only an answer ends the doubt.
func (p *plan) scheduleClass(failure *oauth.Error) renewal.Class {
	if p.interrupts(failure) {
		return renewal.Transient
	}
	switch failure.Class {
	case oauth.Throttled:
		return renewal.Throttled
	case oauth.Rejected:
		return renewal.Rejected
	case oauth.Malformed:
		return renewal.Malformed
	case oauth.Transient, oauth.Reauthorize:
	}
	return renewal.Transient
}

// settle writes what a failed request means for the credential that it was to spend.
func (r *Reconciler) settle(ctx context.Context, o *observation, p *plan, failure *oauth.Error, outcome *result) error {
	keep := p.keep
	switch {
	case p.exchange.means == byAssertion && failure.Sent && failure.Class != oauth.Throttled: // who throttles has not looked at it
		return nil
	case p.exchange.means == byAssertion:
		keep = keep.withoutSpent(spentHash(p.exchange.credential.Reveal()))
	case p.interrupts(failure): // whatever it says: only a 4xx is a definite answer
		r.doubt(ctx, o, p, outcome)
		return nil
	case refusesForGood(failure):
		present, err := r.presentState(ctx, o, p, outcome)
		if err != nil || present == nil {
			return err
		}
		keep.Consent = keep.Consent.Onto(present.Consent) // somebody may have opened the link meanwhile
		keep = keep.withoutRefreshToken()
	case p.exchange.means == bySeed && !failure.Ambiguous(): // nobody has taken it, and what it was to be sent with may be a mistake
		keep = keep.withoutSeed(spentHash(p.exchange.credential.Reveal()))
	default:
		keep.Intent = nil
	}
	saved, err := r.saver.settle(ctx, o.token, o.state, keep)
	if errors.Is(err, errForeignState) { // there is nothing to save
		outcome.problem = conflict(foreignState(o.token))
		return nil
	}
	if err != nil {
		return fmt.Errorf("save what became of the refresh token (this goes on in the background): %w", err)
	}
	keep = parseState(saved) // with the attempts to authorize that were begun meanwhile
	if overtaken(keep, p.keep) {
		r.giveWay(o, p, outcome)
		return nil
	}
	o.state, p.keep, outcome.keep = saved, keep, keep
	if refusesForGood(failure) {
		if _, obstacle := chooseExchange(r.Clock.Now(), p.flow, o, keep, p.served(r.Clock.Now())); obstacle != nil {
			outcome.failWith(obstacle)
		}
	}
	return nil
}

// presentState reads live what the state Secret holds after a refusal; nil where there is nothing to write to it: since it is somebody else's, or since
// another process has stored a newer refresh token meanwhile.
func (r *Reconciler) presentState(ctx context.Context, o *observation, p *plan, outcome *result) (*keepsake, error) {
	live, err := r.liveSecret(ctx, stateKey(o.token))
	if err != nil {
		return nil, fmt.Errorf("read the state Secret after the refresh token was refused: %w", err)
	}
	present := parseState(live)
	foreign := live != nil && !isOurState(o.token, live)
	if !foreign && !overtaken(present, p.keep) {
		o.state = live
		return &present, nil
	}
	if foreign { // nothing in it is ours, and there is nothing to save
		o.state = live
		outcome.problem = stateConflict(o)
	} else {
		r.giveWay(o, p, outcome)
	}
	return nil, nil //nolint:nilnil // no fault, and nothing to write
}

// refusesForGood tells whether a refresh token was refused by a definite answer.
func refusesForGood(failure *oauth.Error) bool {
	return failure.Class == oauth.Reauthorize && !failure.Ambiguous()
}

// overtaken tells whether another process has stored a refresh token that this one does not know.
func overtaken(present, known keepsake) bool {
	return !present.RefreshToken.IsEmpty() && !present.RefreshToken.Equal(known.RefreshToken) && !present.RefreshToken.Equal(known.Previous.Value)
}

// giveWay leaves what comes next to a look at what another process has stored meanwhile: nothing has failed.
func (r *Reconciler) giveWay(o *observation, p *plan, outcome *result) {
	outcome.at, outcome.problem, outcome.failure = r.Clock.Now(), p.problem, p.unchanged(o).failure
}

// failWith says what a failure means to the user, now and in later looks at it.
func (r *result) failWith(p *problem) {
	r.problem, r.failure.Reason, r.failure.Message = p, p.reason, p.message
}

// doubt notes that the credential may be spent and that nobody is sending it any more, so that its next use waits for no deadline. It
// does not have to succeed: the intent says the same, but for the wait.
func (r *Reconciler) doubt(ctx context.Context, o *observation, p *plan, outcome *result) {
	keep := p.keep
	_, obstacle := primaryExchange(p.flow, o, keep)
	outcome.failWith(interrupted(p.flow, obstacle != nil))
	if obstacle != nil {
		outcome.failure.NextAttempt = stamp(later(timeOf(outcome.failure.NextAttempt), lastTenth(p.served(r.Clock.Now()))))
	}
	keep.Intent = &intent{Credential: p.keep.Intent.Credential}
	if written, err := writeState(ctx, r.Client, o.token, o.state, keep); err == nil {
		o.state, p.keep, outcome.keep = written, keep, keep
	}
}
