// Package alerts tests the alerts of config/prometheus/rules.yaml with promtool, which Debian's package prometheus brings: the YAML files
// here are stories of series, and say which alerts fire when.
package alerts

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"tokensync.dev/tokensync/internal/kubetest"
)

// rule is one of a PrometheusRule's.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// read gives the rules, and the groups as Prometheus itself reads them.
func read(t *testing.T) (rules []rule, plain []byte) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(kubetest.Root(), "config", "prometheus", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var object struct {
		Spec map[string]any `json:"spec"`
	}
	if err := yaml.Unmarshal(content, &object); err != nil {
		t.Fatal(err)
	}
	if plain, err = yaml.Marshal(object.Spec); err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Groups []struct {
			Rules []rule `json:"rules"`
		} `json:"groups"`
	}
	if err := yaml.Unmarshal(plain, &spec); err != nil {
		t.Fatal(err)
	}
	for _, group := range spec.Groups {
		rules = append(rules, group.Rules...)
	}
	if len(rules) == 0 {
		t.Fatal("there are no rules")
	}
	return rules, plain
}

// promtool runs it in a folder with the rules as rules.yaml.
func promtool(t *testing.T, folder string, arguments ...string) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is missing: apt-get install prometheus")
	}
	command := exec.CommandContext(t.Context(), program, arguments...)
	command.Dir = folder
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
}

func TestAlertsFireWhenTheyShouldAndOnlyThen(t *testing.T) {
	_, plain := read(t)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "rules.yaml"), plain, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, folder, "check", "rules", "rules.yaml")
	for name, content := range stories(t) {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { promtool(t, folder, "test", "rules", name) })
	}
}

// stories are the files with unit tests.
func stories(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	found := map[string][]byte{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found[file] = content
	}
	return found
}

func TestEachAlertIsToldOfAndTested(t *testing.T) {
	rules, _ := read(t)
	page, err := os.ReadFile(filepath.Join(kubetest.Root(), "docs", "alerts.md"))
	if err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	for _, content := range stories(t) {
		told.Write(content)
	}
	for _, r := range rules {
		t.Run(r.Alert+"/"+r.Labels["severity"], func(t *testing.T) {
			if !regexp.MustCompile(`^(critical|warning)$`).MatchString(r.Labels["severity"]) {
				t.Errorf("severity is %q", r.Labels["severity"])
			}
			for _, name := range []string{"summary", "description"} {
				if text := r.Annotations[name]; !strings.HasSuffix(text, ".") && !strings.Contains(text, "kubectl") {
					t.Errorf("%s is %q", name, text)
				}
			}
			if want := "https://tokensync.dev/docs/alerts#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
				t.Errorf("runbook_url is %q, want %q", r.Annotations["runbook_url"], want)
			}
			if !strings.Contains(string(page), "\n### "+r.Alert+"\n") {
				t.Error("docs/alerts.md has no section for it")
			}
			if fires := `ALERTS{alertname="` + r.Alert + `", alertstate="firing", severity="` + r.Labels["severity"] + `"`; !strings.Contains(told.String(), fires) {
				t.Error("no story lets it fire")
			}
		})
	}
}

// TestThePageTurnsToTheOtherLabel runs the commands of docs/alerts.md for platforms where the label is exported_namespace, and looks for what would
// still show the namespace of an OAuthToken under its old name.
func TestThePageTurnsToTheOtherLabel(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(kubetest.Root(), "docs", "alerts.md"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.CopyFS(filepath.Join(folder, "config", "prometheus"), os.DirFS(filepath.Join(kubetest.Root(), "config", "prometheus"))); err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile(`(?m)^ +(sed -i .*)$`).FindAllStringSubmatch(string(page), -1)
	if len(commands) != 2 {
		t.Fatalf("the page has %d commands, want 2", len(commands))
	}
	for _, command := range commands {
		run := exec.CommandContext(t.Context(), "bash", "-c", command[1])
		run.Dir = folder
		if out, err := run.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", command[1], err, out)
		}
	}
	content, err := os.ReadFile(filepath.Join(folder, "config", "prometheus", "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title           string
			Targets         []struct{ Expr, LegendFormat string }
			Transformations []struct {
				Options struct{ RenameByName map[string]string }
			}
		}
	}
	if err := yaml.Unmarshal(content, &dashboard); err != nil {
		t.Fatal(err)
	}
	turned := 0
	for _, panel := range dashboard.Panels {
		ofTokens := false
		for _, target := range panel.Targets {
			of := strings.Contains(target.Expr, "(exported_namespace, name")
			if of && strings.Contains(target.LegendFormat, "{{namespace}}") {
				t.Errorf("panel %q: the legend is %s", panel.Title, target.LegendFormat)
			}
			ofTokens = ofTokens || of
		}
		for _, transformation := range panel.Transformations {
			if ofTokens && transformation.Options.RenameByName["namespace"] != "" {
				t.Errorf("panel %q: the column of namespaces is renamed from the label namespace", panel.Title)
			}
		}
		if ofTokens {
			turned++
		}
	}
	if turned == 0 {
		t.Error("no panel has the other label")
	}
	rules, err := os.ReadFile(filepath.Join(folder, "config", "prometheus", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(rules), "(namespace, name") {
		t.Error("a rule joins by the label namespace")
	}
	for _, of := range regexp.MustCompile(`.*\$labels\.namespace.*\$labels\.name\b.*`).FindAllString(string(rules), -1) {
		t.Errorf("a rule says %s", strings.TrimSpace(of))
	}
}
