// Package etcd_test restarts the store of a control plane of its own.
package etcd_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
)

var environment *envtest.Environment

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "tokensync-etcd-")
	if err != nil {
		panic(err)
	}
	code := harness.Run(m, func(e *envtest.Environment) {
		environment = e
		e.ControlPlane.Etcd = &envtest.Etcd{DataDir: folder} // else it would be removed at the first stop
	})
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// TestAnEtcdThatRestartsCostsNoRequestAndNoToken stops etcd before a renewal is asked for and after the vendor has answered, for a while each:
// what is served stays, the vendor is asked once, and the new refresh token is kept.
func TestAnEtcdThatRestartsCostsNoRequestAndNoToken(t *testing.T) {
	w := harness.NewWorld(t, nil, "--leader-elect=false")
	m := w.Join()
	m.Start()
	w.Create("api", harness.Seeded)
	w.AwaitToken("api")
	for _, amid := range []bool{false, true} {
		served, granted := w.Served("api"), w.Judge.Granted("refresh_token")
		value := fmt.Sprintf("amid-%t", amid)
		if amid {
			restartAmid(w, value)
		} else {
			stop(t)
			time.Sleep(10 * time.Second)
			start(t)
			awaitAPI(w)
			w.Renew("api", value)
		}
		harness.Eventually(t, func() string {
			token := w.Token("api")
			if w.Served("api") == served || token.Status.LastHandledRenewRequest != value || !harness.Has(token, v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued) {
				return fmt.Sprintf("not renewed: %+v", token.Status)
			}
			return ""
		})
		if got := w.Judge.Granted("refresh_token"); got != granted+1 {
			t.Errorf("amid: %t: %d tokens were issued for one renewal", amid, got-granted)
		}
		if w.Judge.Reused() != 0 || !w.Judge.Refreshes(w.Kept("api")) || !w.Judge.Accepts(w.Served("api")) {
			t.Errorf("amid: %t: %d spent refresh tokens were sent, the one that is kept is good: %t", amid, w.Judge.Reused(), w.Judge.Refreshes(w.Kept("api")))
		}
	}
	if m.Ended() {
		t.Error("the manager has ended")
	}
}

// restartAmid stops etcd between the vendor's answer and the write of what came of it, for 10 s.
func restartAmid(w *harness.World, value string) {
	t := w.TB
	t.Helper()
	stopped := make(chan struct{})
	w.Vendor.Strike(func(*http.Request) *harness.Stroke {
		return &harness.Stroke{After: func() error {
			stop(t)
			close(stopped)
			return nil
		}}
	})
	w.Renew("api", value)
	select {
	case <-stopped:
	case <-time.After(harness.Patience):
		t.Fatal("the vendor was not asked")
	}
	w.Vendor.Strike(nil)
	time.Sleep(10 * time.Second)
	start(t)
	awaitAPI(w)
}

func stop(tb testing.TB) {
	tb.Helper()
	if err := environment.ControlPlane.Etcd.Stop(); err != nil {
		tb.Error(err)
	}
}

func start(tb testing.TB) {
	tb.Helper()
	if err := environment.ControlPlane.Etcd.Start(); err != nil {
		tb.Error(err)
	}
}

// awaitAPI waits until the API server answers again.
func awaitAPI(w *harness.World) {
	w.TB.Helper()
	harness.Eventually(w.TB, func() string {
		if err := w.Client.List(context.Background(), &v1alpha1.OAuthTokenList{}); err != nil {
			return err.Error()
		}
		return ""
	})
}
