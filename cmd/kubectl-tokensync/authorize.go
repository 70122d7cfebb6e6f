package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// authorization is one run of the verb.
type authorization struct {
	session

	open       opener
	noBrowser  bool
	timeout    time.Duration
	portal     portal
	forwards   bool // the portal's port, to this machine
	pause      func(context.Context, time.Duration)
	connection *connection
	key        client.ObjectKey
}

// lastPage is how long the portal's port is forwarded beyond the outcome. The browser is told of it by a page that it is led to when it comes back
// from the vendor, and the API server may have told the plugin before.
const lastPage = 5 * time.Second

func newAuthorizeCommand(s session, open opener) *cobra.Command {
	a := &authorization{session: s, open: open, pause: pause}
	command := &cobra.Command{
		Use: "authorize NAME", Args: cobra.ExactArgs(1), Short: "Open the link by which you authorize a token, and wait for the outcome",
		Long: "Open the link in status.authorization.url of an OAuthToken in your browser, wait until you have authorized, and tell what came of it.\n" +
			"Where the portal's address is one of this machine (--portal-url=http://localhost:PORT), its port is forwarded as long as that takes.",
		Example:           "  kubectl tokensync authorize genesys-user\n  kubectl tokensync authorize vantage -n documents --no-browser",
		ValidArgsFunction: s.cluster.complete(1),
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
func (a *authorization) connect() (err error) {
	if a.connection, err = a.cluster.connect(); err != nil {
		return err
	}
	a.portal.config, a.key.Namespace = a.connection.config, a.connection.namespace
	return nil
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
	tried := newAttempt(token, a.connection.events(ctx, token))
	if err := a.show(ctx, tried.link); err != nil {
		return err
	}
	err = a.awaitOutcome(ctx, token, tried)
	if a.forwards {
		a.pause(ctx, lastPage)
	}
	return err
}

// pause waits for a while, unless the context ends.
func pause(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
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
		a.forwards = true
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
