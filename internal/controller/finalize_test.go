package controller

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
)

// What is saved after its OAuthToken has gone would stay, with a refresh token that is not revoked.
func TestADeletionWaitsForARefreshTokenThatIsBeingSaved(t *testing.T) {
	catalogue, err := oauth.LoadCatalogue("")
	if err != nil {
		t.Fatal(err)
	}
	token := someToken(func(o *v1alpha1.OAuthToken) {
		o.Finalizers, o.DeletionTimestamp = []string{v1alpha1.RevokeFinalizer}, &metav1.Time{Time: noon}
		o.Spec.RevokeOnDelete = true
	})
	r := &Reconciler{Client: fake.NewClientBuilder().Build(), Clock: clocktesting.NewFakeClock(noon.Add(time.Minute)), Platform: declaration.Platform{Catalogue: catalogue}}
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

// look observes the OAuthToken, which is there.
func (r *rig) look(key client.ObjectKey) *observation {
	r.t.Helper()
	seen, err := r.observe(r.t.Context(), key)
	if err != nil || seen == nil {
		r.t.Fatalf("nothing to see: %v", err)
	}
	return seen
}
