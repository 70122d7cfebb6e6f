package controller

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// passwordRig is a rig whose OAuthToken asks for the scopes a and b with a password, and gets an answer at noon.
func passwordRig(t *testing.T, answer string) *rig {
	t.Helper()
	r, secret := idlePasswordRig(t, answer)
	if err := r.api.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	r.reconcile(2)
	return r
}

// idlePasswordRig is one whose OAuthToken has not been looked at, and whose credentials are not there yet.
func idlePasswordRig(t *testing.T, answer string) (*rig, *corev1.Secret) {
	t.Helper()
	catalogue := loadCatalogue(t, "")
	vendor := newAnswering(t)
	vendor.status.Store(http.StatusOK)
	vendor.body.Store(answer)
	token := someToken(func(o *v1alpha1.OAuthToken) {
		o.Spec.GrantType, o.Spec.Scopes = v1alpha1.GrantPassword, []v1alpha1.Scope{"a", "b"}
		o.Spec.Endpoints = &v1alpha1.Endpoints{TokenURL: v1alpha1.URL(vendor.URL + "/token")}
	})
	secret := credentialsSecret("", map[string]string{"client_id": "me", "client_secret": "change-me", "username": "me", "password": "change-me"})
	secret.Namespace = token.Namespace
	r := newRig(t, vendor, catalogue, token)
	t.Cleanup(func() { r.metrics.forget(client.ObjectKeyFromObject(token)) })
	return r, secret
}

// TestARefreshWithoutAScopeKeepsWhatWasGranted has a vendor grant less than it was asked for, and say nothing more of it (RFC 6749, section 6).
func TestARefreshWithoutAScopeKeepsWhatWasGranted(t *testing.T) {
	r := passwordRig(t, `{"access_token":"1","token_type":"Bearer","expires_in":3600,"refresh_token":"first","scope":"a"}`)
	granted := func(when string) {
		t.Helper()
		if got := string(r.secret("api").Data["scope"]); got != "a" {
			t.Errorf("%s the target says %q", when, got)
		}
		if got := r.token().Status.Scopes; !slices.Equal(got, []string{"a"}) {
			t.Errorf("%s status says %q", when, got)
		}
	}
	granted("at first")
	r.vendor.body.Store(`{"access_token":"2","token_type":"Bearer","expires_in":3600,"refresh_token":"second"}`)
	r.pass(45 * time.Minute)
	granted("after a refresh")

	wiped := r.token()
	wiped.Status = v1alpha1.OAuthTokenStatus{}
	if err := r.api.Status().Update(t.Context(), wiped); err != nil {
		t.Fatal(err)
	}
	r.reconcile(1)
	r.vendor.body.Store(`{"access_token":"3","token_type":"Bearer","expires_in":3600}`)
	r.pass(45 * time.Minute)
	if got := string(r.secret("api").Data["access_token"]); got != "3" {
		t.Fatalf("it was not refreshed a second time: %s", got)
	}
	granted("after a refresh by somebody without a status")
}

// TestALostRefreshOfAPasswordIsToldAsItGoesOn cuts the answer to a refresh where the password can be used instead.
func TestALostRefreshOfAPasswordIsToldAsItGoesOn(t *testing.T) {
	r := passwordRig(t, `{"access_token":"1","token_type":"Bearer","expires_in":3600,"refresh_token":"first"}`)
	r.vendor.status.Store(http.StatusBadGateway)
	r.pass(45 * time.Minute)
	failing := meta.FindStatusCondition(r.token().Status.Conditions, v1alpha1.ConditionRenewalFailing)
	if failing == nil || failing.Reason != v1alpha1.ReasonRefreshInterrupted || !strings.HasSuffix(failing.Message, "the next token is asked for without it") {
		t.Fatalf("conditions %+v", r.token().Status.Conditions)
	}
	r.vendor.status.Store(http.StatusOK)
	r.vendor.body.Store(anHour)
	r.pass(10 * time.Second)
	if got := r.token().Status.Conditions; len(got) != 1 {
		t.Errorf("conditions %+v", got)
	}
}
