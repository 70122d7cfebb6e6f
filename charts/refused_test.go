package charts_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"tokensync.dev/tokensync/internal/oauth"
)

// Each is refused before anything reaches the cluster, by a message that names the value.
func TestValuesThatAreRefused(t *testing.T) {
	for about, c := range map[string]struct {
		values string
		want   []string // parts of the message
	}{
		"a name that doesn't exist":                {"replica: 2", []string{"additional properties 'replica' not allowed"}},
		"a name in the wrong place":                {"image: {name: x}", []string{"at '/image'", "additional properties 'name' not allowed"}},
		"a name in the wrong case":                 {"allowedhosts: [a.example.com]", []string{"'allowedhosts' not allowed"}},
		"a text for a number":                      {`replicas: "2"`, []string{"at '/replicas'", "got string, want integer"}},
		"a part of a pod":                          {"replicas: 1.5", []string{"at '/replicas'", "got number, want integer"}},
		"fewer than no pods":                       {"replicas: -1", []string{"at '/replicas'", "minimum"}},
		"a text for yes and no":                    {`portal: {enabled: "yes"}`, []string{"at '/portal/enabled'", "got string, want boolean"}},
		"a text for a list":                        {"namespaces: team-a,team-b", []string{"at '/namespaces'", "got string, want array"}},
		"a namespace that can't exist":             {"namespaces: [Team_A]", []string{"at '/namespaces/0'", "'Team_A' does not match pattern"}},
		"a namespace twice":                        {"namespaces: [a, a]", []string{"at '/namespaces'", "items at 0 and 1 are equal"}},
		"a URL for a host":                         {"allowedHosts: ['https://login.example.com']", []string{"at '/allowedHosts/0'", "does not match pattern"}},
		"two hosts in one":                         {"allowedHosts: ['a.example.com,b.example.com']", []string{"at '/allowedHosts/0'", "does not match pattern"}},
		"a star in the middle of a host":           {"allowedHosts: ['a.*.example.com']", []string{"at '/allowedHosts/0'", "does not match pattern"}},
		"a port that doesn't exist":                {"metrics: {port: 84430}", []string{"at '/metrics/port'", "maximum"}},
		"no workers":                               {"maxConcurrentReconciles: 0", []string{"at '/maxConcurrentReconciles'", "minimum"}},
		"a level of logs that doesn't exist":       {"logging: {level: trace}", []string{"at '/logging/level'", "'trace' does not match pattern"}},
		"a level above the highest":                {"logging: {level: 9}", []string{"at '/logging/level'", "maximum"}},
		"an encoder that doesn't exist":            {"logging: {encoder: yaml}", []string{"at '/logging/encoder'", "'json', 'console'"}},
		"a pull policy in the wrong case":          {"image: {pullPolicy: always}", []string{"at '/image/pullPolicy'", "'Always', 'IfNotPresent', 'Never'"}},
		"a tag in the repository":                  {"image: {repository: 'registry.example.com/tokensync:v1'}", []string{"at '/image/repository'", "does not match pattern"}},
		"a tag of figures in the repository":       {"image: {repository: 'registry.example.com:5000/tokensync:1'}", []string{"at '/image/repository'", "does not match pattern"}},
		"a tag behind a name alone":                {"image: {repository: 'tokensync:1'}", []string{"at '/image/repository'", "does not match pattern"}},
		"a digest in the repository":               {"image: {repository: 'registry.example.com/tokensync@sha256:00'}", []string{"at '/image/repository'", "does not match pattern"}},
		"half a digest":                            {"image: {digest: sha256:0123}", []string{"at '/image/digest'", "does not match pattern"}},
		"a number for a label":                     {"podLabels: {a: 1}", []string{"at '/podLabels/a'", "got number, want string"}},
		"a pull secret by its name alone":          {"imagePullSecrets: [registry]", []string{"at '/imagePullSecrets/0'", "got string, want object"}},
		"a portal without an address":              {"portal: {enabled: true}", []string{"set the address that browsers see, such as https://tokensync.example.com"}},
		"a portal's address with a query":          {"portal: {enabled: true, url: 'https://a.example.com/?b=c'}", []string{"at '/portal/url'", "does not match pattern"}},
		"a portal's address without https":         {"portal: {enabled: true, url: a.example.com}", []string{"at '/portal/url'", "does not match pattern"}},
		"an Ingress without a portal":              {"portal: {ingress: {enabled: true}}", []string{"set portal.enabled=true and portal.url"}},
		"a route without a Gateway":                {"portal: {enabled: true, url: 'https://a.example.com', httpRoute: {enabled: true}}", []string{"name the Gateway"}},
		"replicas that don't agree who leads":      {"leaderElection: false", []string{"Set leaderElection=true or replicas=1"}},
		"a ServiceMonitor without metrics":         {"metrics: {enabled: false, serviceMonitor: {enabled: true}}", []string{"there would be nothing to read"}},
		"no requests to the API server":            {"kubeAPI: {qps: 0}", []string{"set -1 for no limit"}},
		"rights for everybody's account":           {"serviceAccount: {create: false}", []string{"Name yours"}},
		"the namespace as an environment":          {"env: [{name: POD_NAMESPACE, value: a}]", []string{"the chart itself sets"}},
		"an environment of a number":               {"env: [{name: A, value: 1}]", []string{"at '/env/0/value'", "got number, want string"}},
		"a full name with a dot":                   {"fullnameOverride: token.sync", []string{"at '/fullnameOverride'", "does not match pattern"}},
		"a full name that begins with a figure":    {"fullnameOverride: 1tokensync", []string{"at '/fullnameOverride'", "does not match pattern"}},
		"a name with a dot":                        {"nameOverride: token.sync", []string{"at '/nameOverride'", "does not match pattern"}},
		"a further argument that is no flag":       {"extraArgs: [allow-loopback]", []string{"at '/extraArgs/0'", "does not match pattern"}},
		"a further flag apart from its value":      {"extraArgs: [--vendors-dir /vendors]", []string{"at '/extraArgs/0'", "does not match pattern"}},
		"who leads past the value for it":          {"extraArgs: [--leader-elect=false]", []string{"set the value leaderElection"}},
		"an alias without names":                   {"hostAliases: [{ip: 192.0.2.10}]", []string{"at '/hostAliases/0'", "missing property 'hostnames'"}},
		"a DNS policy that doesn't exist":          {"dnsPolicy: Cluster", []string{"at '/dnsPolicy'", "'ClusterFirst'"}},
		"a strategy that doesn't exist":            {"strategy: {type: OnDelete}", []string{"at '/strategy/type'", "'Recreate'"}},
		"a vendor of two names":                    {"vendors: {a: {name: b, title: A, clientAuthentication: None, grants: {}}}", []string{`vendors.a has the name "b"`}},
		"a vendor whose name can't be a file":      {"vendors: {A/b: {title: A, clientAuthentication: None, grants: {}}}", []string{"at '/vendors'", "'A/b' not allowed"}},
		"a vendor without its authentication":      {"vendors: {a: {title: A, grants: {}}}", []string{"at '/vendors/a'", "missing property 'clientAuthentication'"}},
		"a typo in a vendor":                       {"vendors: {a: {title: A, clientAuthentication: None, grants: {Password: {scope: [a]}}}}", []string{"at '/vendors/a/grants/Password'", "'scope' not allowed"}},
		"a grant that doesn't exist":               {"vendors: {a: {title: A, clientAuthentication: None, grants: {ClientCredential: {}}}}", []string{"at '/vendors/a/grants'", "'ClientCredential' not allowed"}},
		"a budget that is neither number nor part": {"podDisruptionBudget: {maxUnavailable: half}", []string{"at '/podDisruptionBudget/maxUnavailable'", "'half' does not match pattern"}},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			_, err := template(t, c.values)
			if err == nil {
				t.Fatal("it is accepted")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the message lacks %q:\n%v", part, err)
				}
			}
		})
	}
}

// Releases may have names that no Service can have before Kubernetes 1.36.
func TestNamesOfReleases(t *testing.T) {
	const problem = "which no Service can have: set fullnameOverride"
	for about, c := range map[string]struct {
		release, values string
		refused         bool
	}{
		"a dot":                     {"token.sync", "", true},
		"a figure first":            {"1tokensync", "", true},
		"a dot and a name for it":   {"token.sync", "fullnameOverride: tokensync", false},
		"a figure first and a name": {"1tokensync", "fullnameOverride: tokensync", false},
		"a figure behind letters":   {"t1", "", false},
		"a dot behind what is cut":  {"tokensync-of-the-platform-team-in-europe.west", "", false},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			_, err := helm(t, c.values, "template", c.release, "tokensync", "--namespace", namespace)
			if refused := err != nil && strings.Contains(err.Error(), problem); refused != c.refused || (err != nil) != c.refused {
				t.Errorf("refused: %v, want %v: %v", refused, c.refused, err)
			}
		})
	}
}

// The port of a registry looks like a tag.
func TestRepositoriesThatAreAccepted(t *testing.T) {
	for _, repository := range []string{"tokensync", "platform/token_sync", "registry.example.com/a/b-c/tokensync", "registry.example.com:5000/tokensync", "localhost:5000/a/tokensync"} {
		t.Run(repository, func(t *testing.T) {
			t.Parallel()
			image := deployment(t, mustTemplate(t, "image: {tag: v1, repository: '"+repository+"'}")).Spec.Template.Spec.Containers[0].Image
			if image != repository+":v1" {
				t.Errorf("the image is %s", image)
			}
		})
	}
}

// What a chart that has this one as a dependency hands down.
func TestValuesOfAParentAreAccepted(t *testing.T) {
	if _, err := template(t, "{enabled: true, global: {imageRegistry: registry.example.com}}"); err != nil {
		t.Error(err)
	}
}

// The schema knows the values in values.yaml and no others, and the fields of a catalogue entry and no others.
func TestSchemaIsComplete(t *testing.T) {
	schema := readSchema(t)
	content, err := os.ReadFile("tokensync/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.UnmarshalStrict(content, &values); err != nil {
		t.Fatal(err)
	}
	values["global"], values["enabled"] = "", "" // Helm's own
	compareNames(t, "", values, schema)
	definitions := schema["definitions"].(map[string]any)
	compareFields(t, "vendor", reflect.TypeFor[oauth.Vendor](), definitions["vendor"].(map[string]any))
	compareFields(t, "grant", reflect.TypeFor[oauth.VendorGrant](), definitions["grant"].(map[string]any))
}

func readSchema(t *testing.T) map[string]any {
	t.Helper()
	content, err := os.ReadFile("tokensync/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	var schema map[string]any
	if err := decoder.Decode(&schema); err != nil {
		t.Fatal(err)
	}
	return schema
}

// compareNames goes down where the schema lists properties.
func compareNames(t *testing.T, path string, values, schema map[string]any) {
	t.Helper()
	properties := schema["properties"].(map[string]any)
	kubernetes := []string{".affinity", ".dnsConfig", ".resources", ".strategy"} // its own fields, of which values.yaml shows few or none
	if diff := cmp.Diff(names(values), names(properties)); diff != "" && !slices.Contains(kubernetes, path) {
		t.Errorf("values.yaml and the schema differ at %q (-values +schema):\n%s", path, diff)
	}
	if schema["additionalProperties"] != false {
		t.Errorf("the schema lets anything in at %q", path)
	}
	for name, below := range properties {
		deeper, is := below.(map[string]any)
		tree, has := values[name].(map[string]any)
		if is && has && deeper["properties"] != nil {
			compareNames(t, path+"."+name, tree, deeper)
		}
	}
}

// compareFields compares a Go struct's JSON names with a schema's properties, and so on below.
func compareFields(t *testing.T, path string, of reflect.Type, schema map[string]any) {
	t.Helper()
	for schema["items"] != nil || reflect.ValueOf(schema["additionalProperties"]).Kind() == reflect.Map {
		below, is := schema["items"].(map[string]any)
		if !is {
			below = schema["additionalProperties"].(map[string]any)
		}
		schema, of = below, of.Elem()
	}
	if of.Kind() != reflect.Struct || schema["properties"] == nil {
		return
	}
	properties := schema["properties"].(map[string]any)
	fields := map[string]any{}
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		fields[name] = nil
		if below, is := properties[name].(map[string]any); is {
			compareFields(t, path+"."+name, field.Type, below)
		}
	}
	if diff := cmp.Diff(names(fields), names(properties)); diff != "" {
		t.Errorf("%s: the catalogue and the schema differ (-catalogue +schema):\n%s", path, diff)
	}
}

func names(tree map[string]any) []string {
	list := make([]string, 0, len(tree))
	for name := range tree {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
