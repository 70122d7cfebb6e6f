package controller

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"tokensync.dev/tokensync/api/v1alpha1"
)

func TestARefusalIsPrintedWithoutItsWords(t *testing.T) {
	refusal := apierrors.NewForbidden(corev1.Resource("secrets"), "api", errors.New(`admission webhook "w" denied: access_token=abc`))
	if got := (wordless{refusal}).Error(); got != "Forbidden" {
		t.Errorf("printed %q", got)
	}
	if !apierrors.IsForbidden(wordless{refusal}) {
		t.Error("it can't be asked what it is")
	}
	if got := (wordless{errors.New("connection refused")}).Error(); got != "connection refused" {
		t.Errorf("a network error is printed %q", got)
	}
}

// TestARefusedWriteIsPrintedWithoutItsWords has an admission webhook quote what it refuses: controller-runtime logs the error of a reconcile.
func TestARefusedWriteIsPrintedWithoutItsWords(t *testing.T) {
	refusal := apierrors.NewForbidden(corev1.Resource("secrets"), "api", errors.New(`admission webhook "w" denied: refresh_token=S3cr3tValue`))
	api := interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return refusal },
		Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error { return refusal },
		Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
			return refusal
		},
		SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
			return refusal
		},
	})
	r, token, ctx := &Reconciler{Client: api}, someToken(), t.Context()
	writeState := func(base *corev1.Secret) error {
		_, err := writeState(ctx, api, token, base, keepsake{})
		return err
	}
	for what, err := range map[string]error{
		"a new state Secret": writeState(nil),
		"a state Secret":     writeState(&corev1.Secret{}),
		"status":             r.writeStatus(ctx, token, v1alpha1.OAuthTokenStatus{SecretName: "api"}),
		"finalizers":         r.patchFinalizers(ctx, token, token.DeepCopy()),
	} {
		if err == nil || strings.Contains(err.Error(), "S3cr3tValue") {
			t.Errorf("%s: printed %v", what, err)
		}
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: it can't be asked what it is", what)
		}
	}
}

// TestReadyEndsWithTheTokenAlthoughTheStateSecretIsRefused has a policy freeze a state Secret whose owner is to change, and a vendor that is away.
func TestReadyEndsWithTheTokenAlthoughTheStateSecretIsRefused(t *testing.T) {
	r := issuedRig(t)
	kept := stateSecret(r.token(), nil, keepsake{Spent: []string{"hash"}})
	kept.OwnerReferences = nil // as it stands with deletionPolicy Retain, which the spec no longer has
	if err := r.api.Create(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	cached := asCached()
	cached.Update = func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.UpdateOption) error {
		return apierrors.NewForbidden(corev1.Resource("secrets"), object.GetName(), errors.New(`admission webhook "w" denied`))
	}
	r.Client = interceptor.NewClient(r.api, cached)
	r.vendor.status.Store(http.StatusBadGateway)
	r.pass(2 * time.Hour)
	ready := meta.FindStatusCondition(r.token().Status.Conditions, v1alpha1.ConditionReady)
	if ready.Status != metav1.ConditionFalse || ready.Reason != v1alpha1.ReasonSecretConflict {
		t.Errorf("Ready is %s for the reason %s", ready.Status, ready.Reason)
	}
}
