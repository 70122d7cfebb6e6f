package observability_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"tokensync.dev/tokensync/internal/kubetest"
	"tokensync.dev/tokensync/test/harness"
)

// scraping is how docs/alerts.md lets a plain Prometheus scrape, but for how the manager is found.
const scraping = `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yaml]
scrape_configs:
  - job_name: tokensync
    scheme: https
    honor_labels: true
    authorization: {credentials_file: token}
    tls_config: {insecure_skip_verify: true}
    static_configs: [{targets: [%q], labels: {namespace: tokensync-system, pod: manager}}]
`

// prometheus is a running one.
type prometheus struct {
	t   *testing.T
	url string
}

// startPrometheus runs a Prometheus with our rules that scrapes a manager.
func startPrometheus(t *testing.T, manager, token string) *prometheus {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal("prometheus is missing: apt-get install prometheus")
	}
	folder, address := t.TempDir(), harness.FreeAddress(t)
	var rules struct {
		Spec map[string]any `json:"spec"`
	}
	if err := yaml.Unmarshal(manifest(t, "rules.yaml"), &rules); err != nil {
		t.Fatal(err)
	}
	plain, err := yaml.Marshal(rules.Spec)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"rules.yaml": string(plain), "token": token, "prometheus.yaml": fmt.Sprintf(scraping, manager)} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), program, "--config.file=prometheus.yaml", "--storage.tsdb.path=data", "--web.listen-address="+address)
	command.Dir = folder
	log := &lines{}
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Logf("Prometheus logged:\n%s", log.text())
		}
	})
	return &prometheus{t: t, url: "http://" + address}
}

// manifest reads a file of config/prometheus.
func manifest(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(kubetest.Root(), "config", "prometheus", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// get asks the HTTP API.
func (p *prometheus) get(path string, into any) error {
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+path, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer := struct {
		Error string `json:"error"`
		Data  any    `json:"data"`
	}{Data: into}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return fmt.Errorf("%s", answer.Error)
	}
	return nil
}

// sample is one element of a query's result.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

func (p *prometheus) query(expression string) ([]sample, error) {
	var data struct {
		Result []sample `json:"result"`
	}
	err := p.get("/api/v1/query?query="+url.QueryEscape(expression), &data)
	return data.Result, err
}

// metricsToken makes a ServiceAccount that may read metrics by the ClusterRole that is shipped for that, and returns its token.
func metricsToken(w *harness.World) string {
	w.TB.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "prometheus", Namespace: w.Namespace}}
	const reader = "tokensync-metrics-reader"
	objects := []client.Object{account}
	for _, object := range kubetest.Kustomize(w.TB, "default") {
		if object.GetKind() == "ClusterRole" && object.GetName() == reader {
			objects = append(objects, object)
		}
	}
	objects = append(objects, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: reader}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: reader},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account.Name, Namespace: account.Namespace}},
	})
	for _, object := range objects {
		if err := w.Client.Create(context.Background(), object); err != nil {
			w.TB.Fatal(err)
		}
	}
	request := &authenticationv1.TokenRequest{}
	if err := w.Client.SubResource("token").Create(context.Background(), account, request); err != nil {
		w.TB.Fatal(err)
	}
	return request.Status.Token
}
