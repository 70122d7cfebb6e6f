package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"

	"tokensync.dev/tokensync/internal/oauth"
)

// explainVerb is one run of the verb.
type explainVerb struct {
	session

	vendorsDir, grant string
	example           bool
}

func newExplainCommand(s session) *cobra.Command {
	v := &explainVerb{session: s}
	command := &cobra.Command{
		Use: "explain VENDOR", Args: cobra.ExactArgs(1), Short: "Explain what a vendor needs: grants, parameters, keys of the Secret, and an example",
		Long: "Explain what the catalogue knows of a vendor, and write a manifest to start from. --example writes the manifest alone, for\n" +
			"`kubectl apply -f -`, after its placeholders were replaced.",
		Example:           "  kubectl tokensync explain genesys-cloud\n  kubectl tokensync explain abbyy-vantage --grant AuthorizationCode --example >vantage.yaml",
		ValidArgsFunction: v.complete,
		RunE:              v.run,
	}
	flags := command.Flags()
	addVendorsDir(flags, &v.vendorsDir)
	flags.StringVar(&v.grant, "grant", "", "the grant to explain; all, where it is left out, and an example of the preferred one")
	flags.BoolVar(&v.example, "example", false, "write the example manifest alone")
	_ = command.RegisterFlagCompletionFunc("grant", v.completeGrant)
	return command
}

// complete offers the vendors of the catalogue.
func (v *explainVerb) complete(_ *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
	catalogue, err := oauth.LoadCatalogue(v.vendorsDir)
	if err != nil || len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return beginning(catalogue.Names(), begun), cobra.ShellCompDirectiveNoFileComp
}

// completeGrant offers the grants of the vendor.
func (v *explainVerb) completeGrant(_ *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
	catalogue, err := oauth.LoadCatalogue(v.vendorsDir)
	if err != nil || len(given) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	vendor, ok := catalogue.Vendor(given[0])
	if !ok {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return beginning(texts(grantsOf(vendor)), begun), cobra.ShellCompDirectiveNoFileComp
}

func (v *explainVerb) run(_ *cobra.Command, names []string) error {
	catalogue, err := oauth.LoadCatalogue(v.vendorsDir)
	if err != nil {
		return err
	}
	vendor, ok := catalogue.Vendor(names[0])
	if !ok {
		return fmt.Errorf("vendor %q is not in the catalogue: use one of %s", names[0], strings.Join(catalogue.Names(), ", "))
	}
	grants := grantsOf(vendor)
	if v.grant != "" {
		if !slices.Contains(grants, oauth.GrantType(v.grant)) {
			return fmt.Errorf("vendor %s does not serve grant %q: use one of %s", vendor.Name, v.grant, strings.Join(texts(grants), ", "))
		}
		grants = []oauth.GrantType{oauth.GrantType(v.grant)}
	}
	if v.example {
		_, err = io.WriteString(v.Out, example(vendor, exampleGrant(vendor, grants)))
		return err
	}
	return explain(v.Out, catalogue, vendor, grants)
}

// exampleGrant is the preferred one of some grants, else one that needs nobody, else the first.
func exampleGrant(vendor *oauth.Vendor, grants []oauth.GrantType) oauth.GrantType {
	for _, grant := range grants {
		if vendor.Grants[grant].Preferred {
			return grant
		}
	}
	if slices.Contains(grants, oauth.ClientCredentials) {
		return oauth.ClientCredentials
	}
	return grants[0]
}

// explain writes what the catalogue knows of a vendor.
func explain(out io.Writer, catalogue *oauth.Catalogue, vendor *oauth.Vendor, grants []oauth.GrantType) error {
	_, _ = fmt.Fprintf(out, "%s (%s)\n%s\n", vendor.Title, vendor.Name, vendor.Documentation)
	explainParameters(out, vendor, grants)
	explainEndpoints(out, vendor)
	var faults []error
	for _, grant := range grants {
		faults = append(faults, explainGrant(out, catalogue, vendor, grant))
	}
	explainLifetimes(out, vendor)
	if len(vendor.FailureHints) > 0 {
		_, _ = fmt.Fprint(out, "\nKNOWN FAILURES\n")
		for _, name := range slices.Sorted(maps.Keys(vendor.FailureHints)) {
			_, _ = fmt.Fprintf(out, "  %s\n      %s\n", name, oneLine(vendor.FailureHints[name]))
		}
	}
	_, _ = fmt.Fprintf(out, "\nEXAMPLE\n%s", example(vendor, exampleGrant(vendor, grants)))
	return errors.Join(faults...)
}

func explainParameters(out io.Writer, vendor *oauth.Vendor, grants []oauth.GrantType) {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(vendor.Parameters)), func(name string) bool {
		return !slices.ContainsFunc(grants, func(g oauth.GrantType) bool { return slices.Contains(parametersOf(vendor, g), name) })
	})
	_, _ = fmt.Fprint(out, "\nPARAMETERS (spec.parameters, or keys of the credentials Secret)\n")
	switch {
	case vendor.AcceptsAnyParameter:
		_, _ = fmt.Fprint(out, "  any: all that spec.parameters holds is sent in token and refresh requests, under its own name\n")
	case len(names) == 0:
		_, _ = fmt.Fprint(out, "  none\n")
	}
	for _, name := range names {
		p := vendor.Parameters[name]
		about := []string{}
		if p.Required {
			about = append(about, "required")
		}
		if p.Default != "" {
			about = append(about, "default "+p.Default)
		}
		if len(p.Grants) > 0 {
			about = append(about, "only with "+strings.Join(texts(p.Grants), ", "))
		}
		_, _ = fmt.Fprintf(out, "  %s%s\n      %s\n", name, inBrackets(about), oneLine(p.Description))
		for _, value := range p.Values {
			_, _ = fmt.Fprintf(out, "      - %s\n", strings.TrimSpace(strings.Join(append([]string{value.Value}, value.Aliases...), " or ")+"  "+value.Description))
		}
	}
}

func explainEndpoints(out io.Writer, vendor *oauth.Vendor) {
	rows := printers.GetNewTabWriter(out)
	_, _ = fmt.Fprint(rows, "\nENDPOINTS\n")
	if vendor.Endpoints == (oauth.Endpoints{}) {
		_, _ = fmt.Fprint(rows, "  stated by you in spec.endpoints; their hosts must stand in the annotation tokensync.dev/allowed-hosts of the Secret\n")
	}
	for _, endpoint := range []struct{ name, url string }{
		{"token", vendor.Endpoints.TokenURL}, {"authorization", vendor.Endpoints.AuthorizationURL}, {"revocation", vendor.Endpoints.RevocationURL}, {"issuer", vendor.Endpoints.IssuerURL},
	} {
		if endpoint.url != "" {
			_, _ = fmt.Fprintf(rows, "  %s\t%s\n", endpoint.name, endpoint.url)
		}
	}
	_ = rows.Flush()
}

func explainLifetimes(out io.Writer, vendor *oauth.Vendor) {
	_, _ = fmt.Fprint(out, "\nLIFETIMES\n")
	life := func(name string, d oauth.Duration, unknown string) {
		words := unknown
		if d > 0 {
			words = time.Duration(d).String()
		}
		_, _ = fmt.Fprintf(out, "  %s: %s\n", name, words)
	}
	life("access token, where the answer does not tell", vendor.Lifetimes.Assumed, "not documented; 1h is assumed")
	life("refresh token, from the authorization on", vendor.Lifetimes.RefreshToken, "not documented")
	_, _ = fmt.Fprintf(out, "  refresh tokens rotate: %s\n", map[oauth.Rotation]string{oauth.RotationYes: "yes", oauth.RotationNo: "no"}[vendor.RefreshTokenRotation]+
		map[bool]string{true: "not documented; each is spent once"}[cmp.Or(vendor.RefreshTokenRotation, oauth.RotationUnknown) == oauth.RotationUnknown])
}

func inBrackets(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, "; ") + ")"
}

// parametersOf are the names of the parameters that a grant takes, sorted.
func parametersOf(vendor *oauth.Vendor, grant oauth.GrantType) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(vendor.Parameters)), func(name string) bool {
		grants := vendor.Parameters[name].Grants
		return len(grants) > 0 && !slices.Contains(grants, grant)
	})
}

// valuesOf are the values that a parameter may have.
func valuesOf(p oauth.Parameter) []string {
	var values []string
	for _, value := range p.Values {
		values = append(values, value.Value)
	}
	return values
}

// texts are names of any string type.
func texts[S ~string](names []S) []string {
	var plain []string
	for _, name := range names {
		plain = append(plain, string(name))
	}
	return plain
}
