package controller

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"tokensync.dev/tokensync/api/v1alpha1"
)

func TestAnAnswerIsKeptUntilItIsWritten(t *testing.T) {
	var kept answers
	if kept.get("a") != nil {
		t.Error("an answer from nowhere")
	}
	first, second := &answer{}, &answer{}
	kept.put("a", first)
	kept.put("b", second)
	if kept.get("a") != first || kept.get("b") != second {
		t.Error("answers got mixed up")
	}
	kept.drop("a")
	kept.drop("a")
	if kept.get("a") != nil || kept.get("b") != second {
		t.Error("the wrong answer was dropped")
	}
}

func TestAStatusThatCouldNotBeWrittenIsNotForgotten(t *testing.T) {
	var kept reports
	failed := v1alpha1.OAuthTokenStatus{Failures: &v1alpha1.FailureStatus{Count: 1}}
	stale := someToken()
	if kept.take(stale); stale.Status.Failures != nil || kept.pending(stale.UID) {
		t.Error("a status from nowhere")
	}
	kept.put(stale, failed)

	read := someToken(func(o *v1alpha1.OAuthToken) { o.ResourceVersion = "2" })
	kept.take(read)
	if read.Status.Failures == nil || !kept.pending(read.UID) {
		t.Fatal("the failure was forgotten")
	}
	read.Status.Failures.Count = 99
	again := someToken()
	if kept.take(again); again.Status.Failures.Count != 1 {
		t.Error("the kept status shares memory with the one that was given out")
	}

	present := kept.put(again, v1alpha1.OAuthTokenStatus{})
	if present.Status.Failures != nil {
		t.Error("the next patch is made against what the API server never had")
	}
	kept.drop(again.UID)
	if kept.pending(again.UID) {
		t.Error("a written status is still pending")
	}
}

func TestWhatMemoryHoldsIsOfOneOAuthToken(t *testing.T) {
	var kept reports
	kept.put(someToken(), v1alpha1.OAuthTokenStatus{SecretName: "api"})
	other := someToken(func(o *v1alpha1.OAuthToken) { o.UID = types.UID("other") })
	if kept.take(other); other.Status.SecretName != "" {
		t.Error("an OAuthToken got the status of another one of its name")
	}
}
