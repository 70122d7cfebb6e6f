package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tokensync.dev/tokensync/internal/kubetest"
)

// TestMakeFaultsRunsWhatThePageNames compares the tests of internal/controller that `make faults` runs with those that the section Faults of
// docs/testing.md names.
func TestMakeFaultsRunsWhatThePageNames(t *testing.T) {
	read := func(path ...string) string {
		content, err := os.ReadFile(filepath.Join(append([]string{kubetest.Root()}, path...)...))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	_, list, _ := strings.Cut(read("Makefile"), "\nFAULTS := ")
	list, _, _ = strings.Cut(list, "\n\n")
	run := strings.Fields(strings.ReplaceAll(list, "\\\n", " "))
	_, section, _ := strings.Cut(read("docs", "testing.md"), "\n## Faults\n")
	section, _, _ = strings.Cut(section, "\n## ")
	ofPackage := testsOf(t, "internal/controller")
	var named []string
	for _, name := range testName.FindAllStringSubmatch(section, -1) {
		if ofPackage[name[1]] {
			named = append(named, name[1])
		}
	}
	if diff := cmp.Diff(named, run); diff != "" {
		t.Errorf("the tests that docs/testing.md names, and those of the Makefile's FAULTS that run (-page +Makefile):\n%s", diff)
	}
	if len(run) < 20 {
		t.Errorf("only %d tests are found", len(run))
	}
}

var testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// testsOf are the tests of a package.
func testsOf(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(kubetest.Root(), folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, function := range testFunction.FindAllStringSubmatch(string(content), -1) {
			tests[function[1]] = true
		}
	}
	return tests
}
