package controller

import (
	"testing"
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// TestAWishThatWasHandledIsNotForgottenWithItsAnnotation takes the annotation away, lets the token be renewed by itself, and puts the annotation back.
func TestAWishThatWasHandledIsNotForgottenWithItsAnnotation(t *testing.T) {
	r := issuedRig(t)
	asks := func(value string) {
		t.Helper()
		token := r.token()
		token.Annotations = map[string]string{v1alpha1.RenewRequestedAtAnnotation: value}
		if value == "" {
			token.Annotations = nil
		}
		if err := r.api.Update(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		r.give("for " + value)
		r.pass(time.Minute)
	}
	handled := func(when string, requests int32) {
		t.Helper()
		if got := r.vendor.asked.Load(); got != requests {
			t.Errorf("%s: %d requests, want %d", when, got, requests)
		}
		if got := r.token().Status.LastHandledRenewRequest; got != "now" {
			t.Errorf("%s: status says that %q was handled last", when, got)
		}
		if got := r.secret("api").Annotations[v1alpha1.RenewHandledAnnotation]; got != "now" {
			t.Errorf("%s: the target says that %q was handled last", when, got)
		}
	}
	asks("now")
	handled("a wish", 2)
	asks("")
	r.give("by itself")
	r.pass(45 * time.Minute)
	handled("a renewal without a wish", 3)
	asks("now")
	handled("the old wish", 3)

	asks("")
	if err := r.api.Delete(t.Context(), r.secret("api")); err != nil {
		t.Fatal(err)
	}
	r.give("anew")
	r.pass(time.Minute)
	handled("a target that was lost", 4)
}
