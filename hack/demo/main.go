// Command demo shows the whole of Tokensync on one machine, without a cluster or a vendor's account:
//
//	make demo          # ends by itself, with exit code 0 if all that it shows happened as it should
//	make demo KEEP=1   # stays until Ctrl-C, and says what to try
//
// It runs in the project's top folder.
//
//	build.go     builds what is missing: the control plane's binaries and the manager's
//	process.go   a command, in a process group of its own
//	cluster.go   etcd and kube-apiserver, and kubectl for them
//	vendor.go    the scripted vendor, and what points the example manifests at it
//	manager.go   the real manager
//	setup.go     all of these, in order
//	view.go      what the API server says of OAuthTokens and Secrets
//	table.go     the same as a table (pure)
//	screen.go    the terminal: a story above, a live table below
//	stage.go     waiting for what should happen
//	story.go     what happens; check.go: and what should not
//	keep.go      what follows with KEEP=1
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

const (
	// limit is how long the demo takes at most once everything is built, but for stopping what it started.
	limit = 80 * time.Second
	// interrupted is the exit code after Ctrl-C, as shells have it.
	interrupted = 130
)

func main() {
	// SIGHUP: the terminal was closed. SIGPIPE: nobody reads the output any more. Both must not leave processes behind.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	// What controller-runtime's environment for tests logs, it returns as an error too.
	ctrl.SetLogger(zap.New(zap.WriteTo(io.Discard)))
	s := newScreen(os.Stdout, clock.RealClock{})
	code := tellEnd(s, run(ctx, s, os.Getenv("KEEP") != ""))
	stop()
	os.Exit(code)
}

// tellEnd says how it ended, and returns the exit code.
func tellEnd(s *screen, err error) int {
	s.settle()
	switch {
	case err == nil:
		s.line("Stopped; nothing is left behind.")
		return 0
	case errors.Is(err, context.Canceled):
		s.line("Interrupted and stopped; nothing is left behind.")
		return interrupted
	default:
		s.failed(err)
		return 1
	}
}

// run is the whole demo. An error is a sentence for the user; it is context.Canceled after a signal.
func run(ctx context.Context, s *screen, keep bool) (err error) {
	s.heading("Tokensync demo")
	assets, err := build(ctx, s)
	if err != nil {
		return err
	}
	s.restart()
	folder, err := os.MkdirTemp("", "tokensync-demo-")
	if err != nil {
		return err
	}
	scene := &scene{assets: assets, folder: folder}
	defer func() {
		if failure := scene.tearDown(); failure != nil {
			err = fmt.Errorf("not everything could be stopped: %w (before that: %s)", failure, fmt.Sprint(err))
		}
	}()
	err = play(ctx, scene, s, keep)
	s.settle()
	if log := scene.managerLog(); err != nil && !errors.Is(err, context.Canceled) && log != "" {
		s.heading("The manager's last words")
		s.note(log)
	}
	s.working("stopping")
	return err
}

// play starts everything, lets the story happen, and stays, if it shall, until a signal comes.
func play(ctx context.Context, scene *scene, s *screen, keep bool) error {
	bounded, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("all of it should be done within %s", briefly(limit)))
	defer cancel()
	if err := scene.setUp(bounded, s); err != nil {
		return err
	}
	stage := newStage(scene, s, keep)
	if err := tell(bounded, stage); err != nil {
		return err
	}
	s.settle()
	s.heading(fmt.Sprintf("All of it happened as it should, in %s.", seconds(s.clock.Since(s.began))))
	if keep {
		return stage.stay(ctx)
	}
	return nil
}

// whyEnded tells why a context has ended: context.Canceled after a signal, else what the limit of time was for.
func whyEnded(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Canceled
	}
	return context.Cause(ctx)
}
