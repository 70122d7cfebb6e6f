package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tokensync.dev/tokensync/internal/kubetest"
)

// TestTheSecurityPagesTestsExist keeps the table of threats from naming tests that are gone.
func TestTheSecurityPagesTestsExist(t *testing.T) {
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
	names := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(page), -1)
	if len(names) < 15 {
		t.Fatalf("only %d tests are named", len(names))
	}
	for _, name := range names {
		if !strings.Contains(tests.String(), "\nfunc "+name[1]+"(") {
			t.Errorf("docs/security.md names %s, which no file has", name[1])
		}
	}
}
