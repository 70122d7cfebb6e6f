package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
)

// pipes hands a manifest to the plugin.
func (d *desk) pipes(manifest string) *desk {
	d.input = manifest
	return d
}

func TestTheExampleOfEachVendorAndGrantIsAccepted(t *testing.T) {
	d := newDesk(t)
	catalogue, err := oauth.LoadCatalogue("")
	if err != nil {
		t.Fatal(err)
	}
	for _, vendor := range entriesOf(catalogue) {
		for _, grant := range grantsOf(vendor) {
			t.Run(vendor.Name+" "+string(grant), func(t *testing.T) {
				text := example(vendor, grant)
				file, err := readManifest(strings.NewReader(text), d.namespace)
				if err != nil {
					t.Fatalf("%v:\n%s", err, text)
				}
				for _, object := range []client.Object{file.secrets[0], file.tokens[0]} {
					if err := d.client.Create(t.Context(), object, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
						t.Errorf("%v:\n%s", err, text)
					}
				}
				said, exit := d.pipes(text).does("test", "-f", "-", "--no-request", "--enable-implicit")
				wants(t, said, exit, "ok       API server    would accept it", 0)
				said, exit = d.does("explain", vendor.Name, "--grant="+string(grant), "--example")
				wants(t, said, exit, text, 0)
			})
		}
	}
}

func TestTheAPIServerJudgesAManifestAndKeepsNothing(t *testing.T) {
	catalogue, err := oauth.LoadCatalogue("")
	if err != nil {
		t.Fatal(err)
	}
	vendor, _ := catalogue.Vendor("genesys-cloud")
	text := example(vendor, oauth.ClientCredentials)
	_, withoutSecret, _ := strings.Cut(text, "---\n")
	for name, test := range map[string]struct {
		manifest string
		before   func(*desk)
		want     string
		exit     int
	}{
		"a rule that is broken": {
			strings.Replace(text, "spec:", "spec:\n  renewal: {renewBefore: 1h, renewBeforePercentage: 5}", 1), nil,
			"FAULT    API server    spec.renewal: Invalid value: ", 1,
		},
		"a namespace that is absent":  {strings.ReplaceAll(text, "metadata:\n", "metadata:\n  namespace: nowhere\n"), nil, "note     API server    did not judge the manifest: ", 0},
		"a Secret in the cluster":     {withoutSecret, func(d *desk) { d.keeps("genesys-cloud-client", v1alpha1.RoleCredentials) }, `Secret "genesys-cloud-client"; used of it: client_id, client_secret`, 0},
		"one there without the label": {withoutSecret, func(d *desk) { d.keeps("genesys-cloud-client", "") }, "lacks the label by which its owner lets Tokensync use it", 1},
		"a Secret that is nowhere":    {withoutSecret, nil, `Secret "genesys-cloud-client" is neither in the file nor in namespace `, 1},
		"an OAuthToken that exists":   {strings.Replace(text, "name: genesys-cloud\n", "name: orders\n", 1), nil, "ok       API server    would accept it", 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.let("eve", "system:aggregate-to-edit") // which lets Secrets be read
			if test.before != nil {
				test.before(d)
			}
			before := d.token()
			said, exit := d.pipes(test.manifest).does("test", "-f", "-", "--no-request")
			wants(t, said, exit, test.want, test.exit)
			if after := d.token(); after.ResourceVersion != before.ResourceVersion {
				t.Error("the try changed an OAuthToken")
			}
			var tokens v1alpha1.OAuthTokenList
			if err := d.client.List(t.Context(), &tokens, client.InNamespace(d.namespace)); err != nil || len(tokens.Items) != 1 {
				t.Errorf("there are %d OAuthTokens, %v", len(tokens.Items), err)
			}
		})
	}
}

// keeps makes a credentials Secret with that role in the cluster.
func (d *desk) keeps(name, role string) {
	d.t.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.namespace, Name: name},
		StringData: map[string]string{"client_id": "client", "client_secret": canary},
	}
	if role != "" {
		secret.Labels = map[string]string{v1alpha1.RoleLabel: role}
	}
	d.create(secret)
}

func TestOfflineNeedsNoKubeconfig(t *testing.T) {
	c := newCounter(t)
	manifest := c.manifest(c.catalogue(), "genesys-cloud", oauth.ClientCredentials)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte("apiVersion: v1\nkind: Config\ncurrent-context: gone\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, namespace := range []string{"shop", ""} {
		said, exit := c.try(manifest, "--kubeconfig="+kubeconfig, "--no-request", "--namespace="+namespace)
		if exit != 0 || strings.Contains(said, "gone") {
			t.Errorf("in namespace %q: exit status %d\n%s", namespace, exit, said)
		}
	}
	if said, exit := c.try(manifest, "--kubeconfig="+kubeconfig, "--no-request", "--namespace=", "--offline=false"); exit != 1 || !strings.Contains(said, "gone") {
		t.Errorf("exit status %d\n%s", exit, said)
	}
}

func TestAClusterThatIsAwayIsDoneWithout(t *testing.T) {
	c := newCounter(t)
	manifest := c.manifest(c.catalogue(), "genesys-cloud", oauth.ClientCredentials)
	said, exit := c.try(manifest, "--offline=false", "--server=http://127.0.0.1:1", "--kubeconfig=/dev/null")
	wants(t, said, exit, "note     API server    none could be asked, so its rules were not checked (--offline leaves this out)", 0)
	wants(t, said, exit, "issued a token", 0)
}
