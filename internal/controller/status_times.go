package controller

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/renewal"
)

// failuresOf are the failures that a status tells of.
func failuresOf(status v1alpha1.OAuthTokenStatus) renewal.Failures {
	var failures renewal.Failures
	for i := range status.RecentFailures {
		failures.Recent = append(failures.Recent, status.RecentFailures[i].UTC())
	}
	if f := status.Failures; f != nil {
		failures.Count, failures.LastTime, failures.NextAttempt = int(f.Count), timeOf(f.LastTime), timeOf(f.NextAttempt)
	}
	return failures
}

func timeOf(t *metav1.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// earliest is the first of some times; zero ones do not count.
func earliest(times ...time.Time) time.Time {
	times = slices.DeleteFunc(times, time.Time.IsZero)
	if len(times) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(times, time.Time.Compare)
}
