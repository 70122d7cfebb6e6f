package controller_test

import (
	"fmt"
	"net/http"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// TestWhatCouldBeMadeIsTriedOnce: one dry run proves for a while that Secrets of its type can be made in its namespace, until one is refused.
func TestWhatCouldBeMadeIsTriedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	trials := func() int { return w.api.counts()["POST secrets (dry run)"] }
	w.create(genesysClient("client"), genesys("first", "client"))
	w.awaitServed("first", "")
	w.settled()
	if got := trials(); got != 1 {
		t.Fatalf("%d dry runs before the first token, want 1", got)
	}
	for i := range 5 {
		name := fmt.Sprintf("next-%d", i)
		w.create(genesys(name, "client"))
		w.awaitServed(name, "")
	}
	if got := trials(); got != 1 {
		t.Errorf("%d dry runs, want the one that proved it for all", got)
	}

	w.api.fail(func(r *http.Request) *http.Response {
		if kindOf(r) == "POST secrets" || kindOf(r) == "POST secrets (dry run)" {
			return refusal(r, http.StatusForbidden, "Forbidden", "exceeded quota: of ten")
		}
		return nil
	})
	w.create(genesys("over", "client"))
	w.awaitReady("over", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
	asked := w.vendor.Count(oauthtest.Match{Endpoint: oauthtest.TokenEndpoint})
	before := trials()
	w.create(genesys("more", "client"))
	w.awaitReady("more", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
	w.settled()
	if got := trials() - before; got < 1 || got > 2 { // it is looked at again when its status is written
		t.Errorf("%d dry runs after a Secret was refused, want one or two", got)
	}
	if got := w.vendor.Count(oauthtest.Match{Endpoint: oauthtest.TokenEndpoint}); got != asked {
		t.Errorf("%d requests to the vendor for a target that can't be made", got-asked)
	}
	w.api.fail(nil)
}
