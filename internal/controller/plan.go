package controller

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/renewal"
)

// step is what a plan does.
type step int

const (
	stepWait    step = iota
	stepWrite        // the target, from what is known
	stepRequest      // a token
)

// plan is what is to be done about an observation, and why.
type plan struct {
	flow        *oauth.Flow // nil: the spec or the credentials are at fault
	fingerprint fingerprint
	portalURL   string
	keep        keepsake
	held        *record // the token in the target Secret, maybe expired; nil: none, or none that can be trusted
	matches     bool    // what is held is what the spec wants
	problem     *problem
	portalOff   *problem // what is told once a person is needed, since the portal is turned off; nil: it is on, or nothing goes on without it

	step     step
	write    *rendering // with stepWrite
	answer   *answer    // of the vendor, where that is written; nil: a repair is
	exchange exchange   // with stepRequest
	declared bool       // that its credential is being spent stands in the state Secret
	twins    twins      // with a credential that can be sent once
	decision renewal.Decision
}

// planner makes plans. It is pure: all that changes comes as an argument.
type planner struct {
	platform declaration.Platform
	hasher   hasher
}

// plan decides what to do at a time. notBefore is the end of a pause that the endpoint asked for.
func (p planner) plan(now time.Time, o *observation, paused func(*oauth.Flow) time.Time) *plan {
	result := &plan{portalURL: p.platform.PortalURL}
	if stateConflict(o) == nil {
		result.keep = parseState(o.state).withoutUnsent(o.unsent)
	}
	settings := declaration.Settings(o.token, o.credentials.secret, p.platform)
	result.flow, result.problem = p.resolve(o, settings)
	result.goOnUnattended(now, p, o, settings)
	result.fingerprint = p.fingerprint(settings, result.flow)
	result.noteSent(o)
	result.liken(p.hasher, settings)
	result.keep = result.keep.withStatedEnd(o.token, result.flow)
	result.tidyConsent(now)
	if conflict := firstProblem(conflictProblem(o), result.stateConflict(o)); conflict != nil {
		result.holdAsItIs(o) // what pods mount is still there
		result.problem = firstProblem(result.problem, conflict)
		return result.wait(now)
	}
	if fault := result.hold(now, p.hasher, o); fault != nil {
		result.problem = firstProblem(result.problem, fault)
		return result.wait(now)
	}
	return result.choose(now, o, paused)
}

// choose decides between mending the target, asking for a token, and waiting.
func (r *plan) choose(now time.Time, o *observation, paused func(*oauth.Flow) time.Time) *plan {
	fighting := o.mendAt.After(now) && (r.held == nil || r.write != nil) && r.answer == nil
	if r.write != nil && !fighting { // drift is repaired whatever else is wrong
		r.step = stepWrite
		if r.problem == nil && r.answer == nil {
			r.recall(o)
		}
		return r
	}
	r.problem = firstProblem(r.problem, templateProblem(o.token), savingProblem(o))
	if r.problem != nil || fighting && r.held == nil {
		r.wait(now)
	} else {
		r.schedule(now, o, paused(r.flow)) // a token that is fought over is renewed all the same
	}
	if fighting && r.step == stepWait {
		r.fight(o)
	}
	return r
}

// stateConflict is a foreign Secret in the place of a state Secret that may be needed.
func (r *plan) stateConflict(o *observation) *problem {
	if r.flow != nil && !keepsRefreshTokens(r.flow) {
		return nil
	}
	return stateConflict(o)
}

// resolve checks spec and credentials. The flow is nil where there is a problem.
func (p planner) resolve(o *observation, settings oauth.Settings) (*oauth.Flow, *problem) {
	if fields := o.token.Spec.InvalidDurations(); len(fields) > 0 {
		return nil, &problem{
			reason:  v1alpha1.ReasonInvalidSpec,
			message: strings.Join(fields, ", ") + " must be a duration such as 90s, 15m or 720h: correct it",
		}
	}
	flow, err := p.platform.Catalogue.Resolve(settings)
	if fault, ok := errors.AsType[*oauth.ConfigError](err); ok {
		if missing := credentialsProblem(o); missing != nil && fault.Reason == oauth.ReasonCredentialsIncomplete {
			return nil, missing // of which the fault is a consequence
		}
		return nil, configProblem(fault)
	}
	if missing := credentialsProblem(o); missing != nil {
		return nil, missing
	}
	return flow, nil
}

// fingerprint leaves the credentials out where it is not known which of them count.
func (p planner) fingerprint(settings oauth.Settings, flow *oauth.Flow) fingerprint {
	if flow == nil {
		settings.Credentials = nil
		return fingerprintOf(p.hasher, settings, nil)
	}
	return fingerprintOf(p.hasher, settings, flow.UsedCredentials)
}

// schedule asks the schedule whether a token is due, and with what it is to be asked for.
func (r *plan) schedule(now time.Time, o *observation, paused time.Time) {
	if r.useAnswer(now, o, paused) {
		return
	}
	r.decision = renewal.Decide(now, r.renewalState(o, paused), policyOf(o.token, usable(r.flow, r.keep)))
	r.recall(o)
	if r.decision.Reason == renewal.Paused {
		r.problem = firstProblem(r.problem, pausedProblem())
	}
	if r.decision.Action == renewal.Wait && !r.backsOffFromNothing() {
		return
	}
	chosen, obstacle := chooseExchange(now, r.flow, o, r.keep, r.served(now))
	switch {
	case obstacle != nil:
		r.problem = authorizeAgain(obstacle, r.problem)
		r.wait(now)
	case r.decision.Action == renewal.Wait:
	case chosen.notBefore.After(now):
		r.decision = renewal.Decision{Reason: renewal.BackingOff, At: earliest(chosen.notBefore, r.expiry(now), now.Add(time.Hour))}
		if r.keep.Intent != nil {
			r.problem = interrupted(r.flow, chosen.means == byRefresh)
		}
	default:
		r.step, r.exchange = stepRequest, chosen
	}
}

// fight waits before the target is mended once more, since the last times did not hold.
func (r *plan) fight(o *observation) {
	r.problem, r.matches = fightProblem(o.token), false
	r.decision.At = earliest(r.decision.At, o.mendAt)
}

// backsOffFromNothing tells whether the last request of an interactive grant failed: there is no use in waiting where only a person can go on,
// be it because the vendor refused for good or because the code was lost in an outage.
func (r *plan) backsOffFromNothing() bool {
	return r.flow.IsInteractive() && r.decision.Reason == renewal.BackingOff && r.problem != nil
}

// wait ends a plan that does nothing now.
func (r *plan) wait(now time.Time) *plan {
	r.step, r.write = stepWait, nil
	recheck := time.Hour
	if r.problem != nil && r.problem.recheck > 0 {
		recheck = r.problem.recheck
	}
	r.decision = renewal.Decision{Action: renewal.Wait, At: earliest(r.expiry(now), now.Add(recheck))}
	return r
}

// served is the token held, as long as it is good; nil otherwise.
func (r *plan) served(now time.Time) *record {
	if r.held == nil || !r.held.ExpiresAt.After(now) {
		return nil
	}
	return r.held
}

// urgency is since or from when pods are left without a token, zero where there has been none.
func (r *plan) urgency() time.Time {
	if r.held == nil {
		return time.Time{}
	}
	return r.held.ExpiresAt
}

// expiry is when the token held ends, zero where it has or where there is none.
func (r *plan) expiry(now time.Time) time.Time {
	if served := r.served(now); served != nil {
		return served.ExpiresAt
	}
	return time.Time{}
}

// backOffAgain finds the back-off of an interrupted refresh from what else is known of it.
func backOffAgain(f renewal.Failures, uid string) renewal.Failures {
	before := renewal.Failures{Count: f.Count - 1, Recent: f.Recent[:max(0, len(f.Recent)-1)]}
	f.NextAttempt = earliest(f.NextAttempt, renewal.AfterFailure(f.LastTime, renewal.Transient, before, true, 0, nil, uid).NextAttempt)
	return f
}

func (r *plan) renewalState(o *observation, paused time.Time) renewal.State {
	status, asked := o.token.Status, renewRequest(o.token)
	state := renewal.State{
		UID: string(o.token.UID), Suspended: o.token.Spec.Suspend, Failures: failuresOf(status),
		FailuresCurrent: r.failuresCurrent(o.token), NotBefore: paused, LastSuccess: later(timeOf(status.IssuedAt), o.lastSuccess),
	}
	if state.FailuresCurrent && status.Failures.Reason == v1alpha1.ReasonRefreshInterrupted { // status tells of the last tenth, if a token is served till then
		state.Failures = backOffAgain(state.Failures, state.UID)
	}
	if state.FailuresCurrent && status.Failures.Reason == v1alpha1.ReasonRateLimited {
		state.NotBefore = later(state.NotBefore, state.Failures.NextAttempt)
	}
	if r.held != nil {
		state.Token = &renewal.Token{IssuedAt: r.held.IssuedAt, ExpiresAt: r.held.ExpiresAt, RepeatedAt: r.held.RepeatedAt}
		state.Current = r.fingerprint.same(r.held.RequestHash)
		state.Renew = asked != "" && asked != r.held.RenewHandled
		state.RenewTried = state.Renew && asked == status.LastHandledRenewRequest
	} else { // a first token that could not be had is asked for once more in the same way
		state.Renew = asked != "" && asked != status.LastHandledRenewRequest
	}
	return state
}

// failuresCurrent tells whether the failures in status are of the present spec and credentials.
func (r *plan) failuresCurrent(token *v1alpha1.OAuthToken) bool {
	failures := token.Status.Failures
	return failures != nil && r.fingerprint.same(failures.RequestHash)
}

// policyOf is what the user states of renewal. A refresh token that ends before the access token, and moves its end with each refresh, is
// used in time not to die of disuse.
func policyOf(token *v1alpha1.OAuthToken, keep keepsake) renewal.Policy {
	policy := declaration.Renewal(token)
	policy.MaxTokenAge = shorter(keep.Life, policy.MaxTokenAge)
	return policy
}

// shorter is the shorter of two times, where 0 is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

func firstProblem(problems ...*problem) *problem {
	for _, p := range problems {
		if p != nil {
			return p
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
