package main

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// grade is how much an OAuthToken needs somebody, the most urgent first.
type grade int

const (
	helpless grade = iota // there is no good token, and somebody must act
	silent                // the operator does not speak of it
	waiting               // there is none, and the operator goes on by itself
	failing               // it is good, and its renewal fails
	asking                // it is good, and somebody must authorize before it ends
	good                  // nobody needs to do anything
)

// state is a grade as a column shows it.
func (g grade) state() string {
	return [...]string{"NoToken", "Unseen", "Waiting", "Failing", "Authorize", "Good"}[g]
}

// verdict is how an OAuthToken stands, and why.
type verdict struct {
	grade
	reason, message string // of what is wrong; empty: nothing
}

const (
	notSeen  = "the operator has not looked at it yet: is it running?"
	outdated = "the token is past its end, and the operator has not said so: is it running?"
)

// judge tells how an OAuthToken stands.
func judge(token *v1alpha1.OAuthToken, now time.Time) verdict {
	find := func(kind string) *metav1.Condition { return meta.FindStatusCondition(token.Status.Conditions, kind) }
	ready := find(v1alpha1.ConditionReady)
	if ready == nil {
		return verdict{grade: silent, message: notSeen}
	}
	if ready.Status != metav1.ConditionTrue {
		because := verdict{grade: helpless, reason: ready.Reason, message: ready.Message}
		if meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReconciling) {
			because.grade = waiting
		}
		return because
	}
	if end := token.Status.ExpiresAt; end != nil && !end.After(now) {
		return verdict{grade: silent, message: outdated}
	}
	if trouble := find(v1alpha1.ConditionRenewalFailing); trouble != nil {
		return verdict{grade: failing, reason: trouble.Reason, message: trouble.Message}
	}
	if wanted := find(v1alpha1.ConditionAuthorizationRequired); wanted != nil {
		return verdict{grade: asking, reason: wanted.Reason, message: wanted.Message}
	}
	return verdict{grade: good}
}

// sentence is a verdict in words.
func (v verdict) sentence() string {
	switch v.grade {
	case helpless:
		return "no good token, and somebody must act"
	case silent:
		return "the operator says nothing of it"
	case waiting:
		return "no good token yet; the operator goes on by itself"
	case failing:
		return "good, but its renewal fails"
	case asking:
		return "good, but somebody must authorize before it ends"
	case good:
	}
	return "good"
}

// byUrgency orders OAuthTokens: those that need somebody first, then by when pods are left without a token.
func byUrgency(tokens []v1alpha1.OAuthToken, now time.Time) {
	slices.SortStableFunc(tokens, func(a, b v1alpha1.OAuthToken) int {
		return cmp.Or(
			cmp.Compare(judge(&a, now).grade, judge(&b, now).grade), endOf(&a).Compare(endOf(&b)),
			cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name),
		)
	})
}

// endOf is when pods are left without a token: long ago where there is none.
func endOf(token *v1alpha1.OAuthToken) time.Time {
	if token.Status.ExpiresAt == nil {
		return time.Time{}
	}
	return token.Status.ExpiresAt.Time
}
