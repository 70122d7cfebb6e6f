package harness

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"tokensync.dev/tokensync/internal/kubetest"
)

// Patience is how long a test waits for what should be there within seconds, on a busy machine.
const Patience = 90 * time.Second

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

var binary struct {
	once sync.Once
	path string
	err  error
	out  []byte
}

// Binary builds the manager as the image has it, once for a test binary.
func Binary(tb testing.TB) string {
	tb.Helper()
	binary.once.Do(func() {
		folder, err := os.MkdirTemp("", "tokensync-manager-")
		if err != nil {
			binary.err = err
			return
		}
		binary.path = filepath.Join(folder, "manager")
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary.path, "./cmd/manager")
		build.Dir, build.Env = kubetest.Root(), append(os.Environ(), "CGO_ENABLED=0")
		binary.out, binary.err = build.CombinedOutput()
	})
	if binary.err != nil {
		tb.Fatalf("the manager can't be built: %v\n%s", binary.err, binary.out)
	}
	return binary.path
}

// Process is a manager.
type Process struct {
	tb     testing.TB
	health string
	cmd    *exec.Cmd
	ended  chan struct{}
	output bytes.Buffer
	lock   sync.Mutex
}

// Write implements io.Writer for the process's log.
func (p *Process) Write(text []byte) (int, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.output.Write(text)
}

// Log is what the process has logged.
func (p *Process) Log() string {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.output.String()
}

// run starts a manager, which ends with the test at the latest.
func run(tb testing.TB, namespace, health string, arguments []string) *Process {
	tb.Helper()
	p := &Process{tb: tb, health: health, ended: make(chan struct{})}
	p.cmd = exec.Command(Binary(tb), arguments...)
	p.cmd.Env = append(os.Environ(), "POD_NAMESPACE="+namespace)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	tb.Cleanup(func() {
		p.Signal(syscall.SIGCONT)
		p.Kill()
		if tb.Failed() {
			tb.Logf("the manager logged:\n%s", p.Log())
		}
	})
	return p
}

// AwaitReady waits until the manager has read what there is.
func (p *Process) AwaitReady() {
	p.tb.Helper()
	Eventually(p.tb, func() string {
		if p.Ended() {
			p.tb.Fatal("the manager has ended")
		}
		return p.Unready()
	})
}

// Unready says why the manager is not ready; "": it is.
func (p *Process) Unready() string {
	asked := http.Client{Timeout: 2 * time.Second} // the answer is held back until the cache is filled
	response, err := asked.Get("http://" + p.health + "/readyz")
	if err != nil {
		return err.Error()
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return response.Status
	}
	return ""
}

// Kill is kill -9; it returns when the process is gone.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.ended
}

// Signal sends a signal.
func (p *Process) Signal(signal syscall.Signal) { _ = p.cmd.Process.Signal(signal) }

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop is SIGTERM; it returns when the process is gone.
func (p *Process) Stop() {
	p.Signal(syscall.SIGTERM)
	<-p.ended
}

// Ended tells whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Eventually waits until a check returns "", and tells what it returned last otherwise.
func Eventually(tb testing.TB, check func() string) {
	tb.Helper()
	Within(tb, Patience, 20*time.Millisecond, check)
}

// Within is Eventually with a patience of its own, and a pause from one check to the next.
func Within(tb testing.TB, patience, pause time.Duration, check func() string) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for {
		complaint := check()
		if complaint == "" {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("after %s: %s", patience, complaint)
		}
		time.Sleep(pause)
	}
}
