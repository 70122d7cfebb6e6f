//go:build cluster

package gitops_test

import (
	"slices"
	"strings"
	"testing"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// suspendByAction suspends an OAuthToken whose manifest does not state spec.suspend.
func suspendByAction(t *testing.T, s *stage) {
	t.Helper()
	const name = "gitops-suspend"
	a := s.application(t, name, "")
	s.credentials(t, name, nil)
	a.push(map[string]string{"token.json": s.manifest(t, "api")})
	a.settle()
	a.watch()
	if got := a.offered(); got != "renew suspend" {
		t.Errorf("offered: %s", got)
	}
	a.act("suspend", "api")
	a.await("Synced", "Suspended")
	if got := a.offered(); got != "resume" {
		t.Errorf("offered while suspended: %s", got)
	}
	a.refresh()
	a.push(map[string]string{"token.json": s.manifest(t, "api", specified("renewal", object{"maxTokenAge": "40s"}))})
	eventually(t, func() string {
		if token := s.token(t, name, "api"); token.Generation < 3 || !token.Spec.Suspend {
			return "the new commit is not there, or has ended the suspension"
		}
		return ""
	})
	a.await("Synced", "Suspended")
	a.act("resume", "api")
	a.settle()
	// Three changes: the suspension, a commit, and its end.
	expectPath(t, "suspend and resume", a.changes(), 3, "Synced Healthy", "Synced Suspended", "Synced Healthy")
}

// offered are the names of the actions that Argo CD offers.
func (a *application) offered() string {
	a.tb.Helper()
	var names []string
	for line := range strings.Lines(a.cli("app", "actions", "list", a.name, "--kind", "OAuthToken", "--resource-name", "api")) {
		for _, name := range []string{"renew", "suspend", "resume"} {
			if strings.Contains(line, " "+name+" ") {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names) // Argo CD lists them in any order
	return strings.Join(names, " ")
}

// suspendAgainstGit suspends an OAuthToken whose manifest says that it is not.
func suspendAgainstGit(t *testing.T, s *stage) {
	t.Helper()
	const name = "gitops-not-suspended"
	a := s.application(t, name, "")
	s.credentials(t, name, nil)
	a.push(map[string]string{"token.json": s.manifest(t, "api", specified("suspend", false))})
	a.settle()
	before := s.token(t, name, "api").Generation
	a.act("suspend", "api")
	eventually(t, func() string {
		if token := s.token(t, name, "api"); token.Generation < before+2 || token.Spec.Suspend {
			return "selfHeal has not undone it"
		}
		return ""
	})
	a.settle()
}

// annotationSurvives asks for a renewal as a person does, beside Argo CD's server-side apply.
func annotationSurvives(t *testing.T, s *stage) {
	t.Helper()
	const name = "gitops-annotate"
	a := s.application(t, name, serverSide)
	s.credentials(t, name, nil)
	a.push(map[string]string{"token.json": s.manifest(t, "api")})
	a.settle()
	output(t, "kubectl", "--kubeconfig", s.kubeconfig, "-n", name, "annotate", "oauthtoken", "api", v1alpha1.RenewRequestedAtAnnotation+"=now")
	a.cli("app", "sync", name)
	a.settle()
	eventually(t, func() string {
		token := s.token(t, name, "api")
		if token.Annotations[v1alpha1.RenewRequestedAtAnnotation] != "now" {
			t.Fatal("the annotation is gone")
		}
		if token.Status.LastHandledRenewRequest != "now" {
			return "the renewal is not made"
		}
		return ""
	})
}
