// Package observability_test lets a real Prometheus scrape the real manager through the lives of some OAuthTokens, and asks it every query
// of the dashboard and of the alerts. It needs Debian's package prometheus.
package observability_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

func TestWhatDashboardAndAlertsAskForIsThere(t *testing.T) {
	metrics := harness.FreeAddress(t)
	w := harness.NewWorld(t, nil, "--metrics-bind-address="+metrics, "--metrics-authorization=true")
	token := metricsToken(w)
	manager := w.Join()
	manager.Start()
	p := startPrometheus(t, metrics, token)
	live(w, p)

	for title, expression := range dashboardQueries(t) {
		t.Run("dashboard/"+title, func(t *testing.T) { p.gives(t, expression) })
	}
	for selector := range alertSelectors(t) {
		t.Run("alerts/"+selector, func(t *testing.T) { p.gives(t, selector) })
	}
	t.Run("every rule is healthy", func(t *testing.T) { rulesAreHealthy(t, p) })
	t.Run("what fires says what is the matter", func(t *testing.T) { alertsAreLegible(t, p) })
	t.Run("promtool finds no fault in the metrics", func(t *testing.T) { promtoolAgrees(t, metrics, token) })
	t.Run("series of a deleted OAuthToken go", func(t *testing.T) { deletedGoes(t, w, p) })
}

// live makes one OAuthToken for each thing that can be seen.
func live(w *harness.World, p *prometheus) {
	w.TB.Helper()
	thirtyDays := v1alpha1.Duration("720h")
	machine := func(o *v1alpha1.OAuthToken) {
		o.Spec.GrantType, o.Spec.Scopes, o.Spec.Endpoints.AuthorizationURL = v1alpha1.GrantClientCredentials, []v1alpha1.Scope{"orders"}, ""
	}
	w.Create("consented", func(o *v1alpha1.OAuthToken) {
		o.Spec.Renewal = &v1alpha1.Renewal{RefreshTokenLifetime: &thirtyDays}
	})
	w.Authorize("consented")
	w.Create("denied")
	if err := w.Deny(w.Link("denied")); err != nil {
		w.TB.Fatal(err)
	}
	w.Create("asked")
	w.Link("asked")
	w.Create("suspended", machine, func(o *v1alpha1.OAuthToken) { o.Spec.Suspend = true })
	w.Create("machine", machine)
	w.AwaitToken("machine")
	secretEnds(w, "machine-client", time.Now().AddDate(0, 0, 10))
	p.awaits(w.TB, "tokensync_token_requests_total")
	for i := range 3 {
		before := w.Served("machine")
		w.Renew("machine", fmt.Sprint(i))
		harness.Eventually(w.TB, func() string {
			if w.Served("machine") == before {
				return "no renewal"
			}
			return ""
		})
	}
	w.Vendor.Strike(func(r *http.Request) *harness.Stroke {
		switch r.URL.Query().Get("name") {
		case "away":
			return &harness.Stroke{Instead: &harness.Answer{Status: http.StatusBadGateway, Body: "<html>out of order</html>"}}
		case "limited", "machine":
			return &harness.Stroke{Instead: &harness.Answer{Status: http.StatusTooManyRequests, Body: `{"error":"slow_down"}`}}
		}
		return nil
	})
	w.Create("away", machine)
	p.awaits(w.TB, `tokensync_token_problem{name="away", reason="VendorUnavailable"}`)
	w.Create("limited", machine)
	p.awaits(w.TB, `tokensync_token_problem{name="limited", reason="RateLimited"}`)
	w.Renew("machine", "fails")
	p.awaits(w.TB, `tokensync_token_problem{name="machine"} and on (name) tokensync_token_ready == 1`)
}

// secretEnds says of a credentials Secret when its client secret ends.
func secretEnds(w *harness.World, name string, at time.Time) {
	w.TB.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: name}}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.ClientSecretExpiresAtAnnotation, at.UTC().Format(time.RFC3339))
	if err := w.Client.Patch(context.Background(), secret, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		w.TB.Fatal(err)
	}
}

// awaits waits until a query gives something.
func (p *prometheus) awaits(tb testing.TB, expression string) {
	tb.Helper()
	harness.Eventually(tb, func() string {
		samples, err := p.query(expression)
		if err != nil {
			return err.Error()
		}
		if len(samples) == 0 {
			return "nothing comes of " + expression
		}
		return ""
	})
}

// gives is awaits for a query whose data must have been scraped by now; a scrape or two may be missing yet.
func (p *prometheus) gives(t *testing.T, expression string) {
	t.Helper()
	if _, err := p.query(expression); err != nil && !strings.Contains(err.Error(), "connect") {
		t.Fatalf("%s: %v", expression, err)
	}
	p.awaits(t, expression)
}

// labelValues is the query of a variable: the series, and the label whose values can be chosen.
var labelValues = regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)

// dashboardQueries are those of all panels, with all namespaces and vendors chosen, and those of the variables. What a panel shows where
// nothing comes of its query is left out.
func dashboardQueries(t *testing.T) map[string]string {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				RefID string `json:"refId"`
				Expr  string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
		Templating struct {
			List []struct {
				Name       string          `json:"name"`
				Type       string          `json:"type"`
				Query      json.RawMessage `json:"query"`
				Definition string          `json:"definition"`
			} `json:"list"`
		} `json:"templating"`
	}
	if err := json.Unmarshal(manifest(t, "dashboard.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	chosen := strings.NewReplacer("$namespace", ".*", "$vendor", ".*", "$__rate_interval", "5m")
	queries := map[string]string{}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries[panel.Title+" "+target.RefID] = strings.TrimSuffix(chosen.Replace(target.Expr), " or vector(0)")
		}
	}
	for _, variable := range dashboard.Templating.List {
		if variable.Type != "query" {
			continue
		}
		var asked struct {
			Query string `json:"query"`
		}
		if err := json.Unmarshal(variable.Query, &asked); err != nil || asked.Query != variable.Definition {
			t.Errorf("variable %s asks %q, and shows %q: %v", variable.Name, asked.Query, variable.Definition, err)
		}
		parts := labelValues.FindStringSubmatch(asked.Query)
		if parts == nil {
			t.Fatalf("variable %s asks %q", variable.Name, asked.Query)
		}
		queries["variable "+variable.Name] = parts[1] + "{" + parts[2] + `!=""}`
	}
	if len(queries) < 20 {
		t.Fatalf("%d queries are all", len(queries))
	}
	return queries
}

// selector is a vector selector of ours in PromQL.
var selector = regexp.MustCompile(`\b(?:tokensync|workqueue|controller_runtime|leader_election)_\w+(?:\{[^}]*\})?`)

// alertSelectors are what the alerts look at.
func alertSelectors(t *testing.T) map[string]bool {
	t.Helper()
	var object struct {
		Spec struct {
			Groups []struct {
				Rules []struct {
					Expr string `json:"expr"`
				} `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(manifest(t, "rules.yaml"), &object); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, group := range object.Spec.Groups {
		for _, rule := range group.Rules {
			for _, s := range selector.FindAllString(rule.Expr, -1) {
				found[s] = true
			}
		}
	}
	if len(found) < 10 {
		t.Fatalf("%d selectors are all", len(found))
	}
	return found
}

func rulesAreHealthy(t *testing.T, p *prometheus) {
	t.Helper()
	var data struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string } `json:"rules"`
		} `json:"groups"`
	}
	if err := p.get("/api/v1/rules", &data); err != nil || len(data.Groups) == 0 {
		t.Fatalf("%d groups, %v", len(data.Groups), err)
	}
	for _, group := range data.Groups {
		for _, rule := range group.Rules {
			if rule.Health != "ok" {
				t.Errorf("%s: %s %s", rule.Name, rule.Health, rule.LastError)
			}
		}
	}
}

// alertsAreLegible looks at what pends by now: the client secret ends in ten days, somebody must authorize, and others have no token.
func alertsAreLegible(t *testing.T, p *prometheus) {
	t.Helper()
	var data struct {
		Alerts []struct {
			Labels, Annotations map[string]string
		} `json:"alerts"`
	}
	if err := p.get("/api/v1/alerts", &data); err != nil {
		t.Fatal(err)
	}
	begun := map[string]bool{}
	for _, alert := range data.Alerts {
		begun[alert.Labels["alertname"]+" "+alert.Labels["name"]] = true
		for name, text := range alert.Annotations {
			if strings.Contains(text, "{{") || strings.Contains(text, "<no value>") || strings.Contains(text, "error") && name != "description" {
				t.Errorf("%s: %s is %q", alert.Labels["alertname"], name, text)
			}
		}
	}
	for _, want := range []string{
		"TokensyncClientSecretExpiresSoon machine", "TokensyncAuthorizationRequired asked", "TokensyncTokenNotReady away", "TokensyncRateLimited ",
	} {
		if !begun[want] {
			t.Errorf("%q has not begun: %v", want, begun)
		}
	}
	if begun["TokensyncTokenNotReady suspended"] || begun["TokensyncTokenNotReady asked"] || begun["TokensyncManagerAbsent "] {
		t.Errorf("an alert has begun that should not: %v", begun)
	}
}

// promtoolAgrees runs promtool's linter over a scrape. Only what others' libraries name is excused.
func promtoolAgrees(t *testing.T, metrics, token string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "bash", "-o", "pipefail", "-c", `curl -sSkf -H "Authorization: Bearer $TOKEN" "https://$METRICS/metrics" | promtool check metrics`)
	command.Env = append(command.Environ(), "TOKEN="+token, "METRICS="+metrics)
	output, err := command.CombinedOutput()
	for line := range strings.Lines(string(output)) {
		if strings.Contains(line, "tokensync_") {
			t.Error(line)
		}
	}
	if err != nil {
		t.Logf("of other libraries, promtool says (%v):\n%s", err, output)
	}
}

func deletedGoes(t *testing.T, w *harness.World, p *prometheus) {
	t.Helper()
	p.gives(t, `{__name__=~"tokensync_.+", name="consented"}`)
	if err := w.Client.Delete(t.Context(), w.Token("consented")); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, func() string {
		if left, err := p.query(`{__name__=~"tokensync_.+", name="consented"}`); err != nil || len(left) > 0 {
			return fmt.Sprintf("left: %v %v", left, err)
		}
		return ""
	})
}
