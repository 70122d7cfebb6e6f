// Command kubectl-tokensync is the kubectl plugin: `kubectl tokensync VERB`. Each verb is a file.
//
//	status.go      how tokens stand          report.go, summary.go   in words (pure)      verdict.go  judged (pure)
//	list.go        the same as a table
//	renew.go       asks for a new token      renewal.go              what came of it (pure)
//	suspend.go     suspends and resumes      ownership.go            who else states that (pure)
//	authorize.go   opens the link by which somebody authorizes, and tells what came of it
//	               wait.go                   follows the OAuthToken and the events about it
//	               outcome.go                what they mean (pure)
//	               portal.go, browser.go     how the portal is reached from here
//	test.go        tries a manifest
//	               manifest.go, trust.go     what is tried, and by which rules
//	               trial*.go                 the try                 findings.go          what it found (pure)
//	vendors.go     the catalogue
//	explain.go     one entry of it, with an example (example.go, pure)
//	version.go     what this is
//	cluster.go     where the plugin works    selection.go            on what              watch.go    reading on
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func main() {
	stdlog.SetOutput(io.Discard)  // net/http tells it what a server sends beyond its answer, which may be a token
	log.SetLogger(logr.Discard()) // what a person should know is said in words
	klog.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	err := newCommand(streams, clock.RealClock{}.Now, openInBrowser).ExecuteContext(ctx)
	stop()
	os.Exit(exitStatus(err, os.Stderr))
}

// exitStatus tells what was wrong, where the output does not, and returns the exit status of the process.
func exitStatus(err error, out io.Writer) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errAttention):
		return 2
	case !errors.Is(err, errToldAlready):
		_, _ = fmt.Fprintln(out, "error:", plain(err.Error()))
	}
	return 1
}

// errToldAlready is a failure of which the output tells.
var errToldAlready = errors.New("something failed")

// newCommand is the plugin.
func newCommand(streams genericiooptions.IOStreams, now func() time.Time, open opener) *cobra.Command {
	root := &cobra.Command{
		Use: "kubectl-tokensync", Short: "Work with the tokens that Tokensync keeps fresh", SilenceUsage: true, SilenceErrors: true,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl tokensync"},
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	flags := genericclioptions.NewConfigFlags(true)
	flags.AddFlags(root.PersistentFlags())
	s := session{IOStreams: streams, cluster: cluster{flags: flags, warnings: streams.ErrOut}, now: now}
	root.AddCommand(newStatusCommand(s), newListCommand(s), newRenewCommand(s), newSuspendCommand(s), newResumeCommand(s), newAuthorizeCommand(s, open),
		newTestCommand(s), newVendorsCommand(s), newExplainCommand(s), newVersionCommand(s))
	return root
}
