package main

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
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
	case token.Status.Authorization != nil && token.Status.Authorization.URL != "":
		return invited, ""
	case meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionAuthorizationRequired) && isInteractive(grant):
		return unsettled, "there is no link yet: " + ready.Message
	case grant != "" && !isInteractive(grant):
		return impossible, fmt.Sprintf("its grant %s needs nobody in a browser: %s", grant, ready.Message)
	case ready.Status == "True":
		return connected, ""
	}
	return impossible, fmt.Sprintf("%s: %s", ready.Reason, ready.Message)
}

func isInteractive(grant string) bool {
	return grant == string(v1alpha1.GrantAuthorizationCode) || grant == string(v1alpha1.GrantImplicit)
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
	return strings.Join(parts, "; ")
}

// seenAt is when each event was last seen, by its UID.
func seenAt(events []eventsv1.Event) map[types.UID]time.Time {
	seen := map[types.UID]time.Time{}
	for i := range events {
		seen[events[i].UID] = lastSeen(&events[i])
	}
	return seen
}

func lastSeen(event *eventsv1.Event) time.Time {
	if event.Series != nil && event.Series.LastObservedTime.After(event.EventTime.Time) {
		return event.Series.LastObservedTime.Time
	}
	return event.EventTime.Time
}

// newFailure is the last warning about a person's attempt that was not there before; empty: none. Clocks of two machines are not compared.
func newFailure(events []eventsv1.Event, before map[types.UID]time.Time) string {
	failure, latest := "", time.Time{}
	for i := range events {
		event := &events[i]
		at := lastSeen(event)
		if known, ok := before[event.UID]; ok && !at.After(known) {
			continue
		}
		if event.Type == corev1.EventTypeWarning && endsAttempt(event.Reason) && at.After(latest) {
			failure, latest = event.Reason+": "+event.Note, at
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
