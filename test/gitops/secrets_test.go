//go:build cluster

package gitops_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// refreshing is the manifest of an OAuthToken with a state Secret.
func (s *stage) refreshing(t *testing.T, change ...func(object)) string {
	t.Helper()
	return s.manifest(t, "api", append([]func(object){specified("grantType", "RefreshToken"), func(o object) { delete(o["spec"].(object), "scopes") }}, change...)...)
}

// own are the Secrets of an OAuthToken, by name.
func (s *stage) own(t *testing.T, namespace string) map[string]*corev1.Secret {
	t.Helper()
	found := map[string]*corev1.Secret{}
	for _, name := range []string{"api", "api-oauth-state"} {
		if found[name] = s.secret(t, namespace, name); found[name] == nil {
			t.Fatalf("Secret %s is not there", name)
		}
	}
	return found
}

func secretsAreLeftAlone(t *testing.T, s *stage) {
	t.Helper()
	s.leftAlone(t, "gitops-secrets", func(*application) {})
}

// labelTracking is the way of older Argo CDs: what bears its label belongs to the Application.
func labelTracking(t *testing.T, s *stage) {
	t.Helper()
	output(t, s.argocd, "kubectl", "patch", "configmap", "argocd-cm", "--type=merge", "-p", `{"data": {"application.resourceTrackingMethod": "label"}}`)
	t.Cleanup(func() {
		output(t, s.argocd, "kubectl", "patch", "configmap", "argocd-cm", "--type=merge", "-p", `{"data": {"application.resourceTrackingMethod": null}}`)
	})
	s.leftAlone(t, "gitops-label", func(a *application) {
		token := s.token(t, a.name, "api")
		if token.Labels["app.kubernetes.io/instance"] != a.name {
			t.Fatalf("the OAuthToken is not tracked by label: %v", token.Labels)
		}
	})
}

// leftAlone provokes selfHeal, prune and plain syncs, and looks whether anybody but the operator has written its Secrets.
func (s *stage) leftAlone(t *testing.T, name string, check func(*application)) {
	t.Helper()
	a := s.application(t, name, "")
	s.register(name)
	s.credentials(t, name, map[string]string{"refresh_token": s.vendor.NewRefreshToken(oauthtest.Generic, name, "orders")})
	other := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\ndata: {a: b}\n"
	a.push(map[string]string{"token.json": s.refreshing(t), "other.yaml": other})
	a.settle()
	check(a)
	before := s.own(t, name)
	a.watch()

	// What Git states is healed. Meanwhile the OAuthToken waits for a Secret that is not there, and nothing is asked of the vendor.
	drift := client.RawPatch(types.MergePatchType, []byte(`{"spec": {"credentialsSecretRef": {"name": "elsewhere"}}}`))
	if err := s.Patch(context.Background(), s.token(t, name, "api"), drift); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if got := s.token(t, name, "api").Spec.CredentialsSecretRef.Name; got != "client" {
			return "selfHeal has left " + got
		}
		return ""
	})
	a.push(map[string]string{"other.yaml": ""}) // prune
	a.settle()
	a.cli("app", "sync", name, "--prune")
	a.refresh()
	s.awaitRenewals(t, name, "api", 1)

	for key, secret := range s.own(t, name) {
		if secret.UID != before[key].UID {
			t.Errorf("Secret %s was made anew", key)
		}
		var writers []string
		for _, entry := range secret.ManagedFields {
			writers = append(writers, entry.Manager)
		}
		slices.Sort(writers)
		if diff := cmp.Diff([]string{"tokensync"}, slices.Compact(writers)); diff != "" {
			t.Errorf("who has written Secret %s (-want +got):\n%s", key, diff)
		}
		for _, word := range slices.Concat(slices.Collect(maps.Keys(secret.Labels)), slices.Collect(maps.Keys(secret.Annotations))) {
			if strings.Contains(word, "argocd") || word == "app.kubernetes.io/instance" {
				t.Errorf("Secret %s bears %s", key, word)
			}
		}
	}
	for _, resource := range a.summary().Resources {
		if strings.HasPrefix(resource, "Secret/") {
			t.Errorf("Argo CD takes %s for one from Git", resource)
		}
	}
	if tree := a.cli("app", "get", name, "--output", "tree"); !strings.Contains(tree, "Secret/api") || !strings.Contains(tree, "Secret/api-oauth-state") {
		t.Errorf("the Secrets are not shown below the OAuthToken:\n%s", tree)
	}
}

// conflicted waits until Ready is False with the reason SecretConflict.
func (s *stage) conflicted(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, func() string {
		token := s.token(t, namespace, "api")
		if token == nil {
			return "the OAuthToken is not there"
		}
		ready := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Reason != v1alpha1.ReasonSecretConflict {
			return fmt.Sprintf("Ready is %+v", ready)
		}
		return ""
	})
}

// targetInGit has the Secret before the OAuthToken.
func targetInGit(t *testing.T, s *stage) {
	t.Helper()
	const name = "gitops-target"
	a := s.application(t, name, "")
	s.credentials(t, name, nil)
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: api}\nstringData: {access_token: from-git}\n"
	a.push(map[string]string{"secret.yaml": secret})
	a.settle()
	a.push(map[string]string{"token.json": s.manifest(t, "api")})
	s.conflicted(t, name)
	a.await("Synced", "Degraded")
	if got := string(s.secret(t, name, "api").Data["access_token"]); got != "from-git" {
		t.Errorf("the Secret that is not ours holds %q", got)
	}
	a.push(map[string]string{"secret.yaml": ""})
	eventually(t, func() string { // prune; the operator looks again after a while, and at once when asked
		if secret := s.secret(t, name, "api"); secret != nil && string(secret.Data["access_token"]) == "from-git" {
			return "it is not pruned"
		}
		return ""
	})
	a.act("renew", "api")
	a.settle()
}

// targetTakenOver adds a Secret of the target's name to Git when the target is there.
func targetTakenOver(t *testing.T, s *stage) {
	t.Helper()
	const name = "gitops-takeover"
	a := s.application(t, name, "")
	s.credentials(t, name, nil)
	a.push(map[string]string{"token.json": s.manifest(t, "api")})
	a.settle()
	uid := s.secret(t, name, "api").UID
	a.push(map[string]string{"secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: api, labels: {from: git}}\nstringData: {note: hello}\n"})
	eventually(t, func() string {
		if s.secret(t, name, "api").Labels["from"] != "git" {
			return "Argo CD has not written it"
		}
		return ""
	})
	a.settle() // keys of another field manager are left to it
	s.awaitRenewals(t, name, "api", 1)
	if secret := s.secret(t, name, "api"); secret.UID != uid || string(secret.Data["note"]) != "hello" || secret.Data["access_token"] == nil {
		t.Errorf("the Secret is another one, or lacks keys: %v", slices.Sorted(maps.Keys(secret.Data)))
	}
	a.push(map[string]string{"secret.yaml": ""}) // what has an owner is not pruned
	a.settle()
	s.awaitRenewals(t, name, "api", 1)
	if secret := s.secret(t, name, "api"); secret == nil || secret.UID != uid {
		t.Error("the target was pruned, or made anew")
	}
}
