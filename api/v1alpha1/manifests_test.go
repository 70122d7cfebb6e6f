package v1alpha1_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/kubetest"
)

// manifests are the OAuthTokens of the testdata and of the project's samples, in JSON, by file name.
func manifests(t *testing.T) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	for _, pattern := range []string{"testdata/*.yaml", filepath.Join(kubetest.Root(), "config", "samples", "*.yaml")} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for document := range bytes.SplitSeq(content, []byte("\n---\n")) {
				object, err := yaml.YAMLToJSON(document)
				if err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				if bytes.Contains(object, []byte(`"kind":"OAuthToken"`)) {
					found[strings.TrimPrefix(file, kubetest.Root())] = object
				}
			}
		}
	}
	if len(found) < 10 {
		t.Fatalf("only %d manifests found", len(found))
	}
	return found
}

// testManifests shows that the API server takes every manifest, changes nothing in it, and that it knows every field.
func (s apiServer) testManifests(t *testing.T) {
	for file, object := range manifests(t) {
		t.Run(file, func(t *testing.T) {
			stored := s.tryCreate(t, object).accepted(t)
			checkDecodes(t, file, stored.body)
			if diff := cmp.Diff(specOf(t, object), specOf(t, stored.body)); diff != "" {
				t.Errorf("spec (-given +stored):\n%s", diff)
			}
		})
	}
}

func TestManifestsSurviveTheGoTypes(t *testing.T) {
	for file, object := range manifests(t) {
		t.Run(file, func(t *testing.T) {
			token, err := decode(object)
			if err != nil {
				t.Fatal(err)
			}
			back, err := json.Marshal(token.DeepCopyObject())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(specOf(t, object), specOf(t, back)); diff != "" {
				t.Errorf("spec (-given +written):\n%s", diff)
			}
		})
	}
}

// TestACopySharesNothing fills every field, changes everything in a copy, and looks at the original.
func TestACopySharesNothing(t *testing.T) {
	token, err := decode(manifestOf(t, sampleFor(t, "spec"), sampleFor(t, "status")))
	if err != nil {
		t.Fatal(err)
	}
	before, err := json.Marshal(token)
	if err != nil {
		t.Fatal(err)
	}
	list := &v1alpha1.OAuthTokenList{Items: []v1alpha1.OAuthToken{*token}}
	scrub(reflect.ValueOf(token.DeepCopyObject()))
	scrub(reflect.ValueOf(list.DeepCopyObject()))
	after, err := json.Marshal(token)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("the original changed with its copy (-before +after):\n%s", diff)
	}
}

func TestTheSchemeKnowsTheTypes(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for kind, object := range map[string]runtime.Object{"OAuthToken": &v1alpha1.OAuthToken{}, "OAuthTokenList": &v1alpha1.OAuthTokenList{}} {
		kinds, _, err := scheme.ObjectKinds(object)
		if err != nil || len(kinds) != 1 || kinds[0] != v1alpha1.GroupVersion().WithKind(kind) {
			t.Errorf("%T is known as %v (%v), want %s", object, kinds, err, kind)
		}
	}
}

// manifestOf is an OAuthToken with this spec and status.
func manifestOf(t *testing.T, spec, status map[string]any) []byte {
	t.Helper()
	object, err := json.Marshal(map[string]any{
		"apiVersion": "tokensync.dev/v1alpha1", "kind": "OAuthToken", "metadata": map[string]any{"name": "token"},
		"spec": spec, "status": status,
	})
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// specOf is the spec of an object in JSON, without what Go types would do to it.
func specOf(t *testing.T, object []byte) any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(object, &fields); err != nil {
		t.Fatal(err)
	}
	return fields["spec"]
}

// scrub empties everything that pointers, lists and maps lead to.
func scrub(at reflect.Value) {
	switch at.Kind() {
	case reflect.Pointer:
		if !at.IsNil() {
			scrub(at.Elem())
			at.Elem().SetZero()
		}
	case reflect.Struct:
		for _, part := range at.Fields() {
			if part.CanSet() {
				scrub(part)
			}
		}
	case reflect.Slice:
		for i := range at.Len() {
			scrub(at.Index(i))
			at.Index(i).SetZero()
		}
	case reflect.Map:
		at.Clear()
	}
}
