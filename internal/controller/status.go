package controller

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/renewal"
)

// statusOf is the status of an OAuthToken after a result. It is pure, and the same for the same problem at every time.
func statusOf(now time.Time, token *v1alpha1.OAuthToken, p *plan, outcome *result) v1alpha1.OAuthTokenStatus {
	status := *token.Status.DeepCopy()
	switch {
	case p.flow != nil:
		status.GrantType = string(p.flow.Grant)
	case status.ObservedGeneration != token.Generation: // what is known of a new spec, before its credentials come
		status.GrantType = string(token.Spec.GrantType)
	}
	status.ObservedGeneration = token.Generation
	setServed(&status, token, p, outcome)
	status.RefreshToken = refreshStatus(usable(p.flow, outcome.keep))
	status.Authorization = authorizationStatus(token, p, outcome)
	status.Failures = outcome.failure
	status.RecentFailures = stamps(outcome.recent)
	if asked := renewRequest(token); asked != "" && (outcome.attempted || outcome.held != nil && outcome.held.RenewHandled == asked) {
		status.LastHandledRenewRequest = asked
	} else if status.LastHandledRenewRequest == "" && outcome.held != nil { // a status that was lost
		status.LastHandledRenewRequest = outcome.held.RenewHandled
	}
	setConditions(now, &status, token, p, outcome)
	return status
}

// maxRenewRequest is how much of the annotation's value counts: what status and the target Secret have place for.
const maxRenewRequest = 1024

// renewRequest is the value by which a renewal is asked for; empty: none is.
func renewRequest(token *v1alpha1.OAuthToken) string {
	return clip(token.Annotations[v1alpha1.RenewRequestedAtAnnotation], maxRenewRequest)
}

// setServed tells of the token that the target holds.
func setServed(status *v1alpha1.OAuthTokenStatus, token *v1alpha1.OAuthToken, p *plan, outcome *result) {
	held := outcome.held
	if held == nil {
		status.SecretName, status.TokenType, status.Scopes = "", "", nil
		status.IssuedAt, status.ExpiresAt, status.RenewalTime = nil, nil, nil
		return
	}
	status.SecretName, status.TokenType = targetName(token), "Bearer"
	status.IssuedAt, status.ExpiresAt, status.RenewalTime = stamp(held.IssuedAt), stamp(held.ExpiresAt), nil
	if !token.Spec.Suspend {
		status.RenewalTime = stamp(scheduleOf(token, usable(p.flow, outcome.keep), held).RenewalTime)
	}
	switch {
	case outcome.scopes != nil:
		status.Scopes = boundedScopes(outcome.scopes)
	case status.Scopes == nil && p.flow != nil:
		status.Scopes = slices.Clone(p.flow.Scopes)
	}
}

// boundedScopes are as many scopes as status may hold; the vendor's answer may have more.
func boundedScopes(scopes []string) []string {
	bounded := slices.Clone(scopes[:min(len(scopes), maxScopes)])
	for i, scope := range bounded {
		bounded[i] = clip(scope, maxScope)
	}
	return bounded
}

const (
	maxScopes = 256
	maxScope  = 1024
)

// scheduleOf is when a token is due for renewal.
func scheduleOf(token *v1alpha1.OAuthToken, keep keepsake, held *record) renewal.Schedule {
	return renewal.Plan(renewal.Token{IssuedAt: held.IssuedAt, ExpiresAt: held.ExpiresAt, RepeatedAt: held.RepeatedAt},
		policyOf(token, keep), string(token.UID))
}

func refreshStatus(keep keepsake) *v1alpha1.RefreshTokenStatus {
	if keep.RefreshToken.IsEmpty() {
		return nil
	}
	return &v1alpha1.RefreshTokenStatus{IssuedAt: stamp(keep.IssuedAt), ExpiresAt: stamp(keep.ExpiresAt)}
}

// failureStatus is a failure as status tells of it.
func failureStatus(f renewal.Failures, asked fingerprint, failure *oauth.Error) *v1alpha1.FailureStatus {
	return &v1alpha1.FailureStatus{
		Count: int32(min(f.Count, 1<<20)), LastTime: stamp(f.LastTime), NextAttempt: stamp(f.NextAttempt), //nolint:gosec // bounded
		RequestHash: asked.String(), Reason: string(failure.Reason), Message: clip(failure.Message, maxMessage),
	}
}

// maxMessage is the longest message of a condition.
const maxMessage = 2048

// setConditions tells how things stand.
func setConditions(now time.Time, status *v1alpha1.OAuthTokenStatus, token *v1alpha1.OAuthToken, p *plan, outcome *result) {
	set := conditionSetter(now, status, token.Generation)
	obstacle := p.withoutLink(outcome.problem)
	good := outcome.held != nil && outcome.held.ExpiresAt.After(now)
	asked := consentWanted(now, token, p, outcome)
	switch {
	case asked != nil:
	case obstacle != nil && obstacle.authorize: // with the grant RefreshToken, which has no link
		asked = obstacle
	case p.portalOff != nil && !token.Spec.Suspend && consentAhead(now, p.flow, usable(p.flow, outcome.keep)) != nil:
		asked = p.portalOff
	}
	set(v1alpha1.ConditionAuthorizationRequired, asked != nil, asked)
	if good && outcome.matches {
		set(v1alpha1.ConditionReady, true, &problem{
			reason: v1alpha1.ReasonTokenIssued, message: fmt.Sprintf("Secret %q holds a good token", targetName(token)),
		})
		set(v1alpha1.ConditionRenewalFailing, obstacle != nil, obstacle)
		set(v1alpha1.ConditionReconciling, false, nil)
		set(v1alpha1.ConditionStalled, false, nil)
		return
	}
	why := firstProblem(obstacle, withoutToken(token, outcome))
	meta.SetStatusCondition(&status.Conditions, condition(now, token.Generation, v1alpha1.ConditionReady, metav1.ConditionFalse, why))
	set(v1alpha1.ConditionRenewalFailing, false, nil)
	set(v1alpha1.ConditionReconciling, why.waiting, why)
	set(v1alpha1.ConditionStalled, !why.waiting, why)
}

// withoutToken says why there is no good token although nothing failed.
func withoutToken(token *v1alpha1.OAuthToken, outcome *result) *problem {
	expired := outcome.held != nil && outcome.matches
	switch {
	case expired && token.Spec.Suspend:
		return &problem{reason: v1alpha1.ReasonTokenExpired, message: "the token is past its end, and spec.suspend keeps it from being renewed: set spec.suspend to false"}
	case token.Spec.Suspend:
		return &problem{reason: v1alpha1.ReasonSuspended, message: "spec.suspend keeps a token from being requested: set spec.suspend to false"}
	case expired:
		return &problem{reason: v1alpha1.ReasonTokenExpired, message: "the token is past its end, and a new one is about to be requested", waiting: true}
	}
	return &problem{reason: v1alpha1.ReasonRequesting, message: "a token is being requested from the vendor", waiting: true}
}

// conditionSetter returns a function that sets a condition to True, or removes it.
func conditionSetter(now time.Time, status *v1alpha1.OAuthTokenStatus, generation int64) func(string, bool, *problem) {
	return func(kind string, holds bool, why *problem) {
		if !holds {
			meta.RemoveStatusCondition(&status.Conditions, kind)
			return
		}
		meta.SetStatusCondition(&status.Conditions, condition(now, generation, kind, metav1.ConditionTrue, why))
	}
}

func condition(now time.Time, generation int64, kind string, value metav1.ConditionStatus, why *problem) metav1.Condition {
	return metav1.Condition{
		Type: kind, Status: value, Reason: why.reason, Message: clip(why.message, maxMessage), ObservedGeneration: generation,
		LastTransitionTime: *stamp(now),
	}
}

func stamps(times []time.Time) []metav1.Time {
	var stamped []metav1.Time
	for _, t := range times {
		stamped = append(stamped, *stamp(t))
	}
	return stamped
}

// stamp is a time in whole seconds; nil for the zero time.
func stamp(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	stamped := metav1.NewTime(t.UTC().Truncate(time.Second))
	return &stamped
}

// clip shortens a text to at most n bytes, at a character's border.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xC0 == 0x80 { // inside of a character in UTF-8
		n--
	}
	return text[:n]
}
