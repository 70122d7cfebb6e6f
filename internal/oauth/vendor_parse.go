package oauth

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// parseVendor decodes and checks an entry in YAML or JSON. The faults name all fields that an entry doesn't have and all values
// of a wrong kind, each with its path; a decoder alone would stop at the first, and would not mind the case of names.
func parseVendor(text []byte) (*Vendor, []string) {
	vendor := &Vendor{}
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return vendor, []string{"is not YAML: " + strings.Join(strings.Fields(err.Error()), " ")}
	}
	var document any
	if err = json.Unmarshal(asJSON, &document); err != nil {
		return vendor, []string{"is not YAML: " + err.Error()}
	}
	if fields, ok := document.(map[string]any); !ok || len(fields) == 0 {
		return vendor, []string{"must be a map with the fields of a vendor"}
	}
	faults := misfits("", document, reflect.TypeFor[Vendor]())
	if err = json.Unmarshal(asJSON, vendor); err == nil {
		faults = append(faults, vendor.faults()...)
	} else if len(faults) == 0 {
		faults = append(faults, err.Error())
	}
	return vendor, faults
}

// misfits compares a decoded document with the type that it is meant for.
func misfits(path string, value any, want reflect.Type) []string {
	if value == nil { // as good as absent
		return nil
	}
	if text, ok := reflect.TypeAssert[encoding.TextUnmarshaler](reflect.New(want)); ok {
		return misfitText(path, value, text)
	}
	switch want.Kind() {
	case reflect.Struct:
		return misfitFields(path, value, want)
	case reflect.Map:
		return misfitEntries(path, value, want)
	case reflect.Slice:
		return misfitItems(path, value, want)
	case reflect.Bool:
		if _, ok := value.(bool); !ok {
			return []string{path + ": must be true or false"}
		}
	default:
		if _, ok := value.(string); !ok {
			return []string{path + ": must be text; put it in quotes"}
		}
	}
	return nil
}

func misfitText(path string, value any, want encoding.TextUnmarshaler) []string {
	text, _ := value.(string)
	if err := want.UnmarshalText([]byte(text)); err != nil {
		return []string{path + ": " + err.Error()}
	}
	return nil
}

func misfitFields(path string, value any, want reflect.Type) []string {
	fields, ok := value.(map[string]any)
	if !ok {
		return []string{path + ": must be a map"}
	}
	types := make(map[string]reflect.Type)
	for field := range want.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		types[name] = field.Type
	}
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if known, found := types[name]; found {
			faults = append(faults, misfits(joinPath(path, name), fields[name], known)...)
		} else {
			faults = append(faults, joinPath(path, name)+": unknown field; the fields here are "+
				strings.Join(slices.Sorted(maps.Keys(types)), ", "))
		}
	}
	return faults
}

func misfitEntries(path string, value any, want reflect.Type) []string {
	entries, ok := value.(map[string]any)
	if !ok {
		return []string{path + ": must be a map"}
	}
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		faults = append(faults, misfits(joinPath(path, name), entries[name], want.Elem())...)
	}
	return faults
}

func misfitItems(path string, value any, want reflect.Type) []string {
	items, ok := value.([]any)
	if !ok {
		return []string{path + ": must be a list"}
	}
	var faults []string
	for i, item := range items {
		faults = append(faults, misfits(fmt.Sprintf("%s[%d]", path, i), item, want.Elem())...)
	}
	return faults
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
