package controller

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// TestWhatFailedIsNotRetriedWhileSuspended suspends an OAuthToken whose vendor is away: nobody may wait for a retry that does not come.
func TestWhatFailedIsNotRetriedWhileSuspended(t *testing.T) {
	shown := func(r *rig) (reason string, others []string, kstatus string) {
		token := r.token()
		word, complaints := KStatus(token)
		if complaints != nil {
			t.Error(complaints)
		}
		return meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReady).Reason, otherConditions(token), word
	}
	r := givingRig(t)
	r.vendor.status.Store(http.StatusBadGateway)
	r.reconcile(1)
	r.suspend(true)
	if reason, others, word := shown(r); reason != v1alpha1.ReasonSuspended || word != KStatusFailed || !slices.Equal(others, []string{v1alpha1.ConditionStalled}) {
		t.Errorf("without a token it is %s with %v, kstatus %s", reason, others, word)
	}
	asked := r.vendor.asked.Load()
	r.suspend(false)
	if reason, _, _ := shown(r); reason != v1alpha1.ReasonVendorUnavailable || r.vendor.asked.Load() != asked {
		t.Errorf("resumed, it is %s, and %d requests were made before the end of the back-off", reason, r.vendor.asked.Load()-asked)
	}

	r = issuedRig(t)
	r.vendor.status.Store(http.StatusBadGateway)
	r.pass(45 * time.Minute)
	r.suspend(true)
	if reason, others, word := shown(r); reason != v1alpha1.ReasonTokenIssued || word != KStatusCurrent || len(others) != 0 {
		t.Errorf("with a token it is %s with %v, kstatus %s", reason, others, word)
	}
}
