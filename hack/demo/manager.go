package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// logTail is how many of the manager's last log lines are shown after a failure.
const logTail = 20

// manager is the real one, as a process.
type manager struct {
	*process

	logPath string
}

// addresses are where the manager listens.
type addresses struct{ health, portal string }

// choose takes addresses that nobody listens on.
func (a *addresses) choose(ctx context.Context) (err error) {
	for _, address := range []*string{&a.health, &a.portal} {
		if *address, err = freeAddress(ctx); err != nil {
			return err
		}
	}
	return nil
}

// portalURL is where a browser on this machine finds the portal.
func (a addresses) portalURL() string { return "http://" + a.portal }

// startManager starts the manager's binary and waits until it is ready. What it returns besides an error must be stopped.
func startManager(ctx context.Context, c *cluster, v *scriptedVendor, listen addresses, folder string) (*manager, error) {
	kubeconfig, err := c.managerKubeconfig(folder)
	if err != nil {
		return nil, err
	}
	m := &manager{logPath: filepath.Join(folder, "manager.log")}
	log, err := os.Create(m.logPath)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	m.process, err = start(ctx, func(ctx context.Context) *exec.Cmd {
		cmd := command(ctx, managerBinary, managerFlags(kubeconfig, listen, v)...)
		cmd.Env = []string{"POD_NAMESPACE=" + ownNamespace, "SSL_CERT_FILE=" + v.authority}
		cmd.Stdout, cmd.Stderr = log, log
		return cmd
	})
	if err != nil {
		return nil, fmt.Errorf("the manager does not start: %w", err)
	}
	return m, m.awaitReady(ctx, "http://"+listen.health+"/readyz")
}

func managerFlags(kubeconfig string, listen addresses, v *scriptedVendor) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--vendors-dir=" + v.overrides,
		"--allowed-hosts=" + v.Host(), // for the generic vendor, whose endpoints the manifest states itself
		"--allow-loopback",
		"--metrics-bind-address=0",
		"--zap-encoder=console",
		"--health-probe-bind-address=" + listen.health,
		"--portal-bind-address=" + listen.portal,
		"--portal-url=" + listen.portalURL(),
		"--enable-implicit",
	}
}

func (m *manager) awaitReady(ctx context.Context, url string) error {
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if err := m.health(); err != nil {
			return false, err
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return false, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, nil //nolint:nilerr // it does not listen yet
		}
		return response.StatusCode == http.StatusOK, response.Body.Close()
	})
	if ctx.Err() != nil {
		return whyEnded(ctx)
	}
	return err
}

// health is nil while the manager runs.
func (m *manager) health() error {
	if err := m.process.health(); err != nil {
		return fmt.Errorf("the manager: %w", err)
	}
	return nil
}

// lastLines are the end of the manager's log.
func (m *manager) lastLines() string {
	content, err := os.ReadFile(m.logPath)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-logTail):], "\n")
}

// freeAddress is one that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
