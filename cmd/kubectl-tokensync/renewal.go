package main

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// obstacle is why no renewal can be tried now, in words; empty: one can. What the operator has not looked at yet is no obstacle.
func obstacle(token *v1alpha1.OAuthToken) string {
	complaint := complaintCondition(token)
	switch {
	case token.DeletionTimestamp != nil:
		return "it is being deleted"
	case token.Spec.Suspend:
		return fmt.Sprintf("it is suspended, and nothing is requested before `kubectl tokensync resume %s -n %s`", token.Name, token.Namespace)
	case token.Status.ObservedGeneration != token.Generation || complaint == nil:
		return ""
	case linkOf(token) != "" && token.Status.RefreshToken == nil:
		return fmt.Sprintf("somebody must authorize first: `kubectl tokensync authorize %s -n %s`", token.Name, token.Namespace)
	case needsMending(complaint.Reason):
		return complaint.Reason + ": " + complaint.Message
	}
	return ""
}

// needsMending tells of the reasons for which the operator asks the vendor for nothing until spec, credentials or Secrets are changed.
func needsMending(reason string) bool {
	switch reason {
	case v1alpha1.ReasonInvalidSpec, v1alpha1.ReasonEndpointNotAllowed, v1alpha1.ReasonCredentialsIncomplete, v1alpha1.ReasonCredentialsNotLabelled,
		v1alpha1.ReasonAwaitingCredentials, v1alpha1.ReasonSecretConflict, v1alpha1.ReasonTemplateFailed:
		return true
	}
	return false
}

// complaintCondition is the condition that tells of what is wrong; nil: nothing is.
func complaintCondition(token *v1alpha1.OAuthToken) *metav1.Condition {
	if failing := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionRenewalFailing); failing != nil {
		return failing
	}
	if ready := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Status != metav1.ConditionTrue {
		return ready
	}
	return nil
}

// wish is a renewal that was asked for.
type wish struct {
	value  string               // of the annotation
	before *v1alpha1.OAuthToken // as it was when the wish was written
}

// look tells what came of a wish, in words.
func (w wish) look(token *v1alpha1.OAuthToken, now time.Time) (ending, string) {
	if token.Status.LastHandledRenewRequest != w.value {
		if why := obstacle(token); why != "" {
			return failed, "not renewed: " + why + kept(token, now)
		}
		return undecided, ""
	}
	if complaint := complaintCondition(token); complaint != nil {
		return failed, fmt.Sprintf("not renewed: %s: %s%s", complaint.Reason, complaint.Message, kept(token, now))
	}
	end := token.Status.ExpiresAt
	switch {
	case end == nil:
		return undecided, ""
	case w.before.Status.IssuedAt != nil && token.Status.IssuedAt.Equal(w.before.Status.IssuedAt):
		return succeeded, "asked for, but the vendor gave the same token again: it ends " + moment(now, end)
	}
	return succeeded, "renewed: the new token ends " + moment(now, end)
}

// late tells why nothing has come of a wish yet.
func (w wish) late(token *v1alpha1.OAuthToken, now time.Time) string {
	if complaint := complaintCondition(token); complaint != nil {
		return fmt.Sprintf("not renewed yet: %s: %s%s", complaint.Reason, complaint.Message, kept(token, now))
	}
	return "not renewed yet: the operator has not taken the wish up, and does so as soon as it can. Is it running?" + kept(token, now)
}

// kept tells of the token that is served still.
func kept(token *v1alpha1.OAuthToken, now time.Time) string {
	if end := token.Status.ExpiresAt; end != nil && end.After(now) && meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady) {
		return "\n  The present token ends " + moment(now, end)
	}
	return ""
}
