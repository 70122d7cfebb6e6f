//go:build cluster

package e2e

import (
	"os"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

// beside lets a story be played at the same time as the others, in a cluster of its own. In somebody else's cluster they are played one after the
// other, and each takes away what it brought.
func beside(t *testing.T) {
	t.Helper()
	if setting("LAB", "") != "" {
		t.Parallel()
	}
}

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	code := m.Run()
	removeBinaries()
	os.Exit(code)
}
