//go:build cluster

package e2e

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
	"tokensync.dev/tokensync/test/e2e/actors"
)

// charted is a client of the vendor and an OAuthToken, in the story of a release.
const charted = "charted"

// TestHelm is the life of a release, which costs one token request until somebody asks for another, and serves as one from Kustomize does.
func TestHelm(t *testing.T) {
	beside(t)
	c := Open(t, "helm", 2)
	c.DumpOnFailure()
	c.Load()
	key, certificate := identityProvider(t)
	pace := paceOf(c.Look())
	s := c.NewStage(actors.Play{Lifetime: time.Hour, IdentityProvider: certificate, Clients: []oauthtest.Client{
		Generic(charted, time.Hour), Generic(brisk, pace.brisk),
	}})
	c.Namespace(team)
	before := c.Inventory()
	h := s.NewHelm()
	for _, step := range []struct {
		name string
		play func(*Helm)
	}{
		{"an installation serves, and says what to do next", install},
		{"an upgrade rolls other values out, and brings the new CRD", upgradeRelease},
		{"values that are refused change nothing", refuse},
		{"a wrong vendor leaves the old pods at work", keepServing},
		{"a rollback restores", rollBack},
		{"uninstalling leaves what users own", uninstall},
		{"installing again takes it up", installAgain},
		{"the example manifests work unchanged, and no call is rejected", func(h *Helm) { serveExamples(h, key, certificate, pace) }},
		{"the documented removal leaves nothing", func(h *Helm) { removeRelease(h, before) }},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.play(h.InTest(s.InTest(t))) }) {
			return // what follows builds on it
		}
	}
}

func install(h *Helm) {
	printed := h.Run(append([]string{"install", release, h.older, "--create-namespace"}, h.Image()...)...)
	for _, next := range []string{"rollout status deployment/tokensync-manager", "tokensync.dev/role=credentials", "kind: OAuthToken"} {
		if !strings.Contains(printed, next) {
			h.TB.Errorf("the notes do not say %q:\n%s", next, printed)
		}
	}
	h.AwaitOperator()
	h.Declare(team, charted)
	h.AwaitToken(team, charted)
	if names := h.ShortNames(); len(names) > 0 {
		h.TB.Fatalf("the older CRD has the short names %v, so its upgrade would show nothing", names)
	}
}

// acme is a vendor as --set-json takes it.
func acme(tokenURL string) string {
	return `vendors.acme-ledger={"title":"Acme Ledger","endpoints":{"tokenURL":"` + tokenURL + `"},"clientAuthentication":"None","grants":{"Password":{}}}`
}

func upgradeRelease(h *Helm) {
	h.Run("upgrade", release, h.chart, "--reset-then-reuse-values", "--set", "replicas=1,maxConcurrentReconciles=7",
		"--set-json", acme("https://login.acme.example/token"))
	h.AwaitOperator()
	want := shape{Replicas: 1, Workers: true, Vendors: true, ShortNames: []string{"oat"}, Requests: 1}
	if diff := cmp.Diff(want, shapeOf(h)); diff != "" {
		h.TB.Errorf("after the upgrade (-want +got):\n%s", diff)
	}
	h.Kubectl("--namespace", team, "get", "oat", charted)
}

func refuse(h *Helm) {
	before := h.Deployment().ResourceVersion
	printed, err := h.Try("upgrade", release, h.chart, "--reset-then-reuse-values", "--set", "replica=3")
	if err == nil || !strings.Contains(printed, "additional properties 'replica' not allowed") {
		h.TB.Errorf("a typo is answered by %v:\n%s", err, printed)
	}
	if h.Deployment().ResourceVersion != before {
		h.TB.Error("the Deployment has changed")
	}
}

// keepServing gives an entry that the schema lets through and the manager refuses: its URL names a parameter that it does not declare.
func keepServing(h *Helm) {
	printed, err := h.Try("upgrade", release, h.chart, "--reset-then-reuse-values", "--set-json", acme("https://{region}.acme.example/token"),
		"--wait", "--timeout", "20s")
	if err == nil {
		h.TB.Fatalf("the manager has started with a wrong entry:\n%s", printed)
	}
	if status := h.Deployment().Status; status.AvailableReplicas < 1 {
		h.TB.Errorf("no pod serves any more: %+v", status)
	}
}

func rollBack(h *Helm) {
	h.Run("rollback", release, "1")
	h.AwaitOperator()
	if diff := cmp.Diff(shape{Replicas: 2, Requests: 1}, shapeOf(h)); diff != "" {
		h.TB.Errorf("after the rollback (-want +got):\n%s", diff)
	}
	h.AwaitToken(team, charted)
}

func uninstall(h *Helm) {
	before := h.Secret(team, charted)
	printed := h.Run("uninstall", release)
	if !strings.Contains(printed, "oauthtokens.tokensync.dev") {
		h.TB.Errorf("helm does not say that the CRD is kept:\n%s", printed)
	}
	h.AwaitToken(team, charted)
	if after := h.Secret(team, charted); after.UID != before.UID || after.ResourceVersion != before.ResourceVersion {
		h.TB.Error("the target Secret was touched")
	}
}

func installAgain(h *Helm) {
	h.Run(append([]string{"install", release, h.chart}, h.Image()...)...)
	h.AwaitOperator()
	want := shape{Replicas: 2, ShortNames: []string{"oat"}, Requests: 1}
	if diff := cmp.Diff(want, shapeOf(h)); diff != "" {
		h.TB.Errorf("after the second installation (-want +got):\n%s", diff)
	}
	h.Renew(team, charted, "it works again")
	h.AwaitRenewed(team, charted, "it works again")
}

// serveExamples gives the release a portal, and leads the vendors' own host names to the stage.
func serveExamples(h *Helm, key, cert []byte, pace pace) {
	h.Make(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: h.System, Name: "vendor-authority"}, Data: map[string]string{"ca-certificates.crt": string(h.Authority)},
	})
	arguments := []string{
		"upgrade", release, h.chart, "--reset-then-reuse-values", "--set", "enableImplicit=true,portal.enabled=true,portal.url=" + portalURL,
	}
	for value, content := range map[string]any{
		"hostAliases":  []any{map[string]any{"ip": h.Address, "hostnames": exampleHosts()}},
		"volumes":      []any{map[string]any{"name": "authority", "configMap": map[string]string{"name": "vendor-authority"}}},
		"volumeMounts": []any{map[string]any{"name": "authority", "mountPath": "/etc/ssl/certs", "readOnly": true}},
	} {
		text, err := json.Marshal(content)
		if err != nil {
			h.TB.Fatal(err)
		}
		arguments = append(arguments, "--set-json", value+"="+string(text))
	}
	h.Run(arguments...)
	h.AwaitOperator()
	examples(h.Stage, key, cert, pace)
}

func removeRelease(h *Helm, before map[string]bool) {
	kept := h.credentials(team, "examples")
	h.Kubectl("delete", "oauthtokens", "--all", "--all-namespaces", "--cascade=foreground", "--timeout="+patience.String())
	h.Run("uninstall", release)
	h.Kubectl("delete", "crd", "oauthtokens.tokensync.dev", "--timeout="+patience.String())
	h.Kubectl("delete", "namespace", h.System, "--timeout="+patience.String())
	h.Await(func() string {
		left := maps.Clone(h.Inventory())
		maps.DeleteFunc(left, func(object string, _ bool) bool { return before[object] })
		maps.DeleteFunc(left, func(object string, _ bool) bool { return scenery(object) })
		return cmp.Diff(slices.Sorted(maps.Keys(kept)), slices.Sorted(maps.Keys(left)))
	})
}

// shape is what the steps of the story look at.
type shape struct {
	Replicas         int32
	Workers, Vendors bool
	ShortNames       []string
	Requests         int
}

func shapeOf(h *Helm) shape {
	h.TB.Helper()
	deployment := h.Deployment()
	arguments := deployment.Spec.Template.Spec.Containers[0].Args
	return shape{
		Replicas: *deployment.Spec.Replicas, ShortNames: h.ShortNames(), Requests: h.Count(oauthtest.Generic, charted).Requests,
		Workers: slices.Contains(arguments, "--max-concurrent-reconciles=7"),
		Vendors: slices.Contains(arguments, "--vendors-dir=/etc/tokensync/vendors"),
	}
}
