package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// authorization is one run of the verb.
type authorization struct {
	genericiooptions.IOStreams

	cluster   *genericclioptions.ConfigFlags
	open      opener
	noBrowser bool
	timeout   time.Duration
	portal    portal
	client    client.WithWatch
	key       client.ObjectKey
}

func newAuthorizeCommand(cluster *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams, open opener) *cobra.Command {
	a := &authorization{IOStreams: streams, cluster: cluster, open: open}
	command := &cobra.Command{
		Use: "authorize NAME", Args: cobra.ExactArgs(1), Short: "Open the link by which you authorize a token, and wait for the outcome",
		Long: "Open the link in status.authorization.url of an OAuthToken in your browser, wait until you have authorized, and tell what came of it.\n" +
			"Where the portal's address is one of this machine (--portal-url=http://localhost:PORT), its port is forwarded as long as that takes.",
		Example:           "  kubectl tokensync authorize genesys-user\n  kubectl tokensync authorize vantage -n documents --no-browser",
		ValidArgsFunction: a.complete,
		RunE:              func(command *cobra.Command, arguments []string) error { return a.run(command.Context(), arguments[0]) },
	}
	flags := command.Flags()
	flags.BoolVar(&a.noBrowser, "no-browser", false, "only print the link")
	flags.DurationVar(&a.timeout, "timeout", 15*time.Minute, "how long to wait for the outcome")
	flags.StringVar(&a.portal.namespace, "portal-namespace", "tokensync-system", "namespace of the operator, for forwarding the portal's port")
	flags.StringVar(&a.portal.selector, "portal-selector", "app.kubernetes.io/name=tokensync,app.kubernetes.io/component=manager", "labels of the operator's pods, likewise")
	return command
}

// connect finds the cluster and the namespace.
func (a *authorization) connect() error {
	config, err := a.cluster.ToRESTConfig()
	if err != nil {
		return err
	}
	namespace, _, err := a.cluster.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return err
	}
	a.portal.config, a.key.Namespace = config, namespace
	a.client, err = newClient(config)
	return err
}

func newClient(config *rest.Config) (client.WithWatch, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return client.NewWithWatch(config, client.Options{Scheme: scheme})
}

// complete offers the names of OAuthTokens.
func (a *authorization) complete(command *cobra.Command, arguments []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(arguments) > 0 || a.connect() != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var tokens v1alpha1.OAuthTokenList
	if a.client.List(command.Context(), &tokens, client.InNamespace(a.key.Namespace)) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range tokens.Items {
		names = append(names, tokens.Items[i].Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// run is the verb.
func (a *authorization) run(ctx context.Context, name string) error {
	if err := a.connect(); err != nil {
		return err
	}
	a.key.Name = name
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	token, err := a.awaitLink(ctx)
	if err != nil {
		return err
	}
	if linkOf(token) == "" {
		a.say("%s is connected, and nobody needs to authorize: %s.", name, summary(token))
		return nil
	}
	tried := newAttempt(token, a.events(ctx, token))
	if err := a.show(ctx, tried.link); err != nil {
		return err
	}
	return a.awaitOutcome(ctx, token, tried)
}

// say tells the person something.
func (a *authorization) say(format string, values ...any) {
	_, _ = fmt.Fprintln(a.Out, plain(fmt.Sprintf(format, values...)))
}

// plain keeps what others wrote into a cluster from steering the terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' {
			return r
		}
		return ' '
	}, text)
}

// show opens the link, and prints it for those who have no browser here.
func (a *authorization) show(ctx context.Context, link string) error {
	address, err := webPage(link)
	if err != nil {
		return errors.New("the link in status is no address of a web page: is --portal-url of the operator right?")
	}
	opens := !a.noBrowser
	switch wayTo(address, answers(ctx, address)) {
	case forwarded:
		if err := a.portal.forward(ctx, address, a.ErrOut); err != nil {
			return err
		}
		a.say("Forwarding %s to the portal, until the outcome is known.", address.Host)
	case elsewhere:
		a.say("%s does not answer from here: open this link on a machine that reaches it, such as one in your company's network.", address.Host)
		opens = false
	case direct:
	}
	a.say("%s", link)
	if opens && a.open(ctx, link) != nil {
		a.say("No browser could be opened: open the link yourself.")
	}
	a.say("Waiting until somebody has authorized (Ctrl-C ends the waiting alone).")
	return nil
}
