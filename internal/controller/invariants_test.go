package controller_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

func TestARenewalCostsOneOfEach(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	w.createPlain("api", oauthtest.Client{})
	served := w.awaitServed("api", "")
	for round := range 3 {
		w.settled()
		w.api.reset()
		w.pass(clock, 45*time.Minute, "api")
		served = w.awaitServed("api", served)
		w.settled()
		got := w.api.counts()
		events := got["POST events"] + got["PATCH events"]
		delete(got, "POST events")
		delete(got, "PATCH events")
		if diff := cmp.Diff(map[string]int{"PATCH secrets": 1, "PATCH oauthtokens/status": 1}, got); diff != "" || events > 1 {
			t.Errorf("renewal %d: %d events, requests to the API server (-want +got):\n%s", round, events, diff)
		}
		w.expect("api", round+2, fmt.Sprintf("after renewal %d", round))
	}
}

func TestARestartCostsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.createPlain("plain", oauthtest.Client{})
	w.createSeeded("seeded", rotating())
	w.awaitServed("plain", "")
	w.awaitServed("seeded", "")
	w.settled()
	w.stop()
	w.start()
	w.settled()
	w.nudge("plain")
	w.nudge("seeded")
	w.settled()
	if diff := cmp.Diff(map[string]int{}, w.api.counts()); diff != "" {
		t.Errorf("requests to the API server (-want +got):\n%s", diff)
	}
	if got := w.vendor.Count(oauthtest.Match{}); got != 2 {
		t.Errorf("%d requests to the vendor, want the first two", got)
	}
}

var _ = metav1.ConditionTrue
