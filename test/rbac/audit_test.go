package rbac_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"tokensync.dev/tokensync/test/harness"
)

// auditLog is the API server's. It writes an entry before it answers.
var auditLog string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "tokensync-audit-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	auditLog = filepath.Join(folder, "log")
	policy, err := filepath.Abs(filepath.Join("testdata", "audit-policy.yaml"))
	if err != nil {
		panic(err)
	}
	// What OpenShift has: who writes an owner reference that keeps the owner from going must be allowed to change the owner's finalizers.
	return harness.Run(m, func(e *envtest.Environment) {
		e.ControlPlane.GetAPIServer().Configure().Append("audit-log-path", auditLog).Append("audit-policy-file", policy).
			Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement")
	})
}

// request is an entry of the audit log.
type request struct {
	Verb      string
	User      struct{ Username string }
	ObjectRef *struct {
		Resource, Subresource, APIGroup, Namespace, Name string
	}
	ResponseStatus struct{ Code int }
}

// needed is the rule that allows a request.
func (r request) needed() rule {
	needed := rule{verb: r.Verb, group: r.ObjectRef.APIGroup, resource: r.ObjectRef.Resource}
	if r.ObjectRef.Subresource != "" {
		needed.resource += "/" + r.ObjectRef.Subresource
	}
	return needed
}

// asked are the requests of a namespace's manager for objects so far.
func asked(t *testing.T, namespace string) []request {
	t.Helper()
	log, err := os.ReadFile(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	user := "system:serviceaccount:" + namespace + ":" + account
	var found []request
	for line := range bytes.Lines(log) {
		if !bytes.Contains(line, []byte(user)) || !bytes.HasSuffix(line, []byte("\n")) {
			continue
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if r.User.Username == user && r.ObjectRef != nil {
			found = append(found, r)
		}
	}
	return found
}

// denied is how often a rule was missed.
func denied(t *testing.T, namespace, missed string) int {
	t.Helper()
	count := 0
	for _, r := range asked(t, namespace) {
		if r.ResponseStatus.Code == http.StatusForbidden && r.needed().String() == missed {
			count++
		}
	}
	return count
}
