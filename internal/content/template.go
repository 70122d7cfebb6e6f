package content

import (
	"errors"
	"fmt"
	"strings"
	"text/template"
	"text/template/parse"
)

// maxPlace is how many bytes a message quotes of the place in a template that fails.
const maxPlace = 80

// maxRange is how many entries a list of the vendor's answer may have where a template has a range.
const maxRange = 1000

// templateView is what a template of the target sees.
type templateView struct {
	AccessToken, TokenType, Authorization string
	ExpiresAt, IssuedAt                   string // RFC 3339, UTC
	Scope, IDToken                        string
	Extra                                 map[string]any
}

// renderTemplate renders one key. The template can do nothing but compute from the view: it can't call others, loop over anything but
// a list of the view, or use a function that reads from outside or allocates by argument. The error quotes no value.
func renderTemplate(key, source string, view templateView) ([]byte, error) {
	parsed, err := parseTemplate(key, source)
	if err != nil {
		return nil, err
	}
	if ranges(parsed) && longest(view.Extra) > maxRange {
		return nil, fmt.Errorf("template.data[%s] uses range, and the vendor's answer holds a list of more than %d entries: write out what is needed", key, maxRange)
	}
	out := &boundedBuffer{left: maxTemplateOutput}
	if err := parsed.Execute(out, view); err != nil {
		return nil, fmt.Errorf("template.data[%s] %s", key, executionFault(err))
	}
	return []byte(out.text.String()), nil
}

// parseTemplate reads a template and refuses what could run for long.
func parseTemplate(key, source string) (*template.Template, error) {
	parsed, err := template.New(key).Option("missingkey=error").Funcs(templateFunctions(&meter{left: maxTemplateWork})).Parse(source)
	if err != nil {
		return nil, fmt.Errorf("template.data[%s] is no valid template: %s", key, strings.TrimPrefix(err.Error(), "template: "))
	}
	if len(parsed.Templates()) > 1 || parsed.Tree != nil && unbounded(parsed.Root, false) {
		return nil, fmt.Errorf("template.data[%s] uses define, template or block, or a range that is nested or not over a field: write it out", key)
	}
	return parsed, nil
}

// unbounded tells whether a node could make a template run for long: a call of another template, or a range that is nested or goes over
// anything but a field, such as an integer.
func unbounded(node parse.Node, inRange bool) bool {
	switch n := node.(type) {
	case *parse.ListNode:
		return n != nil && anyUnbounded(n.Nodes, inRange)
	case *parse.TemplateNode:
		return true
	case *parse.RangeNode:
		return inRange || !overField(n.Pipe) || unbounded(n.List, true) || unbounded(n.ElseList, inRange)
	case *parse.IfNode:
		return unbounded(n.List, inRange) || unbounded(n.ElseList, inRange)
	case *parse.WithNode:
		return unbounded(n.List, inRange) || unbounded(n.ElseList, inRange)
	}
	return false
}

func anyUnbounded(nodes []parse.Node, inRange bool) bool {
	for _, node := range nodes {
		if unbounded(node, inRange) {
			return true
		}
	}
	return false
}

// overField tells whether a pipeline is nothing but a field of the view, which the vendor's answer bounds.
func overField(pipe *parse.PipeNode) bool {
	if len(pipe.Cmds) != 1 || len(pipe.Cmds[0].Args) != 1 {
		return false
	}
	_, ok := pipe.Cmds[0].Args[0].(*parse.FieldNode)
	return ok
}

// executionFault says in stable words what went wrong. The engine's own text may quote the view's values.
func executionFault(err error) string {
	if errors.Is(err, errTooMuchOutput) {
		return "renders more than a Secret can hold"
	}
	text := err.Error()
	if _, missing, ok := strings.Cut(text, "map has no entry for key "); ok {
		return fmt.Sprintf("uses %s, which the vendor's answer does not hold", missing)
	}
	if _, place, ok := strings.Cut(text, "executing "); ok {
		if place, _, ok = strings.Cut(place, ": "); ok {
			return "fails at " + strings.ToValidUTF8(place[:min(len(place), maxPlace)], "")
		}
	}
	return "fails when it is rendered"
}

var errTooMuchOutput = errors.New("too much output")

// boundedBuffer refuses more than its bound.
type boundedBuffer struct {
	text strings.Builder
	left int
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errTooMuchOutput
	}
	return b.text.Write(p)
}
