package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tokensync.dev/tokensync/internal/kubetest"
	"tokensync.dev/tokensync/internal/oauth"
)

// TestEachVendorHasItsPage compares pages and catalogue: grants, parameters with their values, and where the facts come from.
func TestEachVendorHasItsPage(t *testing.T) {
	catalogue, err := oauth.LoadCatalogue("")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range catalogue.Names() {
		vendor, _ := catalogue.Vendor(name)
		content, err := os.ReadFile(filepath.Join(kubetest.Root(), "docs", "vendors", name+".md"))
		if err != nil {
			t.Error(err)
			continue
		}
		facts := []string{"`" + name + "`", vendor.Documentation}
		for grant := range vendor.Grants {
			facts = append(facts, "`"+string(grant)+"`")
		}
		for parameter, declared := range vendor.Parameters {
			facts = append(facts, "`"+parameter+"`")
			for _, value := range declared.Values {
				facts = append(facts, "`"+value.Value+"`")
				for _, alias := range value.Aliases {
					facts = append(facts, "`"+alias+"`")
				}
			}
		}
		for _, fact := range facts {
			if !strings.Contains(string(content), fact) {
				t.Errorf("docs/vendors/%s.md does not tell of %s", name, fact)
			}
		}
	}
}
