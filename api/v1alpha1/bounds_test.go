package v1alpha1_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// bound is a limit in the schema, with a value at the limit and one beyond it.
type bound struct {
	name       string
	at, beyond any
	want       string
}

// testBounds shows that each limit of the schema holds where it stands and not one before.
func (s apiServer) testBounds(t *testing.T) {
	s.store(t)
	for _, f := range append(fieldsOf(t, "spec"), fieldsOf(t, "status")...) {
		for _, b := range boundsOf(f) {
			t.Run(f.path+" "+b.name, func(t *testing.T) {
				refused := s.try(t, f.path, with(sampleFor(t, f.path), f.path, b.beyond))
				if refused.code < 400 {
					t.Errorf("one beyond the bound is accepted")
				} else if message := refused.status(t).Message; !strings.Contains(message, b.want) {
					t.Errorf("refused with %.300q, want %q", message, b.want)
				}
				if b.at == nil {
					return
				}
				if got := s.try(t, f.path, with(sampleFor(t, f.path), f.path, b.at)); got.code >= 400 {
					t.Errorf("the bound itself is refused: %.300s", got.status(t).Message)
				}
			})
		}
	}
}

func boundsOf(f field) []bound {
	var bounds []bound
	s := f.schema
	if s.MaxLength != nil {
		n := int(*s.MaxLength)
		bounds = append(bounds, bound{"is no longer", textOf(f.path, n), textOf(f.path, n+1), fmt.Sprintf("Too long: may not be more than %d", n)})
	}
	if s.MaxItems != nil {
		n := int(*s.MaxItems)
		bounds = append(bounds, bound{"has no more items", itemsOf(f.path, n), itemsOf(f.path, n+1), fmt.Sprintf("must have at most %d items", n)})
	}
	if s.MaxProperties != nil {
		n := int(*s.MaxProperties)
		bounds = append(bounds, bound{"has no more entries", entriesOf(n), entriesOf(n + 1), fmt.Sprintf("must have at most %d ", n)})
	}
	if s.Maximum != nil {
		n := int64(*s.Maximum)
		bounds = append(bounds, bound{"is no greater", n, n + 1, "should be less than or equal to " + strconv.FormatInt(n, 10)})
	}
	if s.Minimum != nil {
		n := int64(*s.Minimum)
		bounds = append(bounds, bound{"is no less", n, n - 1, "should be greater than or equal to " + strconv.FormatInt(n, 10)})
	}
	if len(s.Enum) > 0 {
		var first string
		_ = json.Unmarshal(s.Enum[0].Raw, &first)
		bounds = append(bounds, bound{"is one of a few", nil, first + "x", `supported values: "` + first + `"`})
	}
	return bounds
}

// textOf is a text of this length that is good otherwise; nil where none can be that long, or none is good alone.
func textOf(path string, n int) any {
	prefix, filling := "", "a"
	switch {
	case strings.HasPrefix(path, "spec.endpoints."):
		prefix = "https://login.example/"
	case path == "spec.caBundle":
		filling = "A"
	case strings.HasSuffix(path, ".lifetime") || strings.HasPrefix(path, "spec.renewal."):
		if n <= maxDuration {
			return nil
		}
	}
	return prefix + strings.Repeat(filling, n-len(prefix))
}

// maxDuration is the limit of durations. It leaves room for leading zeros, but the rule is stricter.
const maxDuration = 32

// itemsOf is a list of n good items.
func itemsOf(path string, n int) []any {
	items := make([]any, n)
	for i := range items {
		switch path {
		case "status.conditions":
			items[i] = map[string]any{
				"type": "C" + strconv.Itoa(i), "status": "True", "reason": "R", "message": "", "lastTransitionTime": "2026-01-31T12:00:00Z",
			}
		case "status.recentFailures":
			items[i] = "2026-01-31T12:00:00Z"
		default:
			items[i] = "item" + strconv.Itoa(i)
		}
	}
	return items
}

// entriesOf is a map of n good entries.
func entriesOf(n int) map[string]any {
	entries := map[string]any{}
	for i := range n {
		entries["key"+strconv.Itoa(i)] = "value"
	}
	return entries
}
