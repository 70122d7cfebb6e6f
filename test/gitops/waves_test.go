//go:build cluster

package gitops_test

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const secondWave = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: second, annotations: {argocd.argoproj.io/sync-wave: \"1\"}}\n"

func (s *stage) hasSecondWave(t *testing.T, namespace string) bool {
	t.Helper()
	err := s.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: "second"}, &corev1.ConfigMap{})
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return err == nil
}

// waves has credentials that come late.
func waves(t *testing.T, s *stage) {
	t.Helper()
	const name = "gitops-waves"
	a := s.application(t, name, "")
	a.push(map[string]string{"token.json": s.manifest(t, "api"), "second.yaml": secondWave})
	eventually(t, func() string {
		if message := a.summary().Message; !strings.Contains(message, "waiting for healthy state of tokensync.dev/OAuthToken/api") {
			return message
		}
		return ""
	})
	if s.hasSecondWave(t, name) {
		t.Error("the second wave has not waited for the token")
	}
	s.credentialsIn(t, name, nil)
	a.settle()
	if s.secret(t, name, "api") == nil || !s.hasSecondWave(t, name) {
		t.Error("token or second wave is missing")
	}
}

// suspendedInWaves shows what the documentation warns of.
func suspendedInWaves(t *testing.T, s *stage) {
	t.Helper()
	const name = "gitops-waves-suspended"
	a := s.application(t, name, "")
	s.credentials(t, name, nil)
	a.push(map[string]string{"token.json": s.manifest(t, "api", specified("suspend", true)), "second.yaml": secondWave})
	eventually(t, func() string {
		if sum := a.summary(); sum.Health != "Suspended" && sum.Health != "Missing" || !strings.Contains(sum.Message, "waiting for healthy state of tokensync.dev/OAuthToken/api") {
			return sum.Health + ": " + sum.Message
		}
		return ""
	})
	if s.hasSecondWave(t, name) {
		t.Error("the second wave was applied")
	}
	a.act("resume", "api") // the running operation ends, and Git suspends it again
	eventually(t, func() string {
		if !s.hasSecondWave(t, name) {
			return "the second wave does not come"
		}
		return ""
	})
}
