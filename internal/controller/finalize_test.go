package controller

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/declaration"
)

// What is saved after its OAuthToken has gone would stay, with a refresh token that is not revoked.
func TestADeletionWaitsForARefreshTokenThatIsBeingSaved(t *testing.T) {
	catalogue := loadCatalogue(t, "")
	token := someToken(func(o *v1alpha1.OAuthToken) {
		o.Finalizers, o.DeletionTimestamp = []string{v1alpha1.RevokeFinalizer}, &metav1.Time{Time: noon}
		o.Spec.RevokeOnDelete = true
	})
	api := fake.NewClientBuilder().Build()
	r := &Reconciler{Client: api, Live: api, Clock: clocktesting.NewFakeClock(noon.Add(time.Minute)), Platform: declaration.Platform{Catalogue: catalogue}}
	r.planner = planner{platform: r.Platform}
	result, err := r.finalize(t.Context(), &observation{token: token, saving: true})
	if err != nil || result.RequeueAfter != revocationPause || len(token.Finalizers) != 1 {
		t.Errorf("finalizers %v, looked at again after %s, error %v", token.Finalizers, result.RequeueAfter, err)
	}
}

// TestACacheThatIsBehindHasNothingRevokedTwice looks once more at what the cache still shows of an OAuthToken that was let go: its Secrets' ends
// cause that.
func TestACacheThatIsBehindHasNothingRevokedTwice(t *testing.T) {
	r := givingRig(t)
	token := r.token()
	token.Spec.RevokeOnDelete = true // without an endpoint for it
	if err := r.api.Update(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	r.reconcile(2)
	if err := r.api.Delete(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	key := client.ObjectKeyFromObject(token)
	for _, seen := range []*observation{r.look(key), r.look(key)} {
		if _, err := r.finalize(t.Context(), seen); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(r.told.String(), v1alpha1.EventRevocationFailed); got != 1 {
		t.Errorf("%d events tell of it, want 1: %s", got, r.told.String())
	}
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil || len(r.kept()) != 0 {
		t.Errorf("memory keeps something of %v, error %v", r.kept(), err)
	}
}

func TestAnAccessTokenIsRevokedWhereItWasGivenAlone(t *testing.T) {
	for name, test := range map[string]struct {
		grant   v1alpha1.GrantType
		change  func(*v1alpha1.OAuthToken)
		revoked int32
		told    string
	}{
		"as it was given": {v1alpha1.GrantClientCredentials, func(*v1alpha1.OAuthToken) {}, 1, v1alpha1.EventTokenRevoked},
		"by another vendor": {v1alpha1.GrantClientCredentials, func(o *v1alpha1.OAuthToken) {
			o.Spec.Endpoints.TokenURL = "http://" + deserted + "/token"
		}, 0, v1alpha1.EventRevocationFailed},
		"beside a refresh token that others have got": {v1alpha1.GrantRefreshToken, func(o *v1alpha1.OAuthToken) {
			o.Spec.Endpoints.TokenURL = "http://" + deserted + "/token"
		}, 0, v1alpha1.EventRevocationFailed},
		"beside a refresh token that still belongs there": {v1alpha1.GrantRefreshToken, func(o *v1alpha1.OAuthToken) {
			o.Spec.Scopes, o.Spec.Suspend = []v1alpha1.Scope{"more"}, true
		}, 1, v1alpha1.EventRevocationFailed},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSeedRig(t, func(o *v1alpha1.OAuthToken, _ *corev1.Secret) {
				o.Spec.GrantType, o.Spec.RevokeOnDelete = test.grant, true
				o.Spec.Endpoints.RevocationURL = o.Spec.Endpoints.TokenURL + "/revoke"
			})
			r.reach(deserted)
			r.reconcile(2)
			r.changeToken(test.change)
			r.reconcile(2)
			asked := r.vendor.asked.Load()
			if err := r.api.Delete(t.Context(), r.token()); err != nil {
				t.Fatal(err)
			}
			r.reconcile(2)
			if got := r.vendor.asked.Load() - asked; got != test.revoked {
				t.Errorf("%d tokens were sent to be revoked, want %d", got, test.revoked)
			}
			if !strings.Contains(r.told.String(), test.told+":") {
				t.Errorf("events %s, want %s", r.told.String(), test.told)
			}
		})
	}
}

// A token that the present spec has given is revoked, whatever others have got.
func TestARefreshTokenOfOthersKeepsNoAccessTokenFromBeingRevoked(t *testing.T) {
	r := newSeedRig(t, func(o *v1alpha1.OAuthToken, _ *corev1.Secret) {
		o.Spec.RevokeOnDelete, o.Spec.Endpoints.RevocationURL = true, o.Spec.Endpoints.TokenURL+"/revoke"
	})
	r.reconcile(2)
	r.changeSecret("client", func(s *corev1.Secret) { s.Data["client_id"] = []byte("another") })
	r.changeToken(func(o *v1alpha1.OAuthToken) { o.Spec.GrantType = v1alpha1.GrantClientCredentials })
	r.give("another's")
	r.later(time.Minute)
	asked := r.vendor.asked.Load()
	if err := r.api.Delete(t.Context(), r.token()); err != nil {
		t.Fatal(err)
	}
	r.reconcile(2)
	if got := r.vendor.asked.Load() - asked; got != 1 || !strings.Contains(r.told.String(), v1alpha1.EventRevocationFailed+":") {
		t.Errorf("%d tokens were sent to be revoked, want the access token; events %s", got, r.told.String())
	}
}

// look observes the OAuthToken, which is there.
func (r *rig) look(key client.ObjectKey) *observation {
	r.t.Helper()
	seen, err := r.observe(r.t.Context(), key)
	if err != nil || seen == nil {
		r.t.Fatalf("nothing to see: %v", err)
	}
	return seen
}
