package gitops_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// kstatusOf is what Flux, and whoever else uses kstatus, makes of an OAuthToken.
func kstatusOf(tb testing.TB, o object) (status.Status, string) {
	tb.Helper()
	result, err := status.Compute(&unstructured.Unstructured{Object: copied(o)})
	if err != nil {
		tb.Fatal(err)
	}
	return result.Status, result.Message
}

func TestKStatusOfEverySituation(t *testing.T) {
	objects := situations(t)
	var table strings.Builder
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		word, message := kstatusOf(t, objects[name])
		fmt.Fprintf(&table, "%s\n    %s: %s\n", name, word, message)
	}
	golden(t, "kstatus.txt", table.String())
}

func TestKStatusIsTrue(t *testing.T) {
	for name, o := range situations(t) {
		t.Run(name, func(t *testing.T) {
			word, message := kstatusOf(t, o)
			want := map[bool]status.Status{true: status.CurrentStatus, false: status.InProgressStatus}[condition(o, "Ready") == "True"]
			switch {
			case o["metadata"].(object)["deletionTimestamp"] != nil:
				want = status.TerminatingStatus
			case o["status"] == nil || len(o["status"].(object)) == 0:
				want = status.CurrentStatus // why the CRD gives a new status a default
			case o["status"].(object)["observedGeneration"] != o["metadata"].(object)["generation"]:
				want = status.InProgressStatus
			case condition(o, "Stalled") == "True":
				want = status.FailedStatus
			}
			if word != want {
				t.Errorf("%s (%s), want %s", word, message, want)
			}
		})
	}
}
