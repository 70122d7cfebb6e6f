package gitops_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"sigs.k8s.io/yaml"
)

// actionScripts are the scripts in Argo CD's schema.
type actionScripts struct {
	Discovery   string `json:"discovery.lua"`
	Definitions []struct {
		Name string `json:"name"`
		Lua  string `json:"action.lua"`
	} `json:"definitions"`
}

func actions(tb testing.TB) actionScripts {
	tb.Helper()
	var scripts actionScripts
	if err := yaml.UnmarshalStrict([]byte(setting(tb, "actions")), &scripts); err != nil {
		tb.Fatal(err)
	}
	return scripts
}

func TestActionsAreOfferedWhereTheyDoSomething(t *testing.T) {
	objects := situations(t)
	for name, want := range map[string][]string{
		"a good token":                           {"renew", "suspend"},
		"just made":                              {"renew", "suspend"},
		"InvalidClient with an expired token":    {"renew", "suspend"},
		"a good token while suspended":           {"resume"},
		"nothing while suspended":                {"resume"},
		"deleted, and its revocation is pending": nil,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := runLua(t, actions(t).Discovery, copied(objects[name]))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got.(object)))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	var defined []string
	for _, definition := range actions(t).Definitions {
		defined = append(defined, definition.Name)
	}
	if diff := cmp.Diff([]string{"renew", "resume", "suspend"}, defined); diff != "" {
		t.Errorf("actions that are defined (-want +got):\n%s", diff)
	}
}

// TestActionsChangeOneThing computes the patch that Argo CD sends: a merge patch from the live object to the script's.
func TestActionsChangeOneThing(t *testing.T) {
	objects := situations(t)
	annotated := copied(objects["a good token"])
	annotated["metadata"].(object)["annotations"] = object{"team": "shop", "tokensync.dev/renew-requested-at": "2026-01-01T00:00:00Z"}
	renewed := object{"metadata": object{"annotations": object{"tokensync.dev/renew-requested-at": "2026-03-01T12:00:00Z"}}}
	for name, c := range map[string]struct {
		object object
		action string
		want   object
	}{
		"renew":                               {objects["a good token"], "renew", renewed},
		"renew again":                         {annotated, "renew", renewed},
		"renew what has no status":            {objects["its status was wiped"], "renew", renewed},
		"suspend":                             {objects["a good token"], "suspend", object{"spec": object{"suspend": true}}},
		"resume leaves nothing in the spec":   {objects["a good token while suspended"], "resume", object{"spec": object{"suspend": nil}}},
		"resume what is not suspended":        {objects["a good token"], "resume", object{}},
		"suspend what is suspended":           {objects["a good token while suspended"], "suspend", object{}},
		"renew where fields are empty tables": {withEmpties(objects["a good token"]), "renew", renewed},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, patchOf(t, c.object, c.action)); diff != "" {
				t.Errorf("the patch (-want +got):\n%s", diff)
			}
		})
	}
}

func withEmpties(o object) object {
	o = copied(o)
	o["spec"].(object)["parameters"], o["spec"].(object)["scopes"] = object{}, []any{}
	return o
}

// patchOf is the merge patch that an action comes to.
func patchOf(t *testing.T, o object, name string) object {
	t.Helper()
	for _, definition := range actions(t).Definitions {
		if definition.Name != name {
			continue
		}
		result, err := runLua(t, definition.Lua, copied(o))
		if err != nil {
			t.Fatal(err)
		}
		live, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		modified, err := json.Marshal(restored(result, o))
		if err != nil {
			t.Fatal(err)
		}
		patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(live, modified, live)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := decodeAny(patch)
		if err != nil {
			t.Fatal(err)
		}
		return decoded.(object)
	}
	t.Fatalf("there is no action %s", name)
	return nil
}

// restored gives empty lists that were empty objects before Lua their kind back, as Argo CD does.
func restored(value, before any) any {
	switch v := value.(type) {
	case object:
		was, _ := before.(object)
		for key := range v {
			v[key] = restored(v[key], was[key])
		}
	case []any:
		if _, wasObject := before.(object); wasObject && len(v) == 0 {
			return object{}
		}
	}
	return value
}

// decodeAny reads JSON.
func decodeAny(raw []byte) (any, error) {
	var value any
	err := json.Unmarshal(raw, &value)
	return value, err
}
