package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// standing is how an OAuthToken stands, for somebody who wants to authorize.
type standing int

const (
	unsettled  standing = iota // nothing can be said yet
	invited                    // there is a link
	connected                  // nobody needs to authorize
	impossible                 // nobody can
)

// standingOf tells how an OAuthToken stands, and why in words where nobody can authorize.
func standingOf(token *v1alpha1.OAuthToken) (standing, string) {
	ready := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReady)
	grant := token.Status.GrantType
	switch {
	case token.Status.ObservedGeneration != token.Generation || ready == nil:
		return unsettled, "the operator has not looked at it yet: is it running?"
	case linkOf(token) != "":
		return invited, ""
	case isAsked(token) && isInteractive(grant):
		return unsettled, "there is no link yet: " + ready.Message
	case grant != "" && !isInteractive(grant):
		return impossible, fmt.Sprintf("its grant %s needs nobody in a browser: %s", grant, ready.Message)
	case ready.Status == metav1.ConditionTrue:
		return connected, ""
	}
	return impossible, fmt.Sprintf("%s: %s", ready.Reason, ready.Message)
}

func isInteractive(grant string) bool {
	return grant == string(v1alpha1.GrantAuthorizationCode) || grant == string(v1alpha1.GrantImplicit)
}

func isAsked(token *v1alpha1.OAuthToken) bool {
	return meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionAuthorizationRequired)
}

// linkOf is the link of an OAuthToken; empty: none.
func linkOf(token *v1alpha1.OAuthToken) string {
	if token.Status.Authorization == nil {
		return ""
	}
	return token.Status.Authorization.URL
}

// summary tells of an OAuthToken that nobody needs to authorize.
func summary(token *v1alpha1.OAuthToken) string {
	var parts []string
	if a := token.Status.Authorization; a != nil && a.Subject != "" {
		parts = append(parts, "authorized by "+a.Subject)
	}
	if len(token.Status.Scopes) > 0 {
		parts = append(parts, "scopes "+strings.Join(token.Status.Scopes, " "))
	}
	if e := token.Status.ExpiresAt; e != nil {
		parts = append(parts, "the token ends "+e.UTC().Format(time.RFC3339)+" and is renewed before")
	}
	if r := token.Status.RefreshToken; r != nil && r.ExpiresAt != nil {
		parts = append(parts, "somebody is needed again by "+r.ExpiresAt.UTC().Format(time.RFC3339))
	}
	if failing := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionRenewalFailing); failing != nil {
		parts = append(parts, fmt.Sprintf("but its renewal fails (%s: %s)", failing.Reason, failing.Message))
	}
	return strings.Join(parts, "; ")
}

// attempt is a person's attempt to authorize.
type attempt struct {
	link     string
	used     bool                    // the link was, so that the browser is on its way
	before   map[types.UID]time.Time // the events that were there before; nil where they may not be read
	failures v1alpha1.FailureStatus  // those before the link was used
}

// newAttempt begins with how things stand before the link is shown.
func newAttempt(token *v1alpha1.OAuthToken, events *corev1.EventList) *attempt {
	begun := &attempt{link: linkOf(token), failures: failuresOf(token)}
	if events != nil {
		begun.before = seenAt(events.Items)
	}
	return begun
}

// ending is what came of an attempt.
type ending int

const (
	undecided ending = iota // nothing yet
	succeeded
	failed
)

// look tells what came of an attempt, and why in words where it failed.
func (a *attempt) look(token *v1alpha1.OAuthToken, events []corev1.Event) (ending, string) {
	if linkOf(token) != a.link { // the portal takes a link away once it is used, and the operator makes the next one
		a.used = true
	}
	stands, why := standingOf(token)
	switch {
	case stands == connected && !isRetried(complaintOf(token)):
		return succeeded, ""
	case !a.used:
		a.failures = failuresOf(token)
		return undecided, ""
	}
	if failure := newFailure(events, a.before); failure != "" {
		return failed, failure
	}
	if failure := a.newFailureIn(token); failure != "" {
		return failed, failure
	}
	if stands == impossible && meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionStalled) {
		return failed, why
	}
	return undecided, ""
}

// newFailureIn is the failure in status since the link was used, if a person is asked anew; empty: none, or one that is waited out. An
// answer that was lost shows only here, for a short time.
func (a *attempt) newFailureIn(token *v1alpha1.OAuthToken) string {
	now := failuresOf(token)
	isSame := now.Count == a.failures.Count && now.LastTime.Equal(a.failures.LastTime)
	if now.Reason == "" || isSame || !isAsked(token) || isRetried(complaintOf(token)) {
		return ""
	}
	return now.Reason + ": " + now.Message
}

func failuresOf(token *v1alpha1.OAuthToken) v1alpha1.FailureStatus {
	if token.Status.Failures == nil {
		return v1alpha1.FailureStatus{}
	}
	return *token.Status.Failures
}

// complaintOf is the reason of what an OAuthToken complains about; empty: of nothing.
func complaintOf(token *v1alpha1.OAuthToken) string {
	if failing := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionRenewalFailing); failing != nil {
		return failing.Reason
	}
	if ready := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Status != metav1.ConditionTrue {
		return ready.Reason
	}
	return ""
}

// isRetried tells of the reasons after which the operator goes on by itself: it may still hold a code that reached nobody.
func isRetried(reason string) bool {
	switch reason {
	case v1alpha1.ReasonVendorUnavailable, v1alpha1.ReasonRateLimited, v1alpha1.ReasonMalformedResponse, v1alpha1.ReasonRefreshInterrupted:
		return true
	}
	return false
}

// seenAt is when each event was last seen, by its UID.
func seenAt(events []corev1.Event) map[types.UID]time.Time {
	seen := map[types.UID]time.Time{}
	for i := range events {
		seen[events[i].UID] = lastSeen(&events[i])
	}
	return seen
}

// lastSeen is the time of an event, whichever of the two interfaces it was written by.
func lastSeen(event *corev1.Event) time.Time {
	times := []time.Time{event.EventTime.Time, event.LastTimestamp.Time, event.FirstTimestamp.Time}
	if event.Series != nil {
		times = append(times, event.Series.LastObservedTime.Time)
	}
	if latest := slices.MaxFunc(times, time.Time.Compare); !latest.IsZero() {
		return latest
	}
	return event.CreationTimestamp.Time
}

// newFailure is the last warning about a person's attempt that was not there before; empty: none. Clocks of two machines are not compared.
func newFailure(events []corev1.Event, before map[types.UID]time.Time) string {
	failure, latest := "", time.Time{}
	for i := range events {
		event := &events[i]
		at := lastSeen(event)
		if known, ok := before[event.UID]; ok && !at.After(known) {
			continue
		}
		if event.Type == corev1.EventTypeWarning && endsAttempt(event.Reason) && at.After(latest) {
			failure, latest = event.Reason+": "+event.Message, at
		}
	}
	return failure
}

// endsAttempt tells of the warnings that mean that nothing came of a person's attempt.
func endsAttempt(reason string) bool {
	switch reason {
	case v1alpha1.ReasonAccessDenied, v1alpha1.ReasonInvalidClient, v1alpha1.ReasonInvalidGrant, v1alpha1.ReasonInvalidScope,
		v1alpha1.ReasonInvalidRequest, v1alpha1.ReasonUnauthorizedClient, v1alpha1.ReasonUnsupportedGrantType,
		v1alpha1.ReasonMalformedResponse, v1alpha1.ReasonEndpointNotAllowed, v1alpha1.ReasonInvalidSpec:
		return true
	}
	return false
}
