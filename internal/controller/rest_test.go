package controller_test

import (
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// useless are answers whose access token can't be used, and whose refresh token can.
func useless() map[string]oauthtest.Fault {
	return map[string]oauthtest.Fault{
		"no-token":     oauthtest.WithoutMember("access_token"),
		"token-type":   oauthtest.Member("token_type", `"mac"`),
		"born-expired": oauthtest.Member("expires_in", `-5`),
	}
}

// recovers waits until the next request, and none besides, has brought another token than before.
func (w *world) recovers(clock *clocktesting.FakeClock, before string, requests int) {
	w.t.Helper()
	w.pass(clock, 2*time.Minute, "api")
	w.awaitServed("api", before)
	w.expect("api", requests, "after the answer that could not be used")
}

func TestTheRefreshTokenOfAUselessAnswerIsKept(t *testing.T) {
	t.Parallel()
	for name, fault := range useless() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := fakeTime()
			w := newWorld(t, withClock(clock))
			w.createSeeded("api", rotating())
			served := w.awaitServed("api", "")
			w.settled()
			spent := w.stored("api")
			w.vendor.Fail(oauthtest.Match{ClientID: "api"}, fault, oauthtest.Times(1))
			w.pass(clock, 45*time.Minute, "api")
			w.awaitRequests("api", 2)
			w.settled()
			if kept := w.stored("api"); kept == spent || !w.vendor.RefreshTokenIsLive(kept) {
				t.Error("the refresh token that came is not kept")
			}
			if !has(w.oauthToken("api"), v1alpha1.ConditionRenewalFailing, v1alpha1.ReasonMalformedResponse) {
				t.Errorf("what is wrong is not told: %v", w.oauthToken("api").Status.Conditions)
			}
			w.recovers(clock, served, 3)
			if w.events("api")[v1alpha1.ReasonRefreshInterrupted] != 0 {
				t.Error("a refresh token is called in doubt that was replaced")
			}
		})
	}
}

func TestACodesRefreshTokenIsKeptWhateverComesWithIt(t *testing.T) {
	t.Parallel()
	for name, fault := range useless() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := fakeTime()
			w := newWorld(t, withPlatform(withPortal), withClock(clock))
			w.interactive("api", consented())
			w.vendor.Fail(oauthtest.Match{Endpoint: oauthtest.TokenEndpoint}, fault, oauthtest.Times(1))
			v := w.authorize("api")
			if outcome := v.outcome(); outcome.Result != consent.Completed {
				t.Fatalf("the person is told %+v", outcome)
			}
			w.awaitRequests("api", 1)
			w.recovers(clock, "", 2)
			if codes := w.codes("api"); codes != 1 {
				t.Errorf("%d codes were sent", codes)
			}
			if w.events("api")[v1alpha1.EventAuthorizationCompleted] != 1 {
				t.Error("no event tells that somebody authorized")
			}
		})
	}
}

func TestAPasswordsRefreshTokenIsKeptWhateverComesWithIt(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	w.vendor.Fail(oauthtest.Match{ClientID: "api"}, oauthtest.WithoutMember("access_token"), oauthtest.Times(1))
	w.create(w.register("api", rotating()), genericToken(w, "api", v1alpha1.GrantPassword))
	w.awaitRequests("api", 1)
	w.settled()
	kept := w.stored("api")
	if !w.vendor.RefreshTokenIsLive(kept) {
		t.Error("the refresh token that came is not kept")
	}
	w.recovers(clock, "", 2)
	if w.vendor.RefreshTokenIsLive(kept) {
		t.Error("it is not what was used next")
	}
}
