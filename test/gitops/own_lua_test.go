//go:build cluster

package gitops_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// ownLua lets Argo CD's own program judge each situation, at the time of its own clock.
func ownLua(t *testing.T, s *stage) {
	t.Helper()
	for name, o := range situations(t) {
		status, message := healthOf(t, o)
		content, err := json.Marshal(shifted(o, time.Since(noon)))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "object.json")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		got := output(t, s.argocd, "cli", "admin", "settings", "resource-overrides", "health", file, "--argocd-cm-path", settingsFile(t))
		if want := "STATUS: " + status + "\nMESSAGE: " + message + "\n"; got != want {
			t.Errorf("%s:\n%swant\n%s", name, got, want)
		}
	}
}

// shifted moves all times of an object.
func shifted(value any, by time.Duration) any {
	switch v := value.(type) {
	case object:
		moved := object{}
		for key, item := range v {
			moved[key] = shifted(item, by)
		}
		return moved
	case []any:
		moved := make([]any, 0, len(v))
		for _, item := range v {
			moved = append(moved, shifted(item, by))
		}
		return moved
	case string:
		if at, err := time.Parse(time.RFC3339, v); err == nil {
			return at.Add(by).UTC().Format(time.RFC3339)
		}
	}
	return value
}
