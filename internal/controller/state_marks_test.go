package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

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

// ends states in the credentials when the client secret ends.
func (r *rig) ends(stated string) {
	r.t.Helper()
	r.changeSecret("client", func(s *corev1.Secret) {
		metav1.SetMetaDataAnnotation(&s.ObjectMeta, v1alpha1.ClientSecretExpiresAtAnnotation, stated)
	})
}

// A warning is noted in the state Secret, of which nothing was seen at first.
func TestAWarningCostsAStateSecretWithoutItsLabelNothing(t *testing.T) {
	const state = "api" + v1alpha1.StateSecretSuffix
	for name, test := range map[string]struct{ stated, reason string }{
		"of an end that comes near":    {formatTime(noon.Add(20 * day)), v1alpha1.EventClientSecretExpiring},
		"of an end that can't be read": {"soon", v1alpha1.EventClientSecretExpiryUnreadable},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSeedRig(t)
			r.reconcile(2)
			before := r.stored("api")
			r.changeSecret(state, unlabel)
			r.wipeStatus()
			r.ends(test.stated)
			r.later(time.Minute)
			r.wantTold(test.reason, 1, "while it had no label")
			after := r.stored("api")
			after.Warnings = nil
			if diff := cmp.Diff(texts(before), texts(after)); diff != "" || r.secret(state).Labels[v1alpha1.RoleLabel] != v1alpha1.RoleState {
				t.Errorf("what is kept (-before +after):\n%s\nlabels %v", diff, r.secret(state).Labels)
			}
			r.vendor.gives("second")
			r.later(50 * time.Minute)
			r.expect(2, "first", "at the renewal")
			r.wantTold(test.reason, 1, "in all")
		})
	}
}

func TestAWarningIsGivenAlthoughTheStateSecretHasLostItsLabel(t *testing.T) {
	r := newSeedRig(t, func(o *v1alpha1.OAuthToken, _ *corev1.Secret) { o.Spec.GrantType = v1alpha1.GrantClientCredentials })
	r.ends(formatTime(noon.Add(20 * day)))
	r.reconcile(2)
	r.wantTold(v1alpha1.EventClientSecretExpiring, 1, "at first")
	r.changeSecret("api"+v1alpha1.StateSecretSuffix, unlabel)
	r.later(time.Minute)
	r.wantTold(v1alpha1.EventClientSecretExpiring, 1, "after the label was lost")
	r.ends("soon")
	r.later(time.Minute)
	r.wantTold(v1alpha1.EventClientSecretExpiryUnreadable, 1, "of what stands there next")
}

// A Secret in the state Secret's place that does no harm does none either once the target was in trouble for a moment.
func TestATargetThatWasRefusedForAMomentBringsNoOtherConflict(t *testing.T) {
	r := newSeedRig(t, func(o *v1alpha1.OAuthToken, _ *corev1.Secret) { o.Spec.GrantType = v1alpha1.GrantPassword })
	foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: someToken().Namespace, Name: "api" + v1alpha1.StateSecretSuffix}}
	if err := r.api.Create(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	r.reconcile(2)
	r.clock.Step(45 * time.Minute)
	r.refusesOnce(apierrors.NewForbidden(corev1.Resource("secrets"), "api", errors.New("an admission webhook says no")))
	r.reconcile(1)
	if r.says(v1alpha1.ConditionRenewalFailing, v1alpha1.ReasonSecretConflict) == "" {
		t.Fatalf("conditions %+v", r.token().Status.Conditions)
	}
	r.later(2 * time.Minute)
	if conditions := r.token().Status.Conditions; len(conditions) != 1 || conditions[0].Status != metav1.ConditionTrue {
		t.Errorf("conditions %+v", conditions)
	}
}

// Somebody else's Secret in the state Secret's place leaves no room for the note that a warning was given: that is said in the log.
func TestAWarningThatCanNotBeNotedIsLogged(t *testing.T) {
	r := newSeedRig(t, func(o *v1alpha1.OAuthToken, _ *corev1.Secret) { o.Spec.GrantType = v1alpha1.GrantClientCredentials })
	r.reconcile(2)
	foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: someToken().Namespace, Name: "api" + v1alpha1.StateSecretSuffix}}
	if err := r.api.Create(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	r.ends(formatTime(noon.Add(20 * day)))
	var log strings.Builder
	ctx := ctrl.LoggerInto(t.Context(), funcr.New(func(_, line string) { fmt.Fprintln(&log, line) }, funcr.Options{}))
	if _, err := r.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(someToken())}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "note that a warning was given") || !strings.Contains(log.String(), "AlreadyExists") {
		t.Errorf("the log says %q", log.String())
	}
	r.wantTold(v1alpha1.EventClientSecretExpiring, 0, "without a note of it")
}

// isBehind lets the cache not show the target at first, which a dry run meets.
func (r *rig) isBehind() {
	funcs := asCached()
	get, shown := funcs.Get, false
	funcs.Get = func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
		if _, secret := object.(*corev1.Secret); secret && key.Name == "api" && !shown {
			shown = true
			key.Name = "not-in-the-cache"
		}
		return get(ctx, c, key, object, opts...)
	}
	funcs.Create = func(ctx context.Context, c client.WithWatch, object client.Object, opts ...client.CreateOption) error {
		if len((&client.CreateOptions{}).ApplyOptions(opts).DryRun) > 0 {
			return apierrors.NewAlreadyExists(corev1.Resource("secrets"), object.GetName())
		}
		return c.Create(ctx, object, opts...)
	}
	r.Client = interceptor.NewClient(r.api, funcs)
}

// A target that the cache does not show, and from which nothing can be restored, is found before the request, and what to do is planned anew.
func TestAWarningAfterASecondPlanLeavesTheNewRefreshToken(t *testing.T) {
	r := newSeedRig(t)
	r.reconcile(2)
	r.clock.Step(time.Minute)
	r.changeSecret("api", func(s *corev1.Secret) { s.Data = nil })
	r.wipeStatus()
	r.ends("soon")
	r.isBehind()
	r.vendor.gives("second")
	r.reconcile(1)
	r.expect(2, "first", "with the damaged target")
	r.wantTold(v1alpha1.EventClientSecretExpiryUnreadable, 1, "with it")
	if got := r.stored("api"); got.RefreshToken.Reveal() != "second" {
		t.Errorf("%v is kept", texts(got))
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

// Without the seed in the credentials, nothing else tells that there is something to guard.
func TestAStateSecretWithoutAnyMarkIsToldOfAsLongAsItIsThere(t *testing.T) {
	const state = "api" + v1alpha1.StateSecretSuffix
	r := newSeedRig(t)
	r.reconcile(2)
	r.holds("refresh_token", "")
	r.later(time.Minute)
	r.changeSecret(state, func(s *corev1.Secret) { s.Labels, s.Annotations, s.OwnerReferences = nil, nil, nil })
	for range 3 {
		r.later(time.Minute)
		if r.says(v1alpha1.ConditionRenewalFailing, v1alpha1.ReasonSecretConflict) == "" {
			t.Errorf("conditions %+v", r.token().Status.Conditions)
		}
	}
	r.wantTold(v1alpha1.ReasonSecretConflict, 1, "in three minutes")
	r.changeSecret(state, func(s *corev1.Secret) { // as the message says
		metav1.SetMetaDataLabel(&s.ObjectMeta, v1alpha1.RoleLabel, v1alpha1.RoleState)
		metav1.SetMetaDataAnnotation(&s.ObjectMeta, v1alpha1.OwnerAnnotation, "api")
	})
	r.later(time.Minute)
	if conditions := r.token().Status.Conditions; len(conditions) != 1 || r.token().Status.RefreshToken == nil {
		t.Errorf("after it was given back: conditions %+v", conditions)
	}
	r.expect(1, "seed", "in all")
}
