package content

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// maxTemplateWork is how many bytes the arguments and results of all function calls of one rendering may hold together. Without it a
// value could be doubled with every line, or a long one searched again and again.
const maxTemplateWork = 8 << 20

// templateFunctions are deterministic, read nothing from outside, and allocate no more than a small multiple of their arguments.
// sprig's own hermetic map is not that: bcrypt, shuffle, until and repeat are in it. Nor are toPrettyJson, whose indentation grows with
// depth, and regexMatch, whose time grows with the pattern. The engine's own printing functions are replaced by metered ones, and those of
// sprig by such as fail where sprig's give a text that tells of the fault, or nothing.
func templateFunctions(m *meter) template.FuncMap {
	functions := template.FuncMap{
		"b64dec":           m.watch(decodeBase64),
		"dockerconfigjson": m.watch(dockerConfigJSON),
		"fromJson":         m.watch(decodeJSON),
		"html":             m.watch(template.HTMLEscaper),
		"join":             m.watch(m.join),
		"js":               m.watch(template.JSEscaper),
		"print":            m.watch(fmt.Sprint),
		"printf":           m.watch(narrowPrintf),
		"println":          m.watch(fmt.Sprintln),
		"replace":          m.watch(m.replace),
		"urlquery":         m.watch(template.URLQueryEscaper),
	}
	all := sprig.TxtFuncMap()
	functions["toJson"] = m.watch(all["mustToJson"])
	for _, name := range allowedSprigFunctions() {
		functions[name] = m.watch(all[name])
	}
	return functions
}

func allowedSprigFunctions() []string {
	return []string{
		"b64enc", "contains", "default", "dict", "empty", "first", "get", "hasKey", "hasPrefix", "hasSuffix", "kindIs", "last", "list",
		"lower", "quote", "rest", "sha256sum", "splitList", "squote", "substr", "ternary", "toRawJson", "toString", "trim", "trimAll",
		"trimPrefix", "trimSuffix", "trunc", "upper",
	}
}

// meter bounds what the functions of one rendering take and give.
type meter struct{ left int }

// watch returns a function like f whose arguments and results count. Past the bound it panics with errTooMuchOutput, which the template
// engine turns into an error.
func (m *meter) watch(f any) any {
	function := reflect.ValueOf(f)
	call := function.Call
	if function.Type().IsVariadic() {
		call = function.CallSlice
	}
	return reflect.MakeFunc(function.Type(), func(arguments []reflect.Value) []reflect.Value {
		for _, argument := range arguments {
			m.count(argument)
		}
		results := call(arguments)
		m.count(results[0])
		return results
	}).Interface()
}

// join puts the parts of a list together with a separator, which counts as often as it is written.
func (m *meter) join(separator string, list any) string {
	parts := reflect.ValueOf(list)
	if parts.Kind() != reflect.Slice {
		return fmt.Sprint(list)
	}
	texts := make([]string, parts.Len())
	for i := range texts {
		texts[i] = fmt.Sprint(parts.Index(i).Interface())
		m.count(reflect.ValueOf(separator))
	}
	return strings.Join(texts, separator)
}

// replace puts another text in the place of each one, and counts it as often as it is written.
func (m *meter) replace(old, replacement, text string) string {
	for range strings.Count(text, old) {
		m.count(reflect.ValueOf(replacement))
	}
	return strings.ReplaceAll(text, old, replacement)
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

// costly finds what lets a few bytes of format make kilobytes: wide widths and precisions, and one argument printed many times.
var costly = regexp.MustCompile(`%[^a-zA-Z%]*([0-9]{4}|[*[])`)

// misprinted is how fmt tells, within the text, of a verb that does not fit its value, and of values that are too few or too many.
var misprinted = regexp.MustCompile(`(?s)%!.?\(`)

// literal is what a format says itself that looks so.
var literal = regexp.MustCompile(`(?s)%%!.?\(`)

// unlike is a value of the same length that can't be taken for a fault, nor look like one together with what stands around it.
func unlike(value string) string {
	return strings.NewReplacer("%", "_", "!", "_", "(", "_").Replace(value)
}

// narrowPrintf is printf without wide paddings and without indexes of arguments. It fails where fmt would tell of a fault.
func narrowPrintf(format string, values ...any) (string, error) {
	if costly.MatchString(format) {
		return "", errors.New("printf has a width or precision over 999, or an argument's index")
	}
	printable, plain := slices.Clone(values), slices.Clone(values)
	for i, value := range values {
		switch v := value.(type) {
		case json.Number:
			printable[i], plain[i] = number(v), number(v)
		case string:
			plain[i] = unlike(v)
		}
	}
	text := fmt.Sprintf(format, printable...)
	tells := func(text string) int { return len(misprinted.FindAllString(text, -1)) }
	said := len(literal.FindAllString(format, -1))
	if tells(text) > said+tells(fmt.Sprint(values...)) && tells(fmt.Sprintf(format, plain...)) > said {
		return "", errors.New("printf has a verb that does not fit its value, or a value too few or too many")
	}
	return text, nil
}

// number is a number of a JSON text, which prints as it is written, and by the verbs of integers and of fractions as well.
type number json.Number

// Format implements fmt.Formatter.
func (n number) Format(state fmt.State, verb rune) {
	var value any = string(n)
	switch {
	case strings.ContainsRune("bcdoOxXU", verb):
		if integer, err := json.Number(n).Int64(); err == nil {
			value = integer
		}
	case strings.ContainsRune("eEfFgG", verb):
		if fraction, err := json.Number(n).Float64(); err == nil {
			value = fraction
		}
	}
	_, _ = fmt.Fprintf(state, fmt.FormatString(state, verb), value)
}

// decodeBase64 fails where a text is not of the alphabet and padding of RFC 4648, section 4.
func decodeBase64(text string) (string, error) {
	value, err := base64.StdEncoding.DecodeString(text)
	return string(value), err
}

// decodeJSON leaves numbers as they are written, as those of the vendor's answer.
func decodeJSON(text string) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	return value, nil
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
