package controller

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// maxTemplateWork is how many bytes all function results of one rendering may hold together. Without it a value could be doubled with
// every line.
const maxTemplateWork = 8 << 20

// templateFunctions are deterministic, read nothing from outside, and allocate no more than a small multiple of their arguments.
// sprig's own hermetic map is not that: bcrypt, shuffle, until and repeat are in it. The engine's own printing functions are replaced by
// metered ones.
func templateFunctions(m *meter) template.FuncMap {
	functions := template.FuncMap{
		"dockerconfigjson": m.watch(dockerConfigJSON),
		"html":             m.watch(template.HTMLEscaper),
		"js":               m.watch(template.JSEscaper),
		"print":            m.watch(fmt.Sprint),
		"printf":           m.watch(narrowPrintf),
		"println":          m.watch(fmt.Sprintln),
		"urlquery":         m.watch(template.URLQueryEscaper),
	}
	all := sprig.TxtFuncMap()
	for _, name := range allowedSprigFunctions() {
		functions[name] = m.watch(all[name])
	}
	return functions
}

func allowedSprigFunctions() []string {
	return []string{
		"b64dec", "b64enc", "contains", "default", "dict", "empty", "first", "fromJson", "get", "hasKey", "hasPrefix", "hasSuffix",
		"join", "kindIs", "last", "list", "lower", "quote", "regexMatch", "rest", "sha256sum", "splitList", "squote", "substr",
		"ternary", "toJson", "toPrettyJson", "toRawJson", "toString", "trim", "trimAll", "trimPrefix", "trimSuffix", "trunc", "upper",
	}
}

// meter bounds what the functions of one rendering produce.
type meter struct{ left int }

// watch returns a function like f whose results count. Past the bound it panics with errTooMuchOutput, which the template engine turns
// into an error.
func (m *meter) watch(f any) any {
	function := reflect.ValueOf(f)
	call := function.Call
	if function.Type().IsVariadic() {
		call = function.CallSlice
	}
	return reflect.MakeFunc(function.Type(), func(arguments []reflect.Value) []reflect.Value {
		results := call(arguments)
		m.count(results[0])
		return results
	}).Interface()
}

// count adds the size of a value, with all that it holds, as it would be printed.
func (m *meter) count(value reflect.Value) {
	if m.left--; m.left < 0 {
		panic(errTooMuchOutput)
	}
	switch kind := value.Kind(); {
	case kind == reflect.String:
		if m.left -= value.Len(); m.left < 0 {
			panic(errTooMuchOutput)
		}
	case (kind == reflect.Interface || kind == reflect.Pointer) && !value.IsNil():
		m.count(value.Elem())
	case kind == reflect.Slice || kind == reflect.Array:
		for i := range value.Len() {
			m.count(value.Index(i))
		}
	case kind == reflect.Map:
		for entry := value.MapRange(); entry.Next(); {
			m.count(entry.Key())
			m.count(entry.Value())
		}
	} // numbers and the like have the size of the one taken off above
}

// widths finds widths and precisions by which a few bytes of format make kilobytes.
var widths = regexp.MustCompile(`%[^a-zA-Z%]*([0-9]{4}|\*)`)

// narrowPrintf is printf without wide paddings.
func narrowPrintf(format string, values ...any) (string, error) {
	if widths.MatchString(format) {
		return "", errors.New("printf has a width or precision over 999")
	}
	return fmt.Sprintf(format, values...), nil
}

// dockerConfigJSON is the content of a kubernetes.io/dockerconfigjson Secret for one registry.
func dockerConfigJSON(host, user, password string) (string, error) {
	type entry struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Auth     string `json:"auth"`
	}
	login := entry{Username: user, Password: password, Auth: base64.StdEncoding.EncodeToString([]byte(user + ":" + password))}
	config, err := json.Marshal(map[string]map[string]entry{"auths": {host: login}}) //nolint:gosec // G117: the format of container tools
	return string(config), err
}
