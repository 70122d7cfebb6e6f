package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// selection is which OAuthTokens a verb is about.
type selection struct {
	names         []string
	selector      string
	all           bool
	allNamespaces bool
}

// addFlags adds the flags by which OAuthTokens are selected to change them.
func (s *selection) addFlags(flags *pflag.FlagSet) {
	s.addListFlags(flags)
	flags.BoolVar(&s.all, "all", false, "all OAuthTokens of the namespace")
}

// addListFlags adds those by which they are selected to look at them.
func (s *selection) addListFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&s.selector, "selector", "l", "", "select by labels, such as -l team=shop,tier!=test")
	flags.BoolVarP(&s.allNamespaces, "all-namespaces", "A", false, "in all namespaces")
}

// check refuses what could change more or other objects than was meant.
func (s *selection) check() error {
	ways := 0
	for _, used := range []bool{len(s.names) > 0, s.selector != "", s.all} {
		if used {
			ways++
		}
	}
	switch {
	case ways == 0:
		return errors.New("which OAuthTokens? Name them, or select them with -l or --all")
	case ways > 1:
		return errors.New("names, -l and --all exclude each other: keep one")
	case len(s.names) > 0 && s.allNamespaces:
		return errors.New("a name is looked for in one namespace: use -n, or select with -l or --all")
	}
	return nil
}

// options are those of a list.
func (s *selection) options(c *connection) ([]client.ListOption, error) {
	parsed, err := labels.Parse(s.selector)
	if err != nil {
		return nil, fmt.Errorf("-l %q: %w", s.selector, err)
	}
	options := []client.ListOption{client.MatchingLabelsSelector{Selector: parsed}}
	if !s.allNamespaces {
		options = append(options, client.InNamespace(c.namespace))
	}
	return options, nil
}

// find reads the OAuthTokens selected. A name that does not exist is an error; a selection that matches nothing is not, as with kubectl.
func (s *selection) find(ctx context.Context, c *connection) ([]v1alpha1.OAuthToken, error) {
	if len(s.names) == 0 {
		return s.list(ctx, c)
	}
	var found []v1alpha1.OAuthToken
	for _, name := range slices.Compact(slices.Sorted(slices.Values(s.names))) {
		token, err := c.find(ctx, name)
		if err != nil {
			return nil, err
		}
		found = append(found, *token)
	}
	return found, nil
}

func (s *selection) list(ctx context.Context, c *connection) ([]v1alpha1.OAuthToken, error) {
	options, err := s.options(c)
	if err != nil {
		return nil, err
	}
	var found v1alpha1.OAuthTokenList
	if err := c.List(ctx, &found, options...); err != nil {
		return nil, err
	}
	return found.Items, nil
}

// sayNone tells that nothing matches, in kubectl's words.
func (s *selection) sayNone(c *connection, out io.Writer) {
	if s.allNamespaces {
		_, _ = fmt.Fprintln(out, "No OAuthTokens found.")
		return
	}
	_, _ = fmt.Fprintf(out, "No OAuthTokens found in namespace %s.\n", c.namespace)
}

// shown is how an OAuthToken is called in what is said.
func (s *selection) shown(token *v1alpha1.OAuthToken) string {
	if s.allNamespaces {
		return token.Namespace + "/" + token.Name
	}
	return token.Name
}

// without is a list without some of its entries.
func without(names, some []string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(some, name) })
}
