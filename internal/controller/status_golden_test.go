package controller

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
)

var update = flag.Bool("update", false, "write testdata/statuses.yaml anew")

// TestStatusesForOthers keeps an OAuthToken of every situation as the API server has it, at noon: what reads conditions, such as Argo CD's health
// check and kstatus, is tested with them.
func TestStatusesForOthers(t *testing.T) {
	const file = "testdata/statuses.yaml"
	objects := map[string]*v1alpha1.OAuthToken{}
	for name, s := range situations() {
		objects[name] = withStatus(s.object, &plan{}, &s.outcome)
	}
	for name, s := range foreseen() {
		objects[name] = withStatus(s.object, &plan{flow: &oauth.Flow{Grant: oauth.AuthorizationCode}}, &s.outcome)
	}
	got, err := yaml.Marshal(objects)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("go test ./internal/controller -run %s -update writes them anew, for test/gitops to judge (-want +got):\n%s", t.Name(), diff)
	}
}

func withStatus(object *v1alpha1.OAuthToken, p *plan, outcome *result) *v1alpha1.OAuthToken {
	object.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion().String(), Kind: "OAuthToken"}
	if outcome.problem != nil && fromVendor(outcome.problem.reason) {
		outcome.failure = &v1alpha1.FailureStatus{
			Count: 1, LastTime: stamp(noon), NextAttempt: stamp(noon.Add(time.Minute)), Reason: outcome.problem.reason, Message: outcome.problem.message,
		}
	}
	object.Status = statusOf(noon, object, p, outcome)
	return object
}

// fromVendor tells whether a reason is one of failed requests.
func fromVendor(reason string) bool {
	if selfHealing(reason) {
		return true
	}
	switch reason {
	case v1alpha1.ReasonInvalidClient, v1alpha1.ReasonInvalidGrant, v1alpha1.ReasonInvalidScope, v1alpha1.ReasonInvalidRequest,
		v1alpha1.ReasonUnauthorizedClient, v1alpha1.ReasonUnsupportedGrantType, v1alpha1.ReasonAccessDenied:
		return true
	}
	return false
}

// foreseen are situations in which nothing fails yet, and somebody is asked in time.
func foreseen() map[string]situation {
	keep := keepsake{
		RefreshToken: oauth.NewSensitive("refresh"), IssuedAt: noon.Add(-29 * 24 * time.Hour), ExpiresAt: noon.Add(24 * time.Hour),
	}
	return map[string]situation{
		"a good token whose refresh token ends soon": {object: subject(), outcome: result{held: goodToken(), matches: true, keep: keep}},
		"a good token whose refresh token ends soon while renewal fails": {
			object: subject(), outcome: result{held: goodToken(), matches: true, keep: keep, problem: failedWith(v1alpha1.ReasonVendorUnavailable)},
		},
		"a good token while suspended and credentials are gone": {object: subject(suspended), outcome: result{
			held: goodToken(), matches: true, problem: credentialsProblem(&observation{token: subject()}),
		}},
		"nothing while suspended and the spec is not valid": {object: subject(suspended), outcome: result{problem: config(oauth.ReasonInvalidSpec)}},
	}
}
