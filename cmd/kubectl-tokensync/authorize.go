package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

const (
	// pace is how often the OAuthToken is looked at.
	pace = 500 * time.Millisecond
	// linkPatience is how long the operator may take to make a link.
	linkPatience = 20 * time.Second
)

// authorization is one run of the verb.
type authorization struct {
	genericiooptions.IOStreams

	cluster   *genericclioptions.ConfigFlags
	open      opener
	noBrowser bool
	timeout   time.Duration
	portal    portal
	client    client.Client
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

func newClient(config *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return client.New(config, client.Options{Scheme: scheme})
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
	token, err := a.awaitLink(ctx)
	if err != nil {
		return err
	}
	link := linkOf(token)
	if link == "" {
		a.say("%s is connected, and nobody needs to authorize: %s.", name, summary(token))
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	before := seenAt(a.events(ctx))
	if err := a.show(ctx, link); err != nil {
		return err
	}
	return a.awaitOutcome(ctx, link, before)
}

func (a *authorization) say(format string, values ...any) {
	_, _ = fmt.Fprintf(a.Out, format+"\n", values...)
}

// awaitLink waits until the OAuthToken has a link or needs none.
func (a *authorization) awaitLink(ctx context.Context) (*v1alpha1.OAuthToken, error) {
	token, why := &v1alpha1.OAuthToken{}, ""
	ctx, cancel := context.WithTimeout(ctx, linkPatience)
	defer cancel()
	err := wait.PollUntilContextCancel(ctx, pace, true, func(ctx context.Context) (bool, error) {
		if err := a.client.Get(ctx, a.key, token); apierrors.IsNotFound(err) {
			return false, fmt.Errorf("there is no OAuthToken %s in namespace %s: `kubectl get oauthtokens -A` lists them", a.key.Name, a.key.Namespace)
		} else if err != nil {
			return false, err
		}
		stands, words := standingOf(token)
		if why = words; stands == impossible {
			return false, fmt.Errorf("nobody can authorize %s: %s", a.key.Name, why)
		}
		return stands != unsettled, nil
	})
	if wait.Interrupted(err) {
		return nil, fmt.Errorf("nobody can authorize %s: %s", a.key.Name, why)
	}
	return token, err
}

// show opens the link, and prints it for those who have no browser here.
func (a *authorization) show(ctx context.Context, link string) error {
	address, err := url.Parse(link)
	if err != nil {
		return errors.New("the link in status is no address: is --portal-url of the operator right?")
	}
	switch wayTo(address, answers(ctx, address)) {
	case forwarded:
		if err := a.portal.forward(ctx, portOf(address), a.ErrOut); err != nil {
			return err
		}
		a.say("Forwarding %s to the portal.", address.Host)
	case elsewhere:
		a.say("%s does not answer from here. Open the link on a machine that reaches it:", address.Host)
	case direct:
	}
	a.say("%s", link)
	if !a.noBrowser && a.open(ctx, link) != nil {
		a.say("No browser could be opened: open the link yourself.")
	}
	a.say("Waiting for the outcome (Ctrl-C ends the waiting alone).")
	return nil
}

// awaitOutcome waits until nobody needs to authorize any more, or a warning tells that nothing came of the attempt.
func (a *authorization) awaitOutcome(ctx context.Context, link string, before map[types.UID]time.Time) error {
	token, used := &v1alpha1.OAuthToken{}, false
	err := wait.PollUntilContextCancel(ctx, pace, true, func(ctx context.Context) (bool, error) {
		if err := a.client.Get(ctx, a.key, token); err != nil {
			return false, client.IgnoreNotFound(err)
		}
		stands, _ := standingOf(token)
		if stands == connected {
			return true, nil
		}
		if !used && linkOf(token) != link {
			used = true
			a.say("The link is in use.")
		}
		if failure := newFailure(a.events(ctx), before); used && failure != "" {
			return false, fmt.Errorf("%s is not connected. %s\nTo try again: kubectl tokensync authorize %s -n %s", a.key.Name, failure, a.key.Name, a.key.Namespace)
		}
		return false, nil
	})
	if wait.Interrupted(err) {
		return fmt.Errorf("nobody has authorized %s in time: run this again", a.key.Name)
	}
	if err == nil {
		a.say("%s is connected: %s.", a.key.Name, summary(token))
	}
	return err
}

// events are those about the OAuthToken; none where they may not be read.
func (a *authorization) events(ctx context.Context) []eventsv1.Event {
	var list eventsv1.EventList
	err := a.client.List(ctx, &list, client.InNamespace(a.key.Namespace), client.MatchingFields{"regarding.name": a.key.Name})
	if err != nil {
		return nil
	}
	return list.Items
}
