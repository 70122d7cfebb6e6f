package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// wide is the output with more columns.
const wide = "wide"

// longestWhy is how much of a message a column shows, where more is not asked for.
const longestWhy = 60

// listVerb is one run of the verb.
type listVerb struct {
	session
	selection

	output    *genericclioptions.PrintFlags
	noHeaders bool
}

func newListCommand(s session) *cobra.Command {
	v := &listVerb{session: s, output: genericclioptions.NewPrintFlags("")}
	command := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Args: cobra.NoArgs, Short: "List tokens, the most urgent first: what fails and why, and what ends next",
		Example:           "  kubectl tokensync list\n  kubectl tokensync list -A -o wide\n  kubectl tokensync list -l team=shop -o json",
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              v.run,
	}
	v.addListFlags(command.Flags())
	v.output.AddFlags(command)
	command.Flags().Lookup("output").Usage = "how to print: wide, or " + strings.Join(v.output.AllowedFormats(), ", ")
	command.Flags().BoolVar(&v.noHeaders, "no-headers", false, "leave out the names of the columns")
	return command
}

func (v *listVerb) run(command *cobra.Command, _ []string) error {
	show, err := v.printer()
	if err != nil {
		return err
	}
	connected, err := v.cluster.connect()
	if err != nil {
		return err
	}
	tokens, err := v.list(command.Context(), connected)
	if err != nil {
		return err
	}
	byUrgency(tokens, v.now())
	if len(tokens) == 0 && isTable(*v.output.OutputFormat) {
		v.sayNone(connected, v.ErrOut)
		return nil
	}
	return show(tokens)
}

func isTable(format string) bool { return format == "" || format == wide }

// printer is how the list is printed: as a table, or as kubectl prints objects.
func (v *listVerb) printer() (func([]v1alpha1.OAuthToken) error, error) {
	if format := *v.output.OutputFormat; isTable(format) {
		return func(tokens []v1alpha1.OAuthToken) error {
			return table{wide: format == wide, namespaces: v.allNamespaces, noHeaders: v.noHeaders}.write(v.Out, tokens, v.now())
		}, nil
	}
	printer, err := v.output.ToPrinter()
	if err != nil {
		return nil, err
	}
	return func(tokens []v1alpha1.OAuthToken) error {
		list, err := asObjects(tokens)
		if err != nil {
			return err
		}
		return printer.PrintObj(list, v.Out)
	}, nil
}

// asObjects is a list as kubectl's printers want it: each object with its kind.
func asObjects(tokens []v1alpha1.OAuthToken) (*unstructured.UnstructuredList, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind("OAuthTokenList"))
	for i := range tokens {
		tokens[i].SetGroupVersionKind(v1alpha1.GroupVersion().WithKind("OAuthToken"))
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&tokens[i])
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, unstructured.Unstructured{Object: fields})
	}
	return list, nil
}

// table is a list for a person.
type table struct{ wide, namespaces, noHeaders bool }

func (t table) write(out io.Writer, tokens []v1alpha1.OAuthToken, now time.Time) error {
	rows := printers.GetNewTabWriter(out)
	if !t.noHeaders {
		_, _ = fmt.Fprintln(rows, strings.Join(t.header(), "\t"))
	}
	for i := range tokens {
		_, _ = fmt.Fprintln(rows, strings.Join(t.row(&tokens[i], now), "\t"))
	}
	return rows.Flush()
}

func (t table) header() []string {
	header := []string{"NAME", "STATE", "VENDOR", "EXPIRES", "RENEWAL"}
	if t.namespaces {
		header = append([]string{"NAMESPACE"}, header...)
	}
	if t.wide {
		header = append(header, "GRANT", "SECRET", "REFRESH-EXPIRES")
	}
	return append(header, "WHY")
}

func (t table) row(token *v1alpha1.OAuthToken, now time.Time) []string {
	how, status := judge(token, now), token.Status
	row := []string{token.Name, how.state(), token.Spec.Vendor, distance(now, status.ExpiresAt), distance(now, status.RenewalTime)}
	if token.Spec.Suspend {
		row[4] = "suspended"
	}
	if t.namespaces {
		row = append([]string{token.Namespace}, row...)
	}
	if t.wide {
		var refresh *metav1.Time
		if status.RefreshToken != nil {
			refresh = status.RefreshToken.ExpiresAt
		}
		row = append(row, cmp.Or(status.GrantType, "-"), cmp.Or(status.SecretName, "-"), distance(now, refresh))
	}
	return append(row, t.why(how))
}

// why is what is wrong, shortened where more is not asked for.
func (t table) why(how verdict) string {
	words := oneLine(strings.TrimPrefix(how.reason+": "+how.message, ": "))
	switch {
	case words == "":
		return "-"
	case t.wide:
		return words
	}
	return clip(words, longestWhy)
}

// distance is how far a time is away, with a minus where it is over; "-" where there is none.
func distance(now time.Time, at *metav1.Time) string {
	switch {
	case at == nil:
		return "-"
	case at.After(now):
		return duration.HumanDuration(at.Sub(now))
	}
	return "-" + duration.HumanDuration(now.Sub(at.Time))
}
