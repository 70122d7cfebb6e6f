//go:build cluster

package gitops_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// application is one of Argo CD's, with automated sync, prune and selfHeal, a git repository and a namespace of its own, all of one name.
type application struct {
	*stage

	tb    testing.TB
	name  string
	repo  string
	head  string // the last commit
	patch string // a file that is merged into the Application; empty: none

	mu   sync.Mutex
	seen []string // what `watch` printed, without times
}

func (s *stage) application(tb testing.TB, name, patch string) *application {
	tb.Helper()
	a := &application{stage: s, tb: tb, name: name, repo: tb.TempDir()}
	if patch != "" {
		a.patch = filepath.Join(tb.TempDir(), "patch.yaml")
		if err := os.WriteFile(a.patch, []byte(patch), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	a.git("init", "-q", "-b", "main")
	tb.Cleanup(func() {
		_, _ = attempt(s.argocd, "kubectl", "delete", "application", name, "--ignore-not-found", "--timeout=60s")
	})
	return a
}

func (a *application) git(arguments ...string) string {
	a.tb.Helper()
	return output(a.tb, "git", append([]string{"-C", a.repo, "-c", "user.name=tester", "-c", "user.email=tester@example.com"}, arguments...)...)
}

// push commits what a folder should hold, by file name, and lets Argo CD look. Files that are not named stay; empty ones go.
func (a *application) push(files map[string]string) {
	a.tb.Helper()
	for name, content := range files {
		path := filepath.Join(a.repo, "app", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			a.tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			a.tb.Fatal(err)
		}
		if content == "" {
			a.git("rm", "-q", "--cached", "app/"+name)
			_ = os.Remove(path)
		}
	}
	rest := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: rest}\n" // Argo CD does not prune the last object by itself
	if err := os.WriteFile(filepath.Join(a.repo, "app", "rest.yaml"), []byte(rest), 0o600); err != nil {
		a.tb.Fatal(err)
	}
	a.git("add", "-A")
	a.git("commit", "-q", "-m", "a change")
	a.head = strings.TrimSpace(a.git("rev-parse", "HEAD"))
	arguments := []string{"app", a.name, a.repo, "app", a.name}
	if a.patch != "" {
		arguments = append(arguments, a.patch)
	}
	output(a.tb, a.argocd, arguments...)
}

// summary is what Argo CD's Application says.
type summary struct {
	Sync, Health, Revision, Operation, Message string
	Resources                                  []string // KIND/NAME of those from Git
}

// summary reads the Application; the zero summary: Argo CD was asked to look, and has not yet.
func (a *application) summary() summary {
	a.tb.Helper()
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(applications())
	if err := a.Get(context.Background(), client.ObjectKey{Namespace: "argocd", Name: a.name}, live); err != nil {
		a.tb.Fatal(err)
	}
	if _, asked := live.GetAnnotations()["argocd.argoproj.io/refresh"]; asked {
		return summary{}
	}
	text := func(path ...string) string {
		value, _, _ := unstructured.NestedString(live.Object, append([]string{"status"}, path...)...)
		return value
	}
	s := summary{
		Sync: text("sync", "status"), Health: text("health", "status"), Revision: text("sync", "revision"),
		Operation: text("operationState", "phase"), Message: text("operationState", "message"),
	}
	resources, _, _ := unstructured.NestedSlice(live.Object, "status", "resources")
	for _, resource := range resources {
		s.Resources = append(s.Resources, fmt.Sprintf("%s/%s", resource.(object)["kind"], resource.(object)["name"]))
	}
	return s
}

func applications() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "argoproj.io", Version: "v1alpha1", Kind: "Application"}
}

// await waits until Argo CD says so of the last commit.
func (a *application) await(synced, health string) {
	a.tb.Helper()
	eventually(a.tb, func() string {
		if s := a.summary(); s.Sync != synced || s.Health != health || s.Revision != a.head {
			return fmt.Sprintf("want %s %s at %s, got %+v; OAuthToken: %s", synced, health, a.head, s, a.conditions())
		}
		return ""
	})
}

// conditions are those of the OAuthToken api, for whoever reads of a failure.
func (a *application) conditions() string {
	token := &v1alpha1.OAuthToken{}
	if err := a.Get(context.Background(), client.ObjectKey{Namespace: a.name, Name: "api"}, token); err != nil {
		return err.Error()
	}
	var all []string
	for _, c := range token.Status.Conditions {
		all = append(all, fmt.Sprintf("%s=%s (%s: %s)", c.Type, c.Status, c.Reason, c.Message))
	}
	return strings.Join(all, ", ")
}

// settle waits until Argo CD has applied the last commit, and all is well.
func (a *application) settle() {
	a.tb.Helper()
	a.await("Synced", "Healthy")
	eventually(a.tb, func() string {
		if s := a.summary(); s.Operation == "Running" {
			return s.Message
		}
		return ""
	})
}

// cli runs Argo CD's own command line.
func (a *application) cli(arguments ...string) string {
	a.tb.Helper()
	return output(a.tb, a.argocd, append([]string{"cli"}, arguments...)...)
}

// act runs an action on an OAuthToken.
func (a *application) act(action, name string) {
	a.tb.Helper()
	a.cli("app", "actions", "run", a.name, action, "--kind", "OAuthToken", "--resource-name", name)
}

// refresh lets Argo CD compare everything anew.
func (a *application) refresh() {
	a.tb.Helper()
	a.cli("app", "get", a.name, "--hard-refresh")
}

// watch notes each change of sync and health from now on.
func (a *application) watch() {
	a.tb.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(applications())
	follow, err := a.Watch(context.Background(), list, client.InNamespace("argocd"), client.MatchingFields{"metadata.name": a.name})
	if err != nil {
		a.tb.Fatal(err)
	}
	a.tb.Cleanup(follow.Stop)
	go func() {
		for event := range follow.ResultChan() {
			live, isApplication := event.Object.(*unstructured.Unstructured)
			if !isApplication {
				continue
			}
			sync, _, _ := unstructured.NestedString(live.Object, "status", "sync", "status")
			health, _, _ := unstructured.NestedString(live.Object, "status", "health", "status")
			a.note(sync + " " + health)
		}
	}()
}

func (a *application) note(state string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.seen) == 0 || a.seen[len(a.seen)-1] != state {
		a.seen = append(a.seen, state)
	}
}

// changes are the states since the last call, the one at that time included.
func (a *application) changes() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := a.seen
	if len(seen) == 0 {
		a.tb.Fatal("nothing was seen: the watch has ended")
	}
	a.seen = []string{seen[len(seen)-1]}
	return seen
}
