package controller

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// holds puts a value under a key of the credentials; empty: takes it away.
func (r *rig) holds(key, value string) {
	r.t.Helper()
	r.changeSecret("client", func(s *corev1.Secret) {
		delete(s.Data, key)
		if value != "" {
			s.Data[key] = []byte(value)
		}
	})
}

func TestASeedThatServedMayBeTidiedAway(t *testing.T) {
	r := newSeedRig(t)
	r.reconcile(2)
	r.holds("refresh_token", "")
	r.later(time.Minute)
	r.expect(1, "seed", "after it was taken away")
	r.vendor.gives("second")
	r.later(50 * time.Minute)
	r.expect(2, "first", "at the renewal")
	r.holds("refresh_token", "seed")
	r.later(time.Minute)
	r.expect(2, "first", "after it was put back")
	r.holds("refresh_token", "")
	r.later(time.Minute)
	r.vendor.gives("third")
	r.holds("client_secret", "changed")
	r.later(time.Minute)
	r.expect(3, "second", "after another credential was changed")
	r.vendor.gives("fourth")
	r.holds("refresh_token", "new")
	r.later(time.Minute)
	r.expect(4, "new", "after a new one was put there")
}

// A state Secret of an earlier version does not tell what the hash is without the seed.
func TestASeedMayBeTidiedAwayAfterAnUpgrade(t *testing.T) {
	r := newSeedRig(t)
	r.reconcile(2)
	r.changeSecret("api"+v1alpha1.StateSecretSuffix, func(s *corev1.Secret) { delete(s.Data, keyTwins) })
	r.later(time.Minute)
	version := r.secret("api" + v1alpha1.StateSecretSuffix).ResourceVersion
	r.later(time.Minute)
	if r.secret("api"+v1alpha1.StateSecretSuffix).ResourceVersion != version {
		t.Error("the state Secret is written at every look")
	}
	r.holds("refresh_token", "")
	r.later(time.Minute)
	r.expect(1, "seed", "after it was taken away")
}

func TestWhatIsMissingWithoutASeed(t *testing.T) {
	t.Run("and none ever was", func(t *testing.T) {
		r := newSeedRig(t, func(_ *v1alpha1.OAuthToken, s *corev1.Secret) { delete(s.Data, "refresh_token") })
		r.reconcile(2)
		const want = "the credentials Secret lacks refresh_token: add what is missing, or map existing keys with the annotation tokensync.dev/keys"
		if got := r.says(v1alpha1.ConditionStalled, v1alpha1.ReasonCredentialsIncomplete); got != want {
			t.Errorf("conditions %+v", r.token().Status.Conditions)
		}
		r.holds("refresh_token", "seed")
		r.later(time.Minute)
		r.expect(1, "seed", "once it is there")
	})
	t.Run("and it was refused", func(t *testing.T) {
		r := newSeedRig(t)
		r.vendor.refuses("invalid_grant")
		r.reconcile(2)
		r.holds("refresh_token", "")
		r.later(time.Minute)
		const want = "the refresh token was used up or is refused: put a new one under the key refresh_token of the credentials Secret"
		if got := r.says(v1alpha1.ConditionStalled, v1alpha1.ReasonAuthorizationRequired); got != want {
			t.Errorf("conditions %+v", r.token().Status.Conditions)
		}
	})
}

func TestAnAssertionThatServedMayBeTidiedAway(t *testing.T) {
	const missing = "the credentials Secret holds no SAML assertion: put a fresh one under the key assertion, or let one be signed with " +
		"saml_signing_key, saml_signing_certificate and spec.saml2Bearer"
	t.Run("and is waited for anew", func(t *testing.T) {
		r := newSeedRig(t, asserting)
		r.give("one")
		r.reconcile(2)
		r.holds("assertion", "")
		r.later(time.Minute)
		r.expect(1, "", "after it was taken away")
		if got := r.reasonOf("api"); got != v1alpha1.ReasonTokenIssued || len(r.token().Status.Conditions) != 1 {
			t.Errorf("while the token is served: conditions %+v", r.token().Status.Conditions)
		}
		r.later(2 * time.Hour)
		if got := r.says(v1alpha1.ConditionReconciling, v1alpha1.ReasonAwaitingCredentials); got != missing {
			t.Errorf("conditions %+v", r.token().Status.Conditions)
		}
		r.give("two")
		r.holds("assertion", "PHNhbWwyPg==")
		r.later(time.Minute)
		r.expect(2, "", "with a fresh one")
	})
	t.Run("while a refresh token came of it", func(t *testing.T) {
		r := newSeedRig(t, asserting)
		r.reconcile(2)
		r.holds("assertion", "")
		r.vendor.gives("second")
		r.later(50 * time.Minute)
		r.expect(2, "first", "at the renewal")
	})
	t.Run("and may come later", func(t *testing.T) {
		r := newSeedRig(t, asserting)
		r.holds("assertion", "")
		r.reconcile(2)
		if got := r.says(v1alpha1.ConditionReconciling, v1alpha1.ReasonAwaitingCredentials); got != missing {
			t.Errorf("conditions %+v", r.token().Status.Conditions)
		}
	})
}
