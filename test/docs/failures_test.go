package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/kubetest"
)

// TestTheFailureGuideHasASectionForEachReason reads the constants, so that a new one can't be forgotten.
func TestTheFailureGuideHasASectionForEachReason(t *testing.T) {
	guide := pages(t)["docs/failures.md"]
	if guide == nil {
		t.Fatal("there is no docs/failures.md")
	}
	good := []string{
		v1alpha1.EventTokenRenewed, v1alpha1.EventTargetRepaired, v1alpha1.EventAuthorizationCompleted, v1alpha1.EventTokenRevoked,
	}
	reasons := constants(t, "Reason", "Event")
	if len(reasons) < 30 {
		t.Fatalf("only %d reasons found: %v", len(reasons), reasons)
	}
	for _, reason := range reasons {
		_, anchor, _ := strings.Cut(v1alpha1.FailureGuide(reason), "#")
		if !slices.Contains(good, reason) && !guide.anchors[anchor] {
			t.Errorf("docs/failures.md has no section %s", reason)
		}
	}
}

// constants are the values of the API's constants whose names begin so.
func constants(t *testing.T, prefixes ...string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(kubetest.Root(), "api", "v1alpha1", "conditions.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for i, name := range spec.Names {
				if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name.Name, prefix) }) {
					value, err := strconv.Unquote(spec.Values[i].(*ast.BasicLit).Value)
					if err != nil {
						t.Fatal(err)
					}
					values = append(values, value)
				}
			}
		}
		return true
	})
	return values
}
