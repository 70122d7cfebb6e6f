package gitops_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// noon is when the golden statuses were written.
// root is the project's top folder.
const root = "../.."

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// object is an OAuthToken as Argo CD's cache and Flux hold it.
type object = map[string]any

// situations are OAuthTokens by the situation that they are in, with those that the controller itself never writes.
func situations(tb testing.TB) map[string]object {
	tb.Helper()
	content, err := os.ReadFile(filepath.Join(root, "internal", "controller", "testdata", "statuses.yaml"))
	if err != nil {
		tb.Fatal(err)
	}
	all := map[string]json.RawMessage{}
	if err := yaml.Unmarshal(content, &all); err != nil {
		tb.Fatal(err)
	}
	objects := map[string]object{}
	for name, raw := range all {
		objects[name] = decode(tb, raw)
	}
	if len(objects) < 70 {
		tb.Fatalf("%d situations are too few", len(objects))
	}
	derive := func(name, from string, change func(o object)) {
		objects[name] = copied(objects[from])
		change(objects[name])
	}
	const good = "a good token"
	derive("just made", good, func(o object) { o["status"] = object{"observedGeneration": int64(-1)} })
	derive("just made, by a CRD that has no default for status", good, func(o object) { delete(o, "status") })
	derive("its status was wiped", good, func(o object) { o["status"] = object{} })
	derive("a new spec over a good token", good, newSpec)
	derive("a new spec over an InvalidSpec", "InvalidSpec without a token", newSpec)
	derive("a new spec over an expired token", "VendorUnavailable with an expired token", newSpec)
	derive("just suspended", good, func(o object) { newSpec(o); o["spec"].(object)["suspend"] = true })
	derive("just resumed", "a good token while suspended", func(o object) { newSpec(o); delete(o["spec"].(object), "suspend") })
	derive("the operator is gone, and the token has expired", good, overslept)
	derive("the operator is gone, and the token has expired while suspended", "a good token while suspended", overslept)
	derive("deleted, and its revocation is pending", good, func(o object) {
		meta := o["metadata"].(object)
		meta["deletionTimestamp"], meta["finalizers"] = noon.Format(time.RFC3339), []any{"tokensync.dev/revoke"}
	})
	return objects
}

func newSpec(o object) { o["metadata"].(object)["generation"] = int64(4) }

func overslept(o object) { o["status"].(object)["expiresAt"] = noon.Format(time.RFC3339) }

// decode reads JSON with whole numbers, as Kubernetes' clients do.
func decode(tb testing.TB, raw []byte) object {
	tb.Helper()
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(raw); err != nil {
		tb.Fatal(err)
	}
	return u.Object
}

func copied(o object) object { return (&unstructured.Unstructured{Object: o}).DeepCopy().Object }
