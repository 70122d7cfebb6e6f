package controller

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
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
