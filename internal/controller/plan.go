package controller

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/renewal"
)

// Platform is what the platform's administrators decide for all OAuthTokens.
type Platform struct {
	// Catalogue holds the vendors.
	Catalogue *oauth.Catalogue
	// AllowedHosts are hosts that every credentials Secret may be sent to.
	AllowedHosts []string
	// InsecureHTTPHosts are the hosts to which plain http may be spoken.
	InsecureHTTPHosts []string
	// EnableInteractive says that the portal is served, which the grants AuthorizationCode and Implicit need.
	EnableInteractive bool
	// EnableImplicit allows the grant Implicit.
	EnableImplicit bool
}

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
	keep        keepsake
	held        *record // the token in the target Secret, maybe expired; nil: none, or none that can be trusted
	matches     bool    // what is held is what the spec wants
	problem     *problem

	step     step
	write    *rendering // with stepWrite
	answered bool       // what is written is the vendor's answer, not a repair
	exchange exchange   // with stepRequest
	declared bool       // that its credential is being spent stands in the state Secret
	decision renewal.Decision
}

// planner makes plans. It is pure: all that changes comes as an argument.
type planner struct {
	platform Platform
	hasher   hasher
}

// plan decides what to do at a time. notBefore is the end of a pause that the endpoint asked for.
func (p planner) plan(now time.Time, o *observation, paused func(*oauth.Flow) time.Time) *plan {
	result := &plan{keep: parseState(o.state)}
	settings := settingsOf(o.token, o.credentials.secret, p.platform)
	result.flow, result.problem = p.resolve(o, settings)
	result.fingerprint = p.fingerprint(settings, result.flow)
	if conflict := conflictProblem(o); conflict != nil {
		result.problem = firstProblem(result.problem, conflict)
		return result.wait(now)
	}
	if fault := result.hold(now, p.hasher, o); fault != nil {
		result.problem = firstProblem(result.problem, fault)
		return result.wait(now)
	}
	fighting := o.mendAt.After(now) && (result.held == nil || result.write != nil) && !result.answered
	if result.write != nil && !fighting { // drift is repaired whatever else is wrong
		result.step = stepWrite
		if result.problem == nil && !result.answered {
			result.recall(o)
		}
		return result
	}
	if fault := firstProblem(result.problem, templateProblem(o.token)); fault != nil || o.saving || fighting && result.held == nil {
		result.problem = fault
		result.wait(now)
	} else {
		result.schedule(now, o, p.hasher, paused(result.flow)) // a token that is fought over is renewed all the same
	}
	if fighting && result.step == stepWait {
		result.fight(o)
	}
	return result
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

// hold finds out what token the target holds, and what must be written so that the target is as it should be: after an edit, after a
// change of template or name, or with an answer that could not be written yet. A fault is the template's.
func (r *plan) hold(now time.Time, h hasher, o *observation) *problem {
	source := o.live
	switch {
	case o.answer != nil && r.fingerprint.same(o.answer.record.RequestHash) && o.answer.record.ExpiresAt.After(now):
		return r.holdAnswer(o)
	case o.target.standing == ours && source == nil:
		r.holdRecord(o.target)
		r.matches = r.fingerprint.sameSpec(r.held.RequestHash)
		return nil
	case o.target.standing == absent:
		source = o.former
	}
	if source == nil {
		return nil
	}
	rendering, err := restore(o.token, source, knownToken(o.token, source.Name))
	if err != nil {
		r.holdRecord(viewTarget(o.token, hashed(source)))
		return templateFailed(err.Error())
	}
	if rendering == nil {
		return nil
	}
	held, _ := parseRecord(rendering.annotations)
	r.held, r.matches = &held, r.fingerprint.sameSpec(held.RequestHash)
	r.write = r.stamp(h, o, rendering)
	return nil
}

func (r *plan) holdRecord(view targetView) {
	if view.recorded {
		held := view.record
		r.held = &held
	}
}

// holdAsItIs takes the target as it stays when a new token can't be rendered.
func (r *plan) holdAsItIs(o *observation) {
	r.holdRecord(o.target)
	r.matches = r.held != nil && o.target.rendered(o.token) && r.fingerprint.sameSpec(r.held.RequestHash)
}

// holdAnswer plans to write an answer that could not be written before.
func (r *plan) holdAnswer(o *observation) *problem {
	rendering, err := render(o.token, o.answer.issued)
	if err != nil {
		r.holdAsItIs(o)
		return templateFailed(err.Error())
	}
	r.held, r.matches, r.write, r.answered = &o.answer.record, true, rendering, true
	return nil
}

// stamp gives a rendering whose request-hash can't be read, because its key was lost, a new one. Where the request is not known now,
// the old one stays, and nothing is written for its sake alone.
func (r *plan) stamp(h hasher, o *observation, restored *rendering) *rendering {
	if h.recognises(restored.annotations[v1alpha1.RequestHashAnnotation]) {
		return restored
	}
	if r.flow == nil {
		if t := o.target; t.standing == ours && t.intact() && t.rendered(o.token) && t.dressed(o.token) {
			return nil
		}
		return restored
	}
	held, _ := parseRecord(restored.annotations)
	old, _ := parseSeal(restored.annotations[v1alpha1.DataHashAnnotation])
	held.RequestHash = r.fingerprint.String()
	return renderMetadata(o.token, held, restored.data, old)
}

// knownToken is what status tells of the token in a Secret; nil: nothing.
func knownToken(token *v1alpha1.OAuthToken, secretName string) *issued {
	status := token.Status
	if status.SecretName != secretName || status.IssuedAt == nil || status.ExpiresAt == nil {
		return nil
	}
	known := &issued{Scope: strings.Join(status.Scopes, " "), record: record{IssuedAt: status.IssuedAt.UTC(), ExpiresAt: status.ExpiresAt.UTC()}}
	if status.Failures == nil { // else a request for it may have failed
		known.record.RenewHandled = status.LastHandledRenewRequest
	}
	return known
}

// recall takes the failure of the last request for a problem that goes on.
func (r *plan) recall(o *observation) {
	if failures := o.token.Status.Failures; r.failuresCurrent(o.token) && failures.Count > 0 {
		r.problem = failureProblem(failures)
	}
}

// schedule asks the schedule whether a token is due, and with what it is to be asked for.
func (r *plan) schedule(now time.Time, o *observation, h hasher, paused time.Time) {
	r.decision = renewal.Decide(now, r.renewalState(o, paused), policyOf(o.token))
	r.recall(o)
	if r.decision.Reason == renewal.Paused {
		r.problem = firstProblem(r.problem, pausedProblem())
	}
	if r.decision.Action == renewal.Wait {
		return
	}
	chosen, obstacle := chooseExchange(now, h, r.flow, o, r.keep, r.served(now))
	switch {
	case obstacle != nil:
		r.problem = obstacle
		r.wait(now)
	case chosen.notBefore.After(now):
		r.decision = renewal.Decision{Reason: renewal.BackingOff, At: earliest(chosen.notBefore, r.expiry(now), now.Add(time.Hour))}
		if r.keep.Intent != nil {
			r.problem = interrupted()
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

// interrupted is the problem that the answer to a refresh was lost.
func interrupted() *problem {
	return &problem{
		reason:  v1alpha1.ReasonRefreshInterrupted,
		message: "the answer to a refresh was lost, and the refresh token may be spent: the token that is served stays until its end, then the refresh token is tried again",
		waiting: true,
	}
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

// expiry is when the token held ends, zero where it has or where there is none.
func (r *plan) expiry(now time.Time) time.Time {
	if served := r.served(now); served != nil {
		return served.ExpiresAt
	}
	return time.Time{}
}

func (r *plan) renewalState(o *observation, paused time.Time) renewal.State {
	status, asked := o.token.Status, renewRequest(o.token)
	state := renewal.State{
		UID: string(o.token.UID), Suspended: o.token.Spec.Suspend, Failures: failuresOf(status),
		FailuresCurrent: r.failuresCurrent(o.token), NotBefore: paused, LastSuccess: later(timeOf(status.IssuedAt), o.lastSuccess),
	}
	if state.FailuresCurrent && status.Failures.Reason == v1alpha1.ReasonRateLimited {
		state.NotBefore = later(state.NotBefore, state.Failures.NextAttempt)
	}
	if r.held != nil {
		state.Token = &renewal.Token{IssuedAt: r.held.IssuedAt, ExpiresAt: r.held.ExpiresAt, RepeatedAt: r.held.RepeatedAt}
		state.Current = r.fingerprint.same(r.held.RequestHash)
		state.Renew = asked != "" && asked != r.held.RenewHandled
		state.RenewTried = state.Renew && asked == status.LastHandledRenewRequest
	}
	return state
}

// failuresCurrent tells whether the failures in status are of the present spec and credentials.
func (r *plan) failuresCurrent(token *v1alpha1.OAuthToken) bool {
	failures := token.Status.Failures
	return failures != nil && r.fingerprint.same(failures.RequestHash)
}

func policyOf(token *v1alpha1.OAuthToken) renewal.Policy {
	if token.Spec.Renewal == nil {
		return renewal.Policy{}
	}
	r := token.Spec.Renewal
	return renewal.Policy{
		RenewBefore: r.RenewBefore.Value(), RenewBeforePercentage: int(r.RenewBeforePercentage), MaxTokenAge: r.MaxTokenAge.Value(),
	}
}

func failuresOf(status v1alpha1.OAuthTokenStatus) renewal.Failures {
	var failures renewal.Failures
	for i := range status.RecentFailures {
		failures.Recent = append(failures.Recent, status.RecentFailures[i].UTC())
	}
	if f := status.Failures; f != nil {
		failures.Count, failures.LastTime, failures.NextAttempt = int(f.Count), timeOf(f.LastTime), timeOf(f.NextAttempt)
	}
	return failures
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// earliest is the first of some times; zero ones do not count.
func earliest(times ...time.Time) time.Time {
	times = slices.DeleteFunc(times, time.Time.IsZero)
	if len(times) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(times, time.Time.Compare)
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
