package controller

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// action is what the operator was doing when it wrote an event.
const action = "Sync"

// emit writes an event for each thing that happened, and a warning for a problem that was not there before.
func (r *Reconciler) emit(o *observation, outcome *result, status v1alpha1.OAuthTokenStatus) {
	for _, n := range outcome.notices {
		r.event(o.token, n)
	}
	reason, message := problemIn(status)
	before, words := problemIn(o.token.Status)
	if reason != "" && (reason != before || message != words) && reason != v1alpha1.ReasonRequesting {
		r.event(o.token, notice{warning: true, reason: reason, about: message})
	}
	for _, n := range specNotices(o.token, outcome, status) {
		r.event(o.token, n)
	}
}

// specNotices are what a user should know of a spec that is new: once per generation, or as soon as the grant is known.
func specNotices(token *v1alpha1.OAuthToken, outcome *result, status v1alpha1.OAuthTokenStatus) []notice {
	var notices []notice
	fresh := token.Status.ObservedGeneration != token.Generation
	issued := outcome.written && outcome.attempted // whose own notices tell of it
	if fresh && outcome.held != nil && !issued {
		notices = slices.DeleteFunc(scheduleOddities(token, outcome.held), func(n notice) bool { return n.reason != v1alpha1.EventRenewBeforeClamped })
	}
	if (fresh || token.Status.GrantType != status.GrantType) && discouraged(status.GrantType) {
		notices = append(notices, notice{warning: true, reason: v1alpha1.EventDiscouragedGrant, about: fmt.Sprintf(
			"the grant %s is discouraged by RFC 9700: use another one as soon as the vendor offers it", status.GrantType)})
	}
	return notices
}

func (r *Reconciler) event(token *v1alpha1.OAuthToken, n notice) {
	kind := corev1.EventTypeNormal
	if n.warning {
		kind = corev1.EventTypeWarning
	}
	r.Recorder.Eventf(token, nil, kind, n.reason, action, "%s", n.note())
}

// maxEventNote is less than the API server's bound for an event's note, 1 kB.
const maxEventNote = 1000

// note is what an event says. A warning ends with where the failure guide goes on: events come and go, so that the address can change with
// the documentation, which the text of a condition can't.
func (n notice) note() string {
	if !n.warning {
		return clip(n.about, maxEventNote)
	}
	guide := "; see " + v1alpha1.FailureGuide(n.reason)
	return strings.TrimSuffix(clip(n.about, maxEventNote-len(guide)), ".") + guide
}

// discouraged tells of the grants that RFC 9700 forbids (2.4) or discourages (2.1.2).
func discouraged(grant string) bool {
	return grant == string(v1alpha1.GrantPassword) || grant == string(v1alpha1.GrantImplicit)
}

// noticesOf are the events of a new token: that it is there, and, when it is the first of its kind, what is odd about it. A renewal like
// the ones before gives one event, the repetition of a token none.
func noticesOf(o *observation, given *answer) []notice {
	var notices []notice
	before := o.token.Status
	switch {
	case !given.record.RepeatedAt.IsZero():
	case before.IssuedAt == nil:
		notices = append(notices, notice{reason: v1alpha1.EventTokenIssued, about: fmt.Sprintf("a token is in Secret %q", targetName(o.token))})
	default:
		notices = append(notices, notice{reason: v1alpha1.EventTokenRenewed, about: fmt.Sprintf("a new token is in Secret %q", targetName(o.token))})
	}
	odd := oddities(o.token, given)
	if before.ObservedGeneration == o.token.Generation && before.IssuedAt != nil {
		odd = deleteNotices(odd, pastOddities(o.token, given))
	}
	return append(notices, odd...)
}

// oddities are what a user should know of a token and can change.
func oddities(token *v1alpha1.OAuthToken, given *answer) []notice {
	var odd []notice
	warn := func(reason, format string, values ...any) {
		odd = append(odd, notice{warning: true, reason: reason, about: fmt.Sprintf(format, values...)})
	}
	if given.lifetimeUnknown {
		why := "the vendor does not say how long the token lives"
		if given.lifetimeFault != "" {
			why = given.lifetimeFault
		}
		warn(v1alpha1.EventLifetimeUnknown, "%s: %s is assumed; set spec.renewal.assumedLifetime to what the vendor's documents say",
			why, given.record.ExpiresAt.Sub(given.record.IssuedAt))
	}
	if given.narrowed {
		warn(v1alpha1.EventScopeNarrowed, "the vendor granted fewer scopes than were asked for: see status.scopes")
	}
	if given.unsaved {
		warn(v1alpha1.ReasonSecretConflict, "%s", foreignState(token))
	}
	if given.record.RepeatedAt.IsZero() {
		odd = append(odd, scheduleOddities(token, &given.record)...)
	}
	return odd
}

// scheduleOddities are those that follow from how long a token lives.
func scheduleOddities(token *v1alpha1.OAuthToken, held *record) []notice {
	var odd []notice
	schedule := scheduleOf(token, keepsake{}, held)
	if schedule.Clamped {
		odd = append(odd, notice{warning: true, reason: v1alpha1.EventRenewBeforeClamped, about: "spec.renewal asks for a renewal in the first half of the token's life: it is made at its half; lower renewBefore or renewBeforePercentage"})
	}
	if schedule.Short {
		odd = append(odd, notice{warning: true, reason: v1alpha1.EventShortLifetime, about: "the token lives less than 4 minutes, and a changed Secret takes up to 90 seconds into a pod: pods may see expired tokens; ask the vendor for a longer life"})
	}
	return odd
}

// pastOddities are those that were told with the token before, as far as status and memory show it.
func pastOddities(token *v1alpha1.OAuthToken, given *answer) []notice {
	status := token.Status
	past := scheduleOddities(token, &record{IssuedAt: timeOf(status.IssuedAt), ExpiresAt: timeOf(status.ExpiresAt)})
	past = append(past, notice{reason: v1alpha1.ReasonSecretConflict})
	if given.lifetimeTold {
		past = append(past, notice{reason: v1alpha1.EventLifetimeUnknown})
	}
	if given.narrowedTold {
		past = append(past, notice{reason: v1alpha1.EventScopeNarrowed})
	}
	return past
}

func deleteNotices(notices, known []notice) []notice {
	var fresh []notice
	for _, n := range notices {
		told := false
		for _, k := range known {
			told = told || k.reason == n.reason
		}
		if !told {
			fresh = append(fresh, n)
		}
	}
	return fresh
}
