package controller

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// unlabel takes the label off the state Secret, so that the cache shows it no more.
func unlabel(s *corev1.Secret) { delete(s.Labels, v1alpha1.RoleLabel) }

// wipeStatus removes all that status tells.
func (r *rig) wipeStatus() {
	r.t.Helper()
	token := r.token()
	token.Status = v1alpha1.OAuthTokenStatus{}
	if err := r.api.Status().Update(r.t.Context(), token); err != nil {
		r.t.Fatal(err)
	}
}

// The state Secret may hold the only refresh token: without its label it is still found, and gets the label back.
func TestAStateSecretWithoutItsLabelIsStillOurs(t *testing.T) {
	const state = "api" + v1alpha1.StateSecretSuffix
	password := func(o *v1alpha1.OAuthToken, _ *corev1.Secret) { o.Spec.GrantType = v1alpha1.GrantPassword }
	for name, test := range map[string]struct {
		change func(*v1alpha1.OAuthToken, *corev1.Secret)
		lost   func(*rig)
		spent  string // at the renewal
	}{
		"as status tells":         {func(*v1alpha1.OAuthToken, *corev1.Secret) {}, func(*rig) {}, "first"},
		"although status is gone": {func(*v1alpha1.OAuthToken, *corev1.Secret) {}, (*rig).wipeStatus, "first"},
		"with only its owner": {func(*v1alpha1.OAuthToken, *corev1.Secret) {}, func(r *rig) {
			r.changeSecret(state, func(s *corev1.Secret) { s.Labels, s.Annotations = nil, nil })
		}, "first"},
		"kept by Retain": {func(o *v1alpha1.OAuthToken, _ *corev1.Secret) {
			o.Spec.Target = &v1alpha1.Target{DeletionPolicy: v1alpha1.DeletionRetain}
		}, func(*rig) {}, "first"},
		"with a grant that can do without":                 {password, func(*rig) {}, "first"},
		"with a grant that can do without, status is gone": {password, (*rig).wipeStatus, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSeedRig(t, test.change)
			r.saver.clock = &impatient{}
			r.reconcile(2)
			r.changeSecret(state, unlabel)
			test.lost(r)
			r.vendor.gives("second")
			r.later(time.Minute)
			if test.spent != "" && (r.secret(state).Labels[v1alpha1.RoleLabel] != v1alpha1.RoleState || r.stored("api").RefreshToken.Reveal() != "first") {
				t.Errorf("labels %v, and %v is kept", r.secret(state).Labels, texts(r.stored("api")))
			}
			r.later(50 * time.Minute)
			r.expect(2, test.spent, "at the renewal")
			if got := r.secret(state); got.Labels[v1alpha1.RoleLabel] != v1alpha1.RoleState || r.stored("api").RefreshToken.Reveal() != "second" {
				t.Errorf("after the renewal: labels %v, and %v is kept", got.Labels, texts(r.stored("api")))
			}
			if got := r.reasonOf("api"); got != v1alpha1.ReasonTokenIssued {
				t.Errorf("reason %s", got)
			}
		})
	}
}

func TestAStateSecretWithoutAnyMarkIsNotTouched(t *testing.T) {
	const state = "api" + v1alpha1.StateSecretSuffix
	r := newSeedRig(t)
	r.reconcile(2)
	r.changeSecret(state, func(s *corev1.Secret) { s.Labels, s.Annotations, s.OwnerReferences = nil, nil, nil })
	version := r.secret(state).ResourceVersion
	r.later(50 * time.Minute)
	r.expect(1, "seed", "at the renewal")
	if r.secret(state).ResourceVersion != version {
		t.Error("a Secret that bears no mark of ours was written")
	}
	if r.says(v1alpha1.ConditionRenewalFailing, v1alpha1.ReasonSecretConflict) == "" {
		t.Errorf("conditions %+v", r.token().Status.Conditions)
	}
	r.changeSecret(state, func(s *corev1.Secret) { // as the message says
		metav1.SetMetaDataLabel(&s.ObjectMeta, v1alpha1.RoleLabel, v1alpha1.RoleState)
		metav1.SetMetaDataAnnotation(&s.ObjectMeta, v1alpha1.OwnerAnnotation, "api")
	})
	r.vendor.gives("second")
	r.later(time.Minute)
	r.expect(2, "first", "after it was given back")
}
