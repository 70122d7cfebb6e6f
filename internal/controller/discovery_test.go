package controller_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// documents counts the metadata documents that were asked for.
func (w *world) documents() int {
	return w.vendor.Count(oauthtest.Match{Endpoint: oauthtest.DiscoveryEndpoint})
}

// discovering states the issuer alone.
func discovering(w *world, suffix string) func(*v1alpha1.OAuthToken) {
	return func(o *v1alpha1.OAuthToken) {
		o.Spec.Endpoints = &v1alpha1.Endpoints{IssuerURL: v1alpha1.URL(w.vendor.IssuerURL(oauthtest.Generic) + suffix)}
	}
}

func TestAnIssuersEndpointsAreFoundAndRemembered(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	w.createPlain("api", oauthtest.Client{Lifetime: 5 * time.Minute}, discovering(w, ""))
	served := ""
	for range 4 {
		served = w.awaitServed("api", served)
		w.settled()
		w.pass(clock, 4*time.Minute, "api")
	}
	w.awaitServed("api", served)
	w.expect("api", 5, "within an hour")
	if got := w.documents(); got != 1 {
		t.Errorf("the document was read %d times within an hour, want once", got)
	}
}

func TestARefreshTokenIsNotDoubtedWhereDiscoveryFails(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	client := rotating()
	client.Lifetime = 2 * time.Hour
	w.createSeeded("api", client, discovering(w, ""))
	served := w.awaitServed("api", "")
	w.settled()
	w.api.reset()
	w.vendor.Fail(oauthtest.Match{Endpoint: oauthtest.DiscoveryEndpoint}, oauthtest.Drop(), oauthtest.Times(1))
	w.pass(clock, 85*time.Minute, "api") // the renewal is due, and the document is read again
	w.awaitCondition("api", v1alpha1.ConditionRenewalFailing, metav1.ConditionTrue, v1alpha1.ReasonVendorUnavailable)
	w.settled()
	if got := w.api.counts()["PUT secrets"]; got != 0 {
		t.Error("the state Secret was written although no refresh token was about to be sent")
	}
	w.pass(clock, 6*time.Second, "api")
	w.awaitServed("api", served)
}

func TestAnotherIssuersDocumentIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.createPlain("api", oauthtest.Client{}, discovering(w, "/"))
	w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec)
	w.expect("api", 0, "with another issuer's document")
}

func TestAnEndpointElsewhereIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.vendor.Fail(oauthtest.Match{Endpoint: oauthtest.DiscoveryEndpoint}, oauthtest.Member("token_endpoint", `"https://evil.example/token"`))
	w.createPlain("api", oauthtest.Client{}, discovering(w, ""))
	w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonEndpointNotAllowed)
	w.expect("api", 0, "with an endpoint on a host that is not allowed")
}
