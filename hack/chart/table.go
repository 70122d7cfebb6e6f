package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// value is an entry of values.yaml that has a comment of its own.
type value struct {
	path    []string
	comment string
}

func (v value) name() string { return strings.Join(v.path, ".") }

// tableOf makes a table of a values file, in which a comment that begins with "# --" describes the key below it. A key without one must
// have keys of its own, and each of them a comment.
func tableOf(content []byte) ([]byte, error) {
	var defaults map[string]any
	if err := yaml.UnmarshalStrict(content, &defaults); err != nil {
		return nil, err
	}
	documented := described(content)
	if missing := undocumented(defaults, nil, documented); len(missing) > 0 {
		return nil, fmt.Errorf("no comment describes %s", strings.Join(missing, ", "))
	}
	var table bytes.Buffer
	table.WriteString("| value | default | meaning |\n|---|---|---|\n")
	for _, v := range documented {
		text, err := json.Marshal(at(defaults, v.path))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&table, "| `%s` | `%s` | %s |\n", v.name(), text, strings.ReplaceAll(v.comment, "|", `\|`))
	}
	return table.Bytes(), nil
}

var key = regexp.MustCompile(`^( *)([A-Za-z]+):`)

// described lists the keys with a comment, in the order of the file.
func described(content []byte) []value {
	var (
		values  []value
		path    []string
		comment []string
	)
	for line := range strings.Lines(string(content)) {
		text := strings.TrimSpace(line)
		switch found := key.FindStringSubmatch(line); {
		case strings.HasPrefix(text, "# -- "):
			comment = []string{strings.TrimPrefix(text, "# -- ")}
		case strings.HasPrefix(text, "# ") && comment != nil:
			comment = append(comment, strings.TrimPrefix(text, "# "))
		case found != nil:
			depth := len(found[1]) / 2
			if depth > len(path) {
				continue // in a list
			}
			path = append(path[:depth:depth], found[2])
			if comment != nil {
				values = append(values, value{path: path, comment: strings.Join(comment, " ")})
			}
			comment = nil
		}
	}
	return values
}

// undocumented names what neither has a comment nor lies under a key with one.
func undocumented(tree map[string]any, path []string, documented []value) []string {
	var missing []string
	for name, below := range tree {
		here := value{path: append(slices.Clip(path), name)}
		if covered(here.name(), documented) {
			continue
		}
		if deeper, is := below.(map[string]any); is && len(deeper) > 0 {
			missing = append(missing, undocumented(deeper, here.path, documented)...)
			continue
		}
		missing = append(missing, here.name())
	}
	return missing
}

func covered(name string, documented []value) bool {
	for _, v := range documented {
		if v.name() == name {
			return true
		}
	}
	return false
}

func at(tree any, path []string) any {
	for _, name := range path {
		below, _ := tree.(map[string]any)
		tree = below[name]
	}
	return tree
}
