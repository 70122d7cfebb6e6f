package content

import (
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// NeedsAnswer tells whether a template uses what only the vendor's answer holds.
func NeedsAnswer(target v1alpha1.Target) bool {
	if target.Template == nil {
		return false
	}
	for key, source := range target.Template.Data {
		if parsed, err := parseTemplate(key, string(source)); err == nil && parsed.Tree != nil && usesExtra(parsed.Root) {
			return true
		}
	}
	return false
}

// usesExtra tells whether a template reads .Extra, by name or through the whole view, as in {{ toJson . }}.
func usesExtra(root *parse.ListNode) bool { return readsExtra(root, true) }

// readsExtra looks at a node and all below. atView tells whether the dot stands for the view there, and not for what a with or a range
// has chosen.
func readsExtra(node parse.Node, atView bool) bool {
	reads := func(node parse.Node) bool { return readsExtra(node, atView) }
	switch n := node.(type) {
	case *parse.ListNode:
		return n != nil && slices.ContainsFunc(n.Nodes, reads)
	case *parse.ActionNode:
		return reads(n.Pipe)
	case *parse.IfNode:
		return reads(n.Pipe) || reads(n.List) || reads(n.ElseList)
	case *parse.WithNode:
		return reads(n.Pipe) || readsExtra(n.List, false) || reads(n.ElseList)
	case *parse.RangeNode:
		return reads(n.Pipe) || readsExtra(n.List, false) || reads(n.ElseList)
	case *parse.PipeNode:
		return slices.ContainsFunc(n.Cmds, func(c *parse.CommandNode) bool { return slices.ContainsFunc(c.Args, reads) })
	case *parse.ChainNode:
		return reads(n.Node)
	case *parse.DotNode:
		return atView
	case *parse.FieldNode:
		return atView && n.Ident[0] == "Extra"
	case *parse.VariableNode:
		return n.Ident[0] == "$" && (len(n.Ident) == 1 || n.Ident[1] == "Extra")
	}
	return false
}

// ranges tells whether a template may have a range.
func ranges(t *template.Template) bool {
	return t.Tree != nil && strings.Contains(t.Root.String(), "{{range ")
}

// longest is the length of the longest list or object in a decoded JSON value.
func longest(value any) int {
	length := 0
	switch v := value.(type) {
	case map[string]any:
		length = len(v)
		for _, member := range v {
			length = max(length, longest(member))
		}
	case []any:
		length = len(v)
		for _, element := range v {
			length = max(length, longest(element))
		}
	}
	return length
}
