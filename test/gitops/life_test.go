//go:build cluster

package gitops_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
	"tokensync.dev/tokensync/test/harness"
)

// bootstrap delivers the CRD and an OAuthToken in one Application, before there is an operator.
func (s *stage) bootstrap(t *testing.T) {
	t.Helper()
	const name = "gitops-bootstrap"
	crd, err := os.ReadFile(filepath.Join(root, "config", "crd", "bases", "tokensync.dev_oauthtokens.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	a := s.application(t, name, serverSide)
	s.credentials(t, name, nil)
	a.push(map[string]string{
		"crd.yaml":   strings.Replace(string(crd), "  annotations:\n", "  annotations:\n    argocd.argoproj.io/sync-wave: \"-1\"\n", 1),
		"token.json": s.manifest(t, "api"),
	})
	a.await("Synced", "Progressing") // nobody has looked at it
	harness.RunManager(t, s.kubeconfig, name, "--allow-loopback")
	a.settle()
	if s.secret(t, name, "api") == nil {
		t.Error("Argo CD says that all is well, and there is no token")
	}
}

const serverSide = "spec: {syncPolicy: {syncOptions: [CreateNamespace=true, ServerSideApply=true]}}"

func lifeClientSide(t *testing.T, s *stage) {
	t.Helper()
	lifeOf(t, s, "gitops-life", "")
}

func lifeServerSide(t *testing.T, s *stage) {
	t.Helper()
	lifeOf(t, s, "gitops-life-ssa", serverSide)
}

// lifeOf is a token's life, as Argo CD shows it.
func lifeOf(t *testing.T, s *stage, name, patch string) {
	t.Helper()
	a := s.application(t, name, patch)
	s.credentials(t, name, nil)
	a.push(map[string]string{"token.json": s.manifest(t, "api")})
	a.watch()
	a.settle()
	s.awaitRenewals(t, name, "api", 2)
	expectSteady(t, "issuance and renewals", a.changes(), "Synced Healthy")

	takeBack := s.vendor.Fail(oauthtest.Match{Vendor: oauthtest.Generic, ClientID: name}, oauthtest.Status(http.StatusServiceUnavailable, "text/plain", ""))
	s.awaitFailing(t, name, true)
	a.refresh()
	if tree := a.cli("app", "get", name, "--output", "tree=detailed"); !strings.Contains(tree, "its renewal fails") {
		t.Errorf("Argo CD does not tell that the renewal fails:\n%s", tree)
	}
	takeBack()
	s.awaitFailing(t, name, false)
	a.refresh()
	expectSteady(t, "failing renewals with a good token, and recovery", a.changes(), "Synced Healthy")

	a.act("renew", "api")
	eventually(t, func() string {
		token := s.token(t, name, "api")
		asked := token.Annotations[v1alpha1.RenewRequestedAtAnnotation]
		if asked == "" || token.Status.LastHandledRenewRequest != asked {
			return fmt.Sprintf("%q was asked for, %q is handled", asked, token.Status.LastHandledRenewRequest)
		}
		return ""
	})
	a.refresh()
	expectSteady(t, "renewal by action", a.changes(), "Synced Healthy")

	a.push(map[string]string{"token.json": s.manifest(t, "api", specified("suspend", true))})
	a.await("Synced", "Suspended")
	expectPath(t, "suspension in Git", a.changes(), 1, "Synced Healthy", "Synced Suspended")
	a.push(map[string]string{"token.json": s.manifest(t, "api")})
	a.settle()
	s.awaitRenewals(t, name, "api", 1)
	expectPath(t, "the end of the suspension", a.changes(), 1, "Synced Suspended", "Synced Healthy")

	a.push(map[string]string{"token.json": ""})
	eventually(t, func() string {
		if s.token(t, name, "api") != nil || s.secret(t, name, "api") != nil {
			return "it is not pruned"
		}
		return ""
	})
	a.settle()
	expectPath(t, "deletion", a.changes(), 1, "Synced Healthy")
}

// awaitFailing waits until the renewal of a good token fails, or does not any more.
func (s *stage) awaitFailing(t *testing.T, namespace string, want bool) {
	t.Helper()
	eventually(t, func() string {
		status := s.token(t, namespace, "api").Status
		if !meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) {
			t.Error("the token is not good any more: the test was too slow")
		}
		if meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionRenewalFailing) != want {
			return "RenewalFailing is not as wanted"
		}
		return ""
	})
}
