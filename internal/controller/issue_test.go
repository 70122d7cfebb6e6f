package controller_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

func TestATokenIsIssuedIntoTheTargetSecret(t *testing.T) {
	w := newWorld(t)
	w.create(genesysClient("client"), genesys("api", "client"))
	token := w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	secret := w.secret("api")
	if !w.vendor.IsLive(string(secret.Data["access_token"])) {
		t.Error("the vendor does not know the token in the target Secret")
	}
	if got, want := string(secret.Data["authorization"]), "Bearer "+string(secret.Data["access_token"]); got != want {
		t.Error("authorization is not the header's value")
	}
	if got, want := string(secret.Data["expires_at"]), token.Status.ExpiresAt.UTC().Format("2006-01-02T15:04:05Z"); got != want {
		t.Errorf("expires_at is %s, status says %s", got, want)
	}
	w.settled()
	want := map[string]int{"POST secrets (dry run)": 1, "POST secrets": 1, "PATCH oauthtokens/status": 1, "POST events": 1}
	if diff := cmp.Diff(want, w.api.counts()); diff != "" {
		t.Errorf("requests to the API server (-want +got):\n%s", diff)
	}
	if got := w.vendor.Count(oauthtest.Match{}); got != 1 {
		t.Errorf("%d requests to the vendor, want 1", got)
	}
}
