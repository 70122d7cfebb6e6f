package gitops_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write testdata anew")

// setting is what a key of the generated argocd-cm holds.
func setting(tb testing.TB, key string) string {
	tb.Helper()
	content, err := os.ReadFile(filepath.Join(root, "config", "argocd", "argocd-cm.yaml"))
	if err != nil {
		tb.Fatal(err)
	}
	var settings struct {
		Data map[string]string `json:"data"`
	}
	if err := yaml.Unmarshal(content, &settings); err != nil {
		tb.Fatal(err)
	}
	value := settings.Data["resource.customizations."+key+".tokensync.dev_OAuthToken"]
	if value == "" {
		tb.Fatalf("argocd-cm.yaml has nothing for %s", key)
	}
	return value
}

// healthOf is what Argo CD shows: status and message.
func healthOf(tb testing.TB, o object) (status, message string) {
	tb.Helper()
	return healthAt(tb, o, noon)
}

// healthAt is the health at a time.
func healthAt(tb testing.TB, o object, now time.Time) (status, message string) {
	tb.Helper()
	if o["metadata"].(object)["deletionTimestamp"] != nil {
		return "Progressing", "Pending deletion" // gitops-engine, pkg/health: no script is asked
	}
	got, err := runLuaAt(tb, setting(tb, "health"), copied(o), now)
	if err != nil {
		tb.Fatal(err)
	}
	encoded, err := json.Marshal(got)
	if err != nil {
		tb.Fatal(err)
	}
	var health struct{ Status, Message string }
	if err := json.Unmarshal(encoded, &health); err != nil {
		tb.Fatal(err)
	}
	return health.Status, health.Message
}

// golden compares a text with a file of testdata.
func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestHealthOfEverySituation(t *testing.T) {
	objects := situations(t)
	var table strings.Builder
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		status, message := healthOf(t, objects[name])
		fmt.Fprintf(&table, "%s\n    %s: %s\n", name, status, message)
	}
	golden(t, "health.txt", table.String())
}

// TestHealthIsTrue holds for any text of the table above.
func TestHealthIsTrue(t *testing.T) {
	for name, o := range situations(t) {
		t.Run(name, func(t *testing.T) {
			status, message := healthOf(t, o)
			served := condition(o, "Ready") == "True" && o["status"].(object)["expiresAt"].(string) > noon.Format("2006-01-02T15:04:05Z")
			observed := o["status"] != nil && o["status"].(object)["observedGeneration"] == o["metadata"].(object)["generation"]
			suspended := o["spec"].(object)["suspend"] == true
			switch {
			case message == "":
				t.Error("it says nothing")
			case served && status == "Degraded":
				t.Errorf("a good token is served, and it is %s: %s", status, message)
			case !served && status == "Healthy":
				t.Errorf("no good token is served, and it is Healthy: %s", message)
			case !observed && (status == "Healthy" || status == "Degraded"):
				t.Errorf("the operator has not seen the spec, and it is %s: %s", status, message)
			case !suspended && status == "Suspended":
				t.Errorf("it is not suspended, and is shown so: %s", message)
			case observed && condition(o, "Stalled") == "True" && status != "Degraded" && !suspended:
				t.Errorf("a person must act, and it is %s: %s", status, message)
			}
		})
	}
}

// condition is the status of a condition; empty: it is not there.
func condition(o object, kind string) string {
	status, _ := o["status"].(object)
	conditions, _ := status["conditions"].([]any)
	for _, c := range conditions {
		if c.(object)["type"] == kind {
			return c.(object)["status"].(string)
		}
	}
	return ""
}

func TestHealthTellsOfThreats(t *testing.T) {
	told := 0
	for name, o := range situations(t) {
		_, message := healthOf(t, o)
		if condition(o, "Ready") != "True" || !strings.Contains(message, "holds a good token") {
			continue
		}
		for _, c := range o["status"].(object)["conditions"].([]any) {
			told++
			if !strings.Contains(message, c.(object)["message"].(string)) {
				t.Errorf("%s: %q does not tell of %s", name, message, c.(object)["type"])
			}
		}
	}
	if told < 30 {
		t.Errorf("%d conditions are too few", told)
	}
}

// TestAnExpiredTokenIsDegradedAfterMinutes looks at an OAuthToken that asks for a token and gets none, at the edges of the calendar.
func TestAnExpiredTokenIsDegradedAfterMinutes(t *testing.T) {
	for _, now := range []time.Time{
		time.Date(2028, 3, 1, 0, 2, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 1, 0, 0, time.UTC), time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC),
		time.Date(2100, 3, 1, 0, 0, 30, 0, time.UTC), time.Date(2026, 11, 29, 23, 59, 59, 0, time.UTC),
	} {
		for age, want := range map[time.Duration]string{
			time.Second: "Progressing", 5 * time.Minute: "Progressing", 5*time.Minute + time.Second: "Degraded", 40 * 24 * time.Hour: "Degraded",
		} {
			o := object{
				"metadata": object{"generation": 1.0}, "spec": object{},
				"status": object{
					"observedGeneration": 1.0, "expiresAt": now.Add(-age).Format(time.RFC3339),
					"conditions": []any{object{"type": "Ready", "status": "False", "reason": "Requesting", "message": "a token is being requested"}},
				},
			}
			if got, message := healthAt(t, o, now); got != want {
				t.Errorf("%s, %s after the end: %s, want %s (%s)", now, age, got, want, message)
			}
		}
	}
}
