package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// fieldManager is who writes, as managedFields tell: not the operator, and not what delivers manifests.
const fieldManager = "kubectl-tokensync"

// cluster is where the plugin works, as kubectl's flags and configuration say.
type cluster struct {
	flags    *genericclioptions.ConfigFlags
	warnings io.Writer // of the API server
}

// session is a run of the plugin: who asks, where, and when.
type session struct {
	genericiooptions.IOStreams

	cluster cluster
	now     func() time.Time
}

// say tells the person something.
func (s session) say(format string, values ...any) {
	_, _ = fmt.Fprintln(s.Out, plain(fmt.Sprintf(format, values...)))
}

// connection is a cluster and the namespace to work in.
type connection struct {
	client.WithWatch

	config    *rest.Config
	namespace string
}

func (c cluster) connect() (*connection, error) {
	config, err := c.flags.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	config.WarningHandler = rest.NewWarningWriter(c.warnings, rest.WarningWriterOptions{Deduplicate: true})
	namespace, _, err := c.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, err
	}
	connected, err := newClient(config)
	return &connection{WithWatch: connected, config: config, namespace: namespace}, err
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

func newClient(config *rest.Config) (client.WithWatch, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	return client.NewWithWatch(config, client.Options{Scheme: scheme, FieldOwner: fieldManager})
}

// find reads an OAuthToken by listing, as it is watched too, so that what the API server has against that is told at once.
func (c *connection) find(ctx context.Context, name string) (*v1alpha1.OAuthToken, error) {
	var found v1alpha1.OAuthTokenList
	err := c.List(ctx, &found, client.InNamespace(c.namespace), itself(name))
	switch {
	case err != nil:
		return nil, err
	case len(found.Items) == 0:
		return nil, fmt.Errorf("there is no OAuthToken %s in namespace %s: `kubectl get oauthtokens -A` lists them", name, c.namespace)
	}
	return &found.Items[0], nil
}

// sameName is an empty OAuthToken to read an answer into: what the answer leaves out would stay in one that was read before.
func sameName(token *v1alpha1.OAuthToken) *v1alpha1.OAuthToken {
	return &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Namespace: token.Namespace, Name: token.Name}}
}

// itself matches one object by its name.
func itself(name string) client.MatchingFields {
	return client.MatchingFields{metav1.ObjectNameField: name}
}

// complete offers the names of OAuthTokens that do not stand on the command line yet, at most as many as the verb takes (0: any number).
func (c cluster) complete(most int) cobra.CompletionFunc {
	return func(command *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
		if most > 0 && len(given) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		connected, err := c.connect()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var tokens v1alpha1.OAuthTokenList
		if connected.List(command.Context(), &tokens, client.InNamespace(connected.namespace)) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for i := range tokens.Items {
			names = append(names, tokens.Items[i].Name)
		}
		return beginning(without(names, given), begun), cobra.ShellCompDirectiveNoFileComp
	}
}

// beginning are the names that begin so. Not every shell chooses by itself.
func beginning(names []string, begun string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, begun) })
}
