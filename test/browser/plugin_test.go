package browser_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tokensync.dev/tokensync/internal/kubetest"
	"tokensync.dev/tokensync/test/harness"
)

// desktop is where the plugin is run: its opener of addresses is a script that notes the link down.
type desktop struct {
	t      *testing.T
	world  *harness.World
	member *harness.Member
	folder string
}

func newDesktop(t *testing.T) *desktop {
	t.Helper()
	d := &desktop{t: t, world: harness.NewWorld(t, nil, "--leader-elect=false"), folder: t.TempDir()}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(d.folder, "kubectl-tokensync"), "./cmd/kubectl-tokensync")
	build.Dir = kubetest.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	script := "#!/bin/sh\nprintf %s \"$1\" >" + d.noted() + ".new && /bin/mv " + d.noted() + ".new " + d.noted() + "\n"
	if err := os.WriteFile(filepath.Join(d.folder, "xdg-open"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	d.member = d.world.Join()
	d.member.Start()
	return d
}

func (d *desktop) noted() string { return filepath.Join(d.folder, "link") }

// authorize runs the verb, and lets somebody follow the link that it opens; follow is nil where none is opened. It returns what was said.
func (d *desktop) authorize(name string, follow func(link string) error) (said string, err error) {
	d.t.Helper()
	var output bytes.Buffer
	run := exec.CommandContext(d.t.Context(), filepath.Join(d.folder, "kubectl-tokensync"), "authorize", name,
		"--kubeconfig="+d.member.Kubeconfig(), "--namespace="+d.world.Namespace, "--timeout=60s")
	run.Env = append(os.Environ(), "PATH="+d.folder)
	run.Stdout, run.Stderr = &output, &output
	if err := run.Start(); err != nil {
		d.t.Fatal(err)
	}
	if follow != nil {
		harness.Eventually(d.t, func() string {
			link, err := os.ReadFile(d.noted())
			if err != nil {
				return "the plugin opens nothing"
			}
			_ = os.Remove(d.noted())
			if err := follow(string(link)); err != nil {
				d.t.Errorf("the link can't be followed: %v", err)
			}
			return ""
		})
	}
	err = run.Wait()
	return output.String(), err
}

// TestPlugin runs kubectl-tokensync as its user would.
func TestPlugin(t *testing.T) {
	t.Parallel()
	d := newDesktop(t)
	d.world.Create("orders")
	said, err := d.authorize("orders", d.world.Deny)
	if err == nil || !strings.Contains(said, "orders is not connected. AccessDenied") {
		t.Errorf("after a denial (%v):\n%s", err, said)
	}
	said, err = d.authorize("orders", d.world.Browse)
	if err != nil || !strings.Contains(said, "orders is connected: authorized by ada; scopes openid offline_access orders") {
		t.Errorf("after consent (%v):\n%s", err, said)
	}
	said, err = d.authorize("orders", nil)
	if err != nil || !strings.Contains(said, "nobody needs to authorize") {
		t.Errorf("when it is connected (%v):\n%s", err, said)
	}
	said, err = d.authorize("nothing", nil)
	if err == nil || !strings.Contains(said, "there is no OAuthToken nothing in namespace "+d.world.Namespace) {
		t.Errorf("without an OAuthToken (%v):\n%s", err, said)
	}
}
