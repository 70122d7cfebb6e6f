package charts_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// flagValues are for each flag of the manager values that set it, and the argument that they become.
var flagValues = map[string]struct{ values, want string }{
	"allow-loopback":            {"allowLoopback: true", "--allow-loopback"},
	"allowed-hosts":             {"allowedHosts: [a.example.com, '*.example.net:8443']", "--allowed-hosts=a.example.com,*.example.net:8443"},
	"enable-implicit":           {"enableImplicit: true", "--enable-implicit"},
	"health-probe-bind-address": {"health: {port: 9081}", "--health-probe-bind-address=:9081"},
	"insecure-http-hosts":       {"insecureHTTPHosts: ['a.test:8080']", "--insecure-http-hosts=a.test:8080"},
	"kube-api-burst":            {"kubeAPI: {burst: 3000000}", "--kube-api-burst=3000000"},
	"kube-api-qps":              {"kubeAPI: {qps: 0.5}", "--kube-api-qps=0.5"},
	"leader-elect":              {"{leaderElection: false, replicas: 1}", "--leader-elect=false"},
	"max-concurrent-reconciles": {"maxConcurrentReconciles: 7", "--max-concurrent-reconciles=7"},
	"metrics-authorization":     {"metrics: {authorization: false}", "--metrics-authorization=false"},
	"metrics-bind-address":      {"metrics: {enabled: false}", "--metrics-bind-address=0"},
	"namespaces":                {"namespaces: [a, b]", "--namespaces=a,b"},
	"portal-bind-address":       {"portal: {enabled: true, url: 'https://a.example.com', port: 9082}", "--portal-bind-address=:9082"},
	"portal-url":                {"portal: {enabled: true, url: 'https://a.example.com/b'}", "--portal-url=https://a.example.com/b"},
	"vendors-dir":               {"vendors: {a: {title: A, clientAuthentication: None, grants: {}}}", "--vendors-dir=/etc/tokensync/vendors"},
	"zap-devel":                 {"logging: {development: true}", "--zap-devel"},
	"zap-encoder":               {"logging: {encoder: console}", "--zap-encoder=console"},
	"zap-log-level":             {"logging: {level: 3}", "--zap-log-level=3"},
	"zap-stacktrace-level":      {"logging: {stacktraceLevel: panic}", "--zap-stacktrace-level=panic"},
	"zap-time-encoding":         {"logging: {timeEncoding: millis}", "--zap-time-encoding=millis"},
}

// withoutValue are the flags that no Deployment needs.
var withoutValue = []string{
	"kubeconfig", // for a manager outside of the cluster
	"version",    // prints and ends
}

// The manager itself is asked which flags it has: one that the chart can't set fails, as does one that the manager no longer has.
func TestEveryFlagHasAValue(t *testing.T) {
	run := manager(t)
	help, err := run(t.Context(), "--help")
	if err != nil {
		t.Fatalf("%v\n%s", err, help)
	}
	flags := regexp.MustCompile(`(?m)^  -([a-z-]+)`).FindAllStringSubmatch(help, -1)
	var has []string
	for _, flag := range flags {
		if !slices.Contains(withoutValue, flag[1]) {
			has = append(has, flag[1])
		}
	}
	covered := make([]string, 0, len(flagValues))
	for flag := range flagValues {
		covered = append(covered, flag)
	}
	slices.Sort(covered)
	if diff := cmp.Diff(has, covered); diff != "" {
		t.Errorf("the manager's flags and those that have values differ (-manager +chart):\n%s", diff)
	}
	t.Run("a comment in values.yaml names each flag, and the default that it has where the value is empty", func(t *testing.T) {
		checkComments(t, help)
	})
	plain := arguments(t, mustTemplate(t, ""))
	for flag, c := range flagValues {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			if slices.Contains(plain, c.want) {
				t.Fatalf("%v have it without a value, so this test says nothing", plain)
			}
			rendered := arguments(t, mustTemplate(t, c.values))
			if !slices.Contains(rendered, c.want) {
				t.Errorf("arguments %q lack %q", rendered, c.want)
			}
			// An unknown flag or a wrong value fails before --help is reached.
			if printed, err := run(t.Context(), append(rendered, "--help")...); err != nil {
				t.Errorf("the manager refuses %q: %v\n%s", rendered, err, printed)
			}
		})
	}
}

// What no value can say, a further argument says: it comes last, and so it counts.
func TestFurtherArguments(t *testing.T) {
	rendered := arguments(t, mustTemplate(t, `{portal: {enabled: true, url: 'https://a.example.com'},
extraArgs: [--metrics-bind-address=127.0.0.1:8443, '--portal-bind-address=[::1]:8082', --allowed-hosts=a.example.com, --vendors-dir=/vendors]}`))
	want := []string{"--metrics-bind-address=127.0.0.1:8443", "--portal-bind-address=[::1]:8082", "--allowed-hosts=a.example.com", "--vendors-dir=/vendors"}
	if diff := cmp.Diff(want, rendered[len(rendered)-len(want):]); diff != "" {
		t.Errorf("the last arguments (-want +got):\n%s", diff)
	}
}

func checkComments(t *testing.T, help string) {
	t.Helper()
	values, err := os.ReadFile("tokensync/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	byDefault := map[string]string{}
	for _, found := range regexp.MustCompile(`(?m)^  -([a-z-]+).*\n.*\(default "?:?([^")]+)"?\)`).FindAllStringSubmatch(help, -1) {
		byDefault[found[1]] = found[2]
	}
	for flag := range flagValues {
		_, comment, found := strings.Cut(string(values), "# -- `--"+flag+"`: ")
		if !found {
			t.Errorf("no comment of values.yaml names --%s", flag)
			continue
		}
		about := regexp.MustCompile(`(?s)^.*?\n *[A-Za-z]+:[^\n]*`).FindString(comment) // up to the value
		standard := regexp.QuoteMeta(byDefault[flag])
		if standard == "true" {
			standard = `\bon\b|: true$`
		}
		if !regexp.MustCompile(standard).MatchString(about) {
			t.Errorf("the comment and value of --%s do not say that %s is the default:\n%s", flag, byDefault[flag], about)
		}
	}
}
