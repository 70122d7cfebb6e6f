//go:build cluster

package gitops_test

import (
	"net/http"
	"strings"
	"testing"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

func removal(t *testing.T, s *stage) {
	t.Helper()
	const name = "gitops-removal"
	a := s.application(t, name, "")
	s.credentials(t, name, nil)
	policy := func(policy string) func(object) { return specified("target", object{"deletionPolicy": policy}) }
	a.push(map[string]string{"kept.json": s.manifest(t, "kept", policy("Retain")), "gone.json": s.manifest(t, "gone", policy("Delete"))})
	a.settle()
	kept := s.secret(t, name, "kept").UID
	a.push(map[string]string{"kept.json": "", "gone.json": ""})
	eventually(t, func() string {
		if s.token(t, name, "kept") != nil || s.token(t, name, "gone") != nil || s.secret(t, name, "gone") != nil {
			return "they are not pruned"
		}
		return ""
	})
	a.settle()
	a.cli("app", "sync", name, "--prune")
	if secret := s.secret(t, name, "kept"); secret == nil || secret.UID != kept {
		t.Error("Retain has not kept the Secret")
	}
	a.push(map[string]string{"kept.json": s.manifest(t, "kept", policy("Retain"))})
	a.settle()
	if secret := s.secret(t, name, "kept"); secret == nil || secret.UID != kept {
		t.Error("an OAuthToken of the same name has not taken the Secret over")
	}
}

func pendingRevocation(t *testing.T, s *stage) {
	t.Helper()
	const name = "gitops-revocation"
	a := s.application(t, name, "")
	s.credentials(t, name, nil)
	a.push(map[string]string{"token.json": s.manifest(t, "api", specified("revokeOnDelete", true))})
	a.settle()
	a.watch()
	held := string(s.secret(t, name, "api").Data["access_token"])
	takeBack := s.vendor.Fail(oauthtest.Match{Endpoint: oauthtest.AnyEndpoint, ClientID: name}, oauthtest.Status(http.StatusServiceUnavailable, "text/plain", ""))
	a.push(map[string]string{"token.json": ""})
	eventually(t, func() string {
		if token := s.token(t, name, "api"); token == nil || token.DeletionTimestamp == nil {
			return "it is not being deleted"
		}
		return ""
	})
	a.await("OutOfSync", "Progressing")
	takeBack()
	eventually(t, func() string {
		if s.token(t, name, "api") != nil || s.secret(t, name, "api") != nil {
			return "it is there still"
		}
		return ""
	})
	if s.vendor.IsLive(held) {
		t.Error("the token is not revoked")
	}
	a.settle()
	for _, state := range a.changes() {
		if strings.HasSuffix(state, "Degraded") {
			t.Errorf("it was shown as %s", state)
		}
	}
}
