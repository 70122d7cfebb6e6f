package controller

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRepairsThatDoNotHoldAreMadeLessAndLessOften(t *testing.T) {
	var r repairs
	now := noon
	var pauses []time.Duration
	fights := 0
	for range 14 { // each is undone at once, and made again as soon as that is allowed
		now = later(now, r.allowedAt("uid"))
		if r.note("uid", now) {
			fights++
		}
		pauses = append(pauses, later(now, r.allowedAt("uid")).Sub(now))
	}
	want := []time.Duration{
		0, 0, 0, 5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second,
		320 * time.Second, 10 * time.Minute, 10 * time.Minute, 10 * time.Minute, 10 * time.Minute,
	}
	if diff := cmp.Diff(want, pauses); diff != "" {
		t.Errorf("pauses after repairs (-want +got):\n%s", diff)
	}
	if fights != 1 {
		t.Errorf("the fight was told %d times, want once", fights)
	}
}

func TestARepairThatHeldForAMinuteStartsTheCountAnew(t *testing.T) {
	var r repairs
	now := noon
	for range 100 {
		if r.note("uid", now) {
			t.Fatal("somebody who deletes a Secret now and then is taken for a fight")
		}
		if at := r.allowedAt("uid"); at.After(now) {
			t.Fatalf("a repair is held back for %s", at.Sub(now))
		}
		now = now.Add(repairHeld + time.Second)
	}
}

func TestRepairsAreCountedPerObjectAndForgottenWithIt(t *testing.T) {
	var r repairs
	for range freeRepairs + 3 {
		r.note("fought over", noon)
	}
	if !r.allowedAt("other").IsZero() {
		t.Error("another object's repair is held back")
	}
	r.forget("fought over")
	if !r.allowedAt("fought over").IsZero() {
		t.Error("the count outlives the object")
	}
}
