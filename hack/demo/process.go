package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// grace is how long a process may take to end after SIGTERM, before it is killed.
const grace = 15 * time.Second

// command is one that ends with its context, and with all that it started. It has a process group of its own, so that Ctrl-C reaches
// the demo alone, which stops everything in order.
func command(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, arguments...) //nolint:gosec // the demo's own commands, no one else's input
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	return cmd
}

// runQuietly runs a command. What it prints is in the error.
func runQuietly(ctx context.Context, cmd *exec.Cmd) error {
	printed, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return whyEnded(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, printed)
	}
	return nil
}

// process is a command that runs until it is stopped.
type process struct {
	cancel context.CancelFunc
	ended  chan struct{} // closed after err is set
	err    error
}

// start runs the command that a context is made into.
func start(ctx context.Context, prepare func(context.Context) *exec.Cmd) (*process, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	cmd := prepare(ctx)
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	p := &process{cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// health is nil while the process runs.
func (p *process) health() error {
	select {
	case <-p.ended:
		return fmt.Errorf("it has ended by itself: %w", cmp.Or(p.err, errors.New("exit status 0")))
	default:
		return nil
	}
}

// stop asks the process to end and waits for it.
func (p *process) stop() {
	p.cancel()
	<-p.ended
}
