package gitops_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	"sigs.k8s.io/yaml"
)

// healthCheckExpressions are those of the Flux Kustomization in the documentation.
func healthCheckExpressions(tb testing.TB) (current, failed string) {
	tb.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "gitops.md"))
	if err != nil {
		tb.Fatal(err)
	}
	for _, block := range strings.Split(string(page), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		var kustomization struct {
			Spec struct {
				HealthCheckExprs []struct {
					APIVersion, Kind, Current, Failed string
				} `json:"healthCheckExprs"`
			} `json:"spec"`
		}
		if err := yaml.Unmarshal([]byte(block), &kustomization); err != nil {
			tb.Fatal(err)
		}
		for _, check := range kustomization.Spec.HealthCheckExprs {
			if check.APIVersion == "tokensync.dev/v1alpha1" && check.Kind == "OAuthToken" {
				return check.Current, check.Failed
			}
		}
	}
	tb.Fatal("docs/gitops.md has no healthCheckExprs for OAuthTokens")
	return "", ""
}

// holds evaluates an expression as Flux does: parsed and not compiled, with its libraries.
func holds(tb testing.TB, expression string, o object) bool {
	tb.Helper()
	environment, err := cel.NewEnv(cel.HomogeneousAggregateLiterals(), cel.EagerlyValidateDeclarations(true), cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true), cel.OptionalTypes(), ext.Strings(), ext.Sets(), ext.Encoders())
	if err != nil {
		tb.Fatal(err)
	}
	parsed, issues := environment.Parse(expression)
	if issues.Err() != nil {
		tb.Fatal(issues.Err())
	}
	program, err := environment.Program(parsed, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		tb.Fatal(err)
	}
	value, _, err := program.Eval(o)
	if err != nil {
		tb.Fatalf("%s: %v", expression, err)
	}
	return value.Value().(bool)
}

func TestFluxDoesNotWaitForAPersonWithTheDocumentedExpressions(t *testing.T) {
	current, failed := healthCheckExpressions(t)
	judge := func(o object) status.Status { // RFC 0009 of Flux: generation, then failed, then current
		switch {
		case o["status"].(object)["observedGeneration"] != o["metadata"].(object)["generation"]:
			return status.InProgressStatus
		case holds(t, failed, o):
			return status.FailedStatus
		case holds(t, current, o):
			return status.CurrentStatus
		}
		return status.InProgressStatus
	}
	judged := map[status.Status]int{}
	for name, o := range situations(t) {
		if o["metadata"].(object)["deletionTimestamp"] != nil || o["status"] == nil || len(o["status"].(object)) == 0 {
			continue // kstatus, or a status that the API server does not give
		}
		want, _ := kstatusOf(t, o)
		if want == status.FailedStatus && condition(o, "AuthorizationRequired") == "True" {
			want = status.CurrentStatus
		}
		got := judge(o)
		judged[got]++
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if len(judged) != 3 {
		t.Errorf("not all outcomes were seen: %v", judged)
	}
}
