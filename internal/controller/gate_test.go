package controller

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	gateEndpoint = "https://login.acme.example/oauth/token"
	otherGate    = "https://login.other.example/oauth/token"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// crowd is a gate and who was called by it.
type crowd struct {
	gate
	called []string
}

func newCrowd() *crowd {
	c := &crowd{}
	c.call = func(key client.ObjectKey) { c.called = append(c.called, key.Name) }
	return c
}

func named(name string) client.ObjectKey { return client.ObjectKey{Namespace: "default", Name: name} }

// fill lets as many in as there are places.
func (c *crowd) fill(t *testing.T) {
	t.Helper()
	for i := range maxInFlight {
		if !c.enter(noon, gateEndpoint, named(fmt.Sprintf("inside-%02d", i)), time.Time{}) {
			t.Fatalf("number %d was not let in", i)
		}
	}
}

// throttle has the endpoint ask two clients to wait, which makes it wait for all.
func (c *crowd) throttle(until time.Time) {
	c.pause(gateEndpoint, "a", until)
	c.pause(gateEndpoint, "b", until)
}

func TestTheGateLetsTenInPerEndpoint(t *testing.T) {
	c := newCrowd()
	c.fill(t)
	if c.enter(noon, gateEndpoint, named("eleventh"), time.Time{}) {
		t.Error("an eleventh request was let in")
	}
	if !c.enter(noon, otherGate, named("eleventh"), time.Time{}) {
		t.Error("one endpoint's crowd keeps somebody from another endpoint")
	}
	if !c.enter(noon, gateEndpoint, named("inside-00"), time.Time{}) {
		t.Error("who is inside already does not keep the place")
	}
}

func TestTheGateCallsTheMostUrgentFirst(t *testing.T) {
	c := newCrowd()
	c.fill(t)
	for name, urgency := range map[string]time.Time{
		"has an hour": noon.Add(time.Hour), "has a minute": noon.Add(time.Minute), "has none": {}, "has a day": noon.Add(24 * time.Hour),
		"b has ten minutes": noon.Add(10 * time.Minute), "a has ten minutes": noon.Add(10 * time.Minute),
	} {
		if c.enter(noon, gateEndpoint, named(name), urgency) {
			t.Fatalf("%q was let in", name)
		}
	}
	for i := range 6 {
		c.leave(noon, gateEndpoint, named(fmt.Sprintf("inside-%02d", i)))
	}
	want := []string{"has none", "has a minute", "a has ten minutes", "b has ten minutes", "has an hour", "has a day"}
	if diff := cmp.Diff(want, c.called); diff != "" {
		t.Errorf("who was called, in order (-want +got):\n%s", diff)
	}
	if !c.enter(noon, gateEndpoint, named("has a day"), time.Time{}) {
		t.Error("somebody who was called is not let in")
	}
	if c.enter(noon, gateEndpoint, named("newcomer"), time.Time{}) {
		t.Error("a newcomer took the place of somebody who was called")
	}
}

func TestAPlaceIsNotKeptForeverForSomebodyWhoWasCalled(t *testing.T) {
	c := newCrowd()
	c.fill(t)
	c.enter(noon, gateEndpoint, named("called and gone"), time.Time{})
	c.leave(noon, gateEndpoint, named("inside-00"))
	if c.enter(noon.Add(grantLifetime-time.Second), gateEndpoint, named("next"), time.Time{}) {
		t.Error("the place was given away before its time")
	}
	if !c.enter(noon.Add(grantLifetime), gateEndpoint, named("next"), time.Time{}) {
		t.Error("the place is still kept after its time")
	}
}

func TestWhoLeavesWithoutEnteringGivesThePlaceOn(t *testing.T) {
	c := newCrowd()
	c.fill(t)
	c.enter(noon, gateEndpoint, named("first"), time.Time{})
	c.enter(noon, gateEndpoint, named("second"), noon.Add(time.Hour))
	c.leave(noon, gateEndpoint, named("inside-00")) // calls first
	c.leave(noon, gateEndpoint, named("first"))     // which does not want it any more
	if diff := cmp.Diff([]string{"first", "second"}, c.called); diff != "" {
		t.Errorf("who was called (-want +got):\n%s", diff)
	}
}

func TestAPlaceGoesToTheMostUrgentWhoeverAsksFirst(t *testing.T) {
	c := newCrowd()
	c.throttle(noon.Add(time.Second))
	after := noon.Add(time.Second)
	for i := range 2 * maxInFlight { // they want a token, find the pause, and keep their place in the queue
		c.renounce(noon, gateEndpoint, named(fmt.Sprintf("n%02d", i)), true, noon.Add(time.Duration(i)*time.Minute))
	}
	if len(c.called) != 0 {
		t.Fatalf("%v were called during a pause", c.called)
	}
	if c.enter(after, gateEndpoint, named("n19"), noon.Add(19*time.Minute)) {
		t.Error("the least urgent one was let in, since it came first")
	}
	want := []string{"n00", "n01", "n02", "n03", "n04", "n05", "n06", "n07", "n08", "n09"}
	if diff := cmp.Diff(want, c.called); diff != "" {
		t.Errorf("who was called after the pause (-want +got):\n%s", diff)
	}
	if !c.enter(after, gateEndpoint, named("n03"), noon.Add(3*time.Minute)) {
		t.Error("somebody who was called is not let in")
	}
}

func TestTheMostUrgentIsLetInAtOnce(t *testing.T) {
	c := newCrowd()
	c.throttle(noon.Add(time.Second))
	c.renounce(noon, gateEndpoint, named("other"), true, noon.Add(time.Hour))
	if !c.enter(noon.Add(time.Second), gateEndpoint, named("urgent"), noon) {
		t.Error("the most urgent one was not let in")
	}
	if diff := cmp.Diff([]string{"other"}, c.called); diff != "" {
		t.Errorf("who was called (-want +got):\n%s", diff)
	}
}

func TestWhoRenouncesLeavesTheQueue(t *testing.T) {
	c := newCrowd()
	c.fill(t)
	c.enter(noon, gateEndpoint, named("renounces"), time.Time{})
	c.renounce(noon, gateEndpoint, named("renounces"), false, time.Time{})
	c.enter(noon, gateEndpoint, named("gone"), time.Time{})
	c.forget(noon, named("gone"))
	c.enter(noon, gateEndpoint, named("stays"), noon.Add(time.Hour))
	c.leave(noon, gateEndpoint, named("inside-00"))
	if diff := cmp.Diff([]string{"stays"}, c.called); diff != "" {
		t.Errorf("who was called (-want +got):\n%s", diff)
	}
}

// A pause of one client holds for it alone. It would be called again and again if it kept its place.
func TestOneClientsPauseKeepsNoPlace(t *testing.T) {
	c := newCrowd()
	c.pause(gateEndpoint, "a", noon.Add(time.Hour))
	c.renounce(noon, gateEndpoint, named("of a"), true, noon)
	c.enter(noon, gateEndpoint, named("of b"), noon)
	c.leave(noon, gateEndpoint, named("of b"))
	if len(c.called) != 0 {
		t.Errorf("%v were called during their pause", c.called)
	}
}

func TestAnEndpointThatHangsHasOnePlaceUntilItAnswers(t *testing.T) {
	c := newCrowd()
	c.fill(t)
	for i := range maxInFlight {
		c.heard(noon, gateEndpoint, named(fmt.Sprintf("inside-%02d", i)), true)
		c.leave(noon, gateEndpoint, named(fmt.Sprintf("inside-%02d", i)))
	}
	places := func(now time.Time, endpoint string) (admitted int) {
		for i := range 2 * maxInFlight {
			if name := named(fmt.Sprintf("again-%02d", i)); c.enter(now, endpoint, name, noon) {
				admitted++
				defer c.forget(now, name)
			}
		}
		for i := range 2 * maxInFlight {
			defer c.leave(now, endpoint, named(fmt.Sprintf("again-%02d", i)))
		}
		return admitted
	}
	if got := places(noon, gateEndpoint); got != 1 {
		t.Errorf("%d places at an endpoint that hangs, want 1", got)
	}
	if got := places(noon, otherGate); got != maxInFlight {
		t.Errorf("%d places at another endpoint, want %d", got, maxInFlight)
	}
	for _, want := range []int{2, 4, 8, 10, 10} {
		c.heard(noon, gateEndpoint, named("answered"), false)
		if got := places(noon, gateEndpoint); got != want {
			t.Errorf("%d places after another answer, want %d", got, want)
		}
	}
	c.heard(noon, gateEndpoint, named("hung"), true)
	if got := places(noon.Add(narrowFor-time.Second), gateEndpoint); got != maxInFlight/2 {
		t.Errorf("%d places after one request that hung, want %d", got, maxInFlight/2)
	}
	if got := places(noon.Add(narrowFor), gateEndpoint); got != maxInFlight {
		t.Errorf("%d places when all that is long ago, want %d", got, maxInFlight)
	}
}

// An endpoint may hang for some of its clients alone, such as one tenant's. Theirs are the oldest ends, since they get no new tokens.
func TestThoseWhoseRequestsHangLeaveAPlaceToOthers(t *testing.T) {
	c := newCrowd()
	hangs := func(i int) client.ObjectKey { return named(fmt.Sprintf("hangs-%02d", i)) }
	const hanging = 21
	for i := range hanging {
		c.enter(noon, gateEndpoint, hangs(i), noon.Add(-time.Hour))
	}
	for i := range hanging {
		c.enter(noon, gateEndpoint, hangs(i), noon.Add(-time.Hour))
		c.heard(noon, gateEndpoint, hangs(i), true)
		c.leave(noon, gateEndpoint, hangs(i))
	}
	for i := range hanging { // their back-off is over
		c.enter(noon, gateEndpoint, hangs(i), noon.Add(-time.Hour))
	}
	if c.enter(noon, gateEndpoint, named("healthy"), noon.Add(time.Hour)) {
		t.Fatal("there was a place at an endpoint that hangs")
	}
	c.heard(noon, gateEndpoint, hangs(0), true)
	c.leave(noon, gateEndpoint, hangs(0))
	c.enter(noon, gateEndpoint, hangs(0), noon.Add(-time.Hour))
	if !c.enter(noon, gateEndpoint, named("healthy"), noon.Add(time.Hour)) {
		t.Error("those whose requests hang keep all places from one whose request may be answered")
	}
	for range 4 {
		c.heard(noon, gateEndpoint, named("healthy"), false)
	}
	c.called = nil
	c.enter(noon, gateEndpoint, named("newcomer"), noon)
	c.leave(noon, gateEndpoint, named("healthy"))
	if len(c.called) < 8 {
		t.Errorf("%d were called to the ten places of an endpoint that answers again", len(c.called))
	}
}

func TestWhoGoesElsewhereLeavesTheQueue(t *testing.T) {
	c := newCrowd()
	c.fill(t)
	c.enter(noon, gateEndpoint, named("mover"), noon)
	c.enter(noon, gateEndpoint, named("next"), noon.Add(time.Hour))
	c.keepTo(noon, otherGate, named("mover"))
	c.leave(noon, gateEndpoint, named("inside-00"))
	if diff := cmp.Diff([]string{"next"}, c.called); diff != "" {
		t.Errorf("called (-want +got):\n%s", diff)
	}
}

func TestNobodyWaitsForeverAtTheGate(t *testing.T) {
	const many = 200
	c := newCrowd()
	var inside, served []string
	try := func(name string) {
		if c.enter(noon, gateEndpoint, named(name), time.Time{}) {
			inside = append(inside, name)
		}
	}
	for i := range many {
		try(fmt.Sprintf("n%03d", i))
	}
	for len(inside) > 0 {
		if len(inside) > maxInFlight {
			t.Fatalf("%d are inside", len(inside))
		}
		done := inside[0]
		inside, served = inside[1:], append(served, done)
		c.called = nil
		c.leave(noon, gateEndpoint, named(done))
		for _, name := range slices.Clone(c.called) {
			try(name)
		}
	}
	slices.Sort(served)
	if served = slices.Compact(served); len(served) != many {
		t.Errorf("%d of %d had their turn", len(served), many)
	}
}

func TestAPauseHoldsForTheClientThatWasAskedAndForAllWhenTwoWere(t *testing.T) {
	minute, hour := noon.Add(time.Minute), noon.Add(time.Hour)
	tests := map[string]struct {
		pauses map[string]time.Time
		now    time.Time
		want   map[string]time.Time // by client
	}{
		"nobody was asked": {want: map[string]time.Time{"a": {}}},
		"one client waits alone": {
			pauses: map[string]time.Time{"a": hour}, want: map[string]time.Time{"a": hour, "b": {}},
		},
		"two throttled clients are a throttled endpoint": {
			pauses: map[string]time.Time{"a": minute, "b": hour}, want: map[string]time.Time{"a": hour, "b": hour, "c": hour},
		},
		"a pause that is over counts no more": {
			pauses: map[string]time.Time{"a": minute, "b": hour}, now: minute, want: map[string]time.Time{"a": {}, "b": hour, "c": {}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCrowd()
			for id, until := range test.pauses {
				c.pause(gateEndpoint, id, until)
			}
			got := map[string]time.Time{}
			for id := range test.want {
				got[id] = c.pausedUntil(later(noon, test.now), gateEndpoint, id)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("ends of pauses (-want +got):\n%s", diff)
			}
			if other := c.pausedUntil(noon, otherGate, "a"); !other.IsZero() {
				t.Error("a pause holds for another endpoint")
			}
		})
	}
}

func TestAShorterPauseDoesNotEndALongerOne(t *testing.T) {
	c := newCrowd()
	c.pause(gateEndpoint, "a", noon.Add(time.Hour))
	c.pause(gateEndpoint, "a", noon.Add(time.Minute))
	if got := c.pausedUntil(noon, gateEndpoint, "a"); !got.Equal(noon.Add(time.Hour)) {
		t.Errorf("the pause ends at %s", got)
	}
}

func TestTheGateForgetsEndpointsThatNobodyUses(t *testing.T) {
	c := newCrowd()
	for i := range 100 {
		endpoint := fmt.Sprintf("https://n%d.acme.example/token", i)
		c.enter(noon, endpoint, named("x"), time.Time{})
		c.heard(noon, endpoint, named("somebody"), i%2 == 0)
		c.leave(noon, endpoint, named("x"))
	}
	c.forget(noon.Add(narrowFor), named("x"))
	if len(c.endpoints) != 0 {
		t.Errorf("%d endpoints are kept in memory", len(c.endpoints))
	}
}
