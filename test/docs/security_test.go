package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tokensync.dev/tokensync/internal/kubetest"
)

// TestEachThreatHasATest has each threat name a test that shows the protection, and no test that is gone.
func TestEachThreatHasATest(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(kubetest.Root(), "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for file := range project(t) {
		if strings.HasSuffix(file, "_test.go") {
			content, err := os.ReadFile(filepath.Join(kubetest.Root(), file))
			if err != nil {
				t.Fatal(err)
			}
			tests.Write(content)
		}
	}
	for _, threat := range threats(t, string(page)) {
		names := testName.FindAllStringSubmatch(threat, -1)
		if len(names) == 0 {
			t.Errorf("nothing shows the protection from this threat: %s", threat)
		}
		for _, name := range names {
			if !strings.Contains(tests.String(), "\nfunc "+name[1]+"(") {
				t.Errorf("docs/security.md names %s, which no file has", name[1])
			}
		}
	}
}

var testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")

// threats are the rows of the page's table.
func threats(t *testing.T, page string) []string {
	t.Helper()
	_, table, _ := strings.Cut(page, "\n## Threats\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var rows []string
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| somebody") {
			rows = append(rows, line)
		}
	}
	if len(rows) < 30 {
		t.Fatalf("only %d threats are found", len(rows))
	}
	return rows
}
