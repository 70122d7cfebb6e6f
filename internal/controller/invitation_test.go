package controller_test

import (
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

func TestAnIssuerThatCannotBeReadIsNotAskedInCircles(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault     oauthtest.Fault
		reason    string
		documents int           // of one attempt
		pause     time.Duration // until the next one
	}{
		"it is away":              {oauthtest.Drop(), v1alpha1.ReasonVendorUnavailable, 1, 12 * time.Second},
		"it has no such document": {oauthtest.Status(404, "text/html", "<p>no</p>"), v1alpha1.ReasonMalformedResponse, 2, 3 * time.Minute},
		"it asks for a pause":     {oauthtest.TooManyRequests(oauthtest.InSeconds(30)), v1alpha1.ReasonRateLimited, 1, 40 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := fakeTime()
			w := newWorld(t, withClock(clock), withPlatform(withPortal))
			takeBack := w.vendor.Fail(oauthtest.Match{Endpoint: oauthtest.DiscoveryEndpoint}, test.fault)
			w.interactive("api", consented(), discovering(w, ""))
			w.awaitReady("api", metav1.ConditionFalse, test.reason)
			for range 3 {
				w.poke("api")
				w.settled()
			}
			if got := w.documents(); got != test.documents {
				t.Errorf("the issuer was asked for %d documents at one time, want %d", got, test.documents)
			}
			if got := w.oauthToken("api").Status.Failures.Count; got != 1 {
				t.Errorf("%d failures are counted of one", got)
			}
			w.awaitReady("api", metav1.ConditionFalse, test.reason)
			if test.reason != v1alpha1.ReasonRateLimited { // a person says "now", and errs
				clock.Step(5 * time.Second)
				edit(w, w.oauthToken("api"), func(o *v1alpha1.OAuthToken) {
					metav1.SetMetaDataAnnotation(&o.ObjectMeta, v1alpha1.RenewRequestedAtAnnotation, "now")
				})
				w.settled()
				if got := w.documents(); got != 2*test.documents {
					t.Errorf("the issuer was asked for %d documents after a wish, want %d", got, 2*test.documents)
				}
			}
			takeBack()
			w.pass(clock, test.pause, "api")
			w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonAuthorizationRequired)
			w.eventually(func() string {
				if authorization := w.oauthToken("api").Status.Authorization; authorization == nil || authorization.URL == "" {
					return "there is no link although the issuer is back"
				}
				return ""
			})
		})
	}
}

func TestAnInvitationThatFailsIsNoFailedRefresh(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock), withPlatform(withPortal))
	scoped := func(scopes ...v1alpha1.Scope) func(*v1alpha1.OAuthToken) {
		return func(o *v1alpha1.OAuthToken) { o.Spec.Scopes = scopes }
	}
	client := consented()
	client.Scopes = []string{"read", "write"}
	w.interactive("api", client, discovering(w, ""), scoped("read"))
	w.authorize("api").outcome()
	w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.settled()
	w.vendor.Fail(oauthtest.Match{Endpoint: oauthtest.DiscoveryEndpoint}, oauthtest.Drop())
	clock.Step(61 * time.Minute) // the token has ended, and the document is to be read again
	edit(w, w.oauthToken("api"), scoped("read", "write"))
	w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonVendorUnavailable)
	for range 3 {
		w.poke("api")
		w.settled()
	}
	if got := w.oauthToken("api").Status.Failures.Count; got != 1 {
		t.Errorf("%d failures are counted, want that of the refresh", got)
	}
}

func TestARefusedRefreshLeavesAloneWhatAPersonHasBegunMeanwhile(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock), withPlatform(withPortal))
	w.interactive("api", consented(), func(o *v1alpha1.OAuthToken) {
		o.Spec.Renewal = &v1alpha1.Renewal{RefreshTokenLifetime: new(v1alpha1.Duration("1h"))} // its end is near after half an hour
	})
	w.authorize("api").outcome()
	served := w.awaitServed("api", "")
	w.settled()
	w.pass(clock, 31*time.Minute, "api")
	link := w.link("api", oauth.Sensitive{})
	release, old := make(chan struct{}), w.stored("api")
	w.vendor.Fail(oauthtest.Match{ClientID: "api", Grant: oauthtest.RefreshToken}, oauthtest.Held(release), oauthtest.Times(1))
	w.pass(clock, 14*time.Minute, "api")
	w.eventually(func() string {
		if w.vendor.Count(oauthtest.Match{ClientID: "api", Grant: oauthtest.RefreshToken, Outcome: oauthtest.Pending}) == 1 {
			return ""
		}
		return "no refresh is under way"
	})
	v := w.setOut("api", link)
	v.comesBack(v.consents())
	w.vendor.Revoke(old)
	close(release)
	if outcome := v.outcome(); outcome.Result != consent.Completed {
		t.Errorf("the person's attempt ended as %+v", outcome)
	}
	w.awaitServed("api", served)
}

func TestWhoChangesTheIssuerIsToldWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPlatform(withPortal))
	w.interactive("api", consented(), discovering(w, ""))
	w.authorize("api").outcome()
	w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.settled()
	edit(w, w.oauthToken("api"), discovering(w, "/nowhere"))
	w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonMalformedResponse)
	w.settled()
	if got := w.oauthToken("api").Status.Failures.Count; got != 1 {
		t.Errorf("%d failures are counted of one", got)
	}
	edit(w, w.oauthToken("api"), discovering(w, ""))
	w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
}

// TestALinkIsMadeWhereTheTargetCanNotBeWritten has a policy refuse the target while scopes are added that a person must consent to.
func TestALinkIsMadeWhereTheTargetCanNotBeWritten(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock), withPlatform(withPortal))
	w.interactive("api", consented(), func(o *v1alpha1.OAuthToken) { o.Spec.Scopes = []v1alpha1.Scope{"users"} })
	w.authorize("api").outcome()
	served := w.awaitServed("api", "")
	w.settled()
	w.api.fail(func(r *http.Request) *http.Response {
		if kindOf(r) == "PATCH secrets" {
			return refusal(r, http.StatusForbidden, "Forbidden", `admission webhook "freeze.example.com" denied the request`)
		}
		return nil
	})
	clock.Step(time.Minute)
	w.api.reset()
	edit(w, w.oauthToken("api"), openID)
	w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
	w.settled()
	if got := w.api.counts()["PATCH secrets"]; got == 0 || got > 3 {
		t.Errorf("the target was tried %d times within a minute", got)
	}
	link := w.link("api", oauth.Sensitive{})
	w.pass(clock, time.Minute, "api")
	w.settled()
	if !w.link("api", oauth.Sensitive{}).Equal(link) {
		t.Error("each attempt to write the target makes another link")
	}
	w.api.fail(nil)
	w.pass(clock, 2*time.Minute, "api")
	w.awaitServed("api", served)
	w.expect("api", 2, "exchange of the code, and refresh") // the answer was kept
}
