package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml"

	"tokensync.dev/tokensync/internal/oauth"
)

// vendorsVerb is one run of the verb.
type vendorsVerb struct {
	session

	vendorsDir, output string
}

func newVendorsCommand(s session) *cobra.Command {
	v := &vendorsVerb{session: s}
	command := &cobra.Command{
		Use: "vendors", Args: cobra.NoArgs, Short: "List the vendors of the catalogue",
		Long:              "List the vendors that this version knows, with the grants that each serves; the preferred one, which spec.grantType may leave out, has a *.",
		Example:           "  kubectl tokensync vendors\n  kubectl tokensync vendors --vendors-dir ./vendors -o json",
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              v.run,
	}
	addVendorsDir(command.Flags(), &v.vendorsDir)
	command.Flags().StringVarP(&v.output, "output", "o", "", "how to print: json, yaml or name")
	return command
}

func (v *vendorsVerb) run(*cobra.Command, []string) error {
	catalogue, err := oauth.LoadCatalogue(v.vendorsDir)
	if err != nil {
		return err
	}
	entries := entriesOf(catalogue)
	var text []byte
	switch v.output {
	case "":
		return v.table(entries)
	case "name":
		text = []byte(strings.Join(catalogue.Names(), "\n"))
	case "json":
		text, err = json.MarshalIndent(entries, "", "    ")
	case "yaml":
		text, err = yaml.Marshal(entries)
	default:
		err = fmt.Errorf("-o %q: use json, yaml or name", v.output)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(v.Out, strings.TrimRight(string(text), "\n"))
	return err
}

func entriesOf(catalogue *oauth.Catalogue) []*oauth.Vendor {
	var entries []*oauth.Vendor
	for _, name := range catalogue.Names() {
		if entry, ok := catalogue.Vendor(name); ok {
			entries = append(entries, entry)
		}
	}
	return entries
}

func (v *vendorsVerb) table(entries []*oauth.Vendor) error {
	rows := printers.GetNewTabWriter(v.Out)
	_, _ = fmt.Fprintln(rows, "NAME\tTITLE\tGRANTS\tDOCUMENTATION")
	for _, entry := range entries {
		var grants []string
		for _, grant := range grantsOf(entry) {
			name := string(grant)
			if entry.Grants[grant].Preferred || len(entry.Grants) == 1 {
				name += "*"
			}
			grants = append(grants, name)
		}
		_, _ = fmt.Fprintf(rows, "%s\t%s\t%s\t%s\n", entry.Name, oneLine(entry.Title), strings.Join(grants, ","), entry.Documentation)
	}
	return rows.Flush()
}

// grantsOf are the grants of an entry, sorted.
func grantsOf(entry *oauth.Vendor) []oauth.GrantType { return slices.Sorted(maps.Keys(entry.Grants)) }
