package harness

import "testing"

// RunManager runs a manager that serves a whole cluster, until the test ends, and waits until it is ready.
func RunManager(tb testing.TB, kubeconfig, namespace string, flags ...string) *Process {
	tb.Helper()
	health := FreeAddress(tb)
	p := run(tb, namespace, health, append([]string{
		"--kubeconfig=" + kubeconfig, "--leader-elect=false", "--metrics-bind-address=0", "--health-probe-bind-address=" + health,
	}, flags...))
	p.AwaitReady()
	return p
}
