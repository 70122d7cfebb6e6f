package controller_test

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/controller"
)

// TestWhoFindsNoPlaceIsSeenToWaitAfterTwoMinutes has all places of an endpoint taken by requests that hang: an OAuthToken that never had a status
// says nothing at first, since mostly its turn comes soon, but does not stay unseen.
func TestWhoFindsNoPlaceIsSeenToWaitAfterTwoMinutes(t *testing.T) {
	t.Parallel()
	hands := fakeTime()
	w := newWorld(t, withClock(hands))
	release := w.takeAllPlaces()
	secret, eleventh := w.generic("eleventh")
	w.create(secret, eleventh)
	w.settled()
	ready := func() map[string]float64 {
		return seriesOf("tokensync_token_ready", "namespace", w.namespace, "name", "name=eleventh")
	}
	hands.Step(2*time.Minute - time.Second)
	w.poke("eleventh")
	w.settled()
	if c := w.oauthToken("eleventh").Status.Conditions; c != nil || len(ready()) != 0 {
		t.Errorf("before two minutes: %+v, series %v", c, ready())
	}
	hands.Step(time.Second)
	w.poke("eleventh")
	conforms(t, w.awaitReady("eleventh", metav1.ConditionFalse, v1alpha1.ReasonRequesting), controller.KStatusInProgress)
	w.eventually(func() string {
		if value, told := ready()["eleventh"]; !told || value != 0 {
			return fmt.Sprintf("series %v", ready())
		}
		return ""
	})
	w.wantAsked("eleventh", 0)
	close(release)
	w.awaitReady("eleventh", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.wantAsked("eleventh", 1)
}
