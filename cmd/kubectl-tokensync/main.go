// Command kubectl-tokensync is the kubectl plugin: `kubectl tokensync authorize NAME`. Each verb is a file.
//
//	authorize.go  opens the link by which somebody authorizes, and tells what came of it
//	wait.go       follows the OAuthToken and the events about it
//	outcome.go    what they mean (pure)         browser.go  opening an address
//	portal.go     how the portal is reached from here
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func main() {
	log.SetLogger(logr.Discard()) // what a person should know is said in words
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newCommand(genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}, openInBrowser).ExecuteContext(ctx)
	stop()
	if err != nil {
		os.Exit(1) // cobra has told why
	}
}

// newCommand is the plugin.
func newCommand(streams genericiooptions.IOStreams, open opener) *cobra.Command {
	root := &cobra.Command{
		Use: "kubectl-tokensync", Short: "Work with the tokens that Tokensync keeps fresh", SilenceUsage: true,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl tokensync"},
	}
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	cluster := genericclioptions.NewConfigFlags(true)
	cluster.AddFlags(root.PersistentFlags())
	root.AddCommand(newAuthorizeCommand(cluster, streams, open))
	return root
}
