package load

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// Report collects figures, and says which goals are missed.
type Report struct {
	// Strict says that goals of time and memory are judged too: on a machine that does nothing else.
	Strict bool

	mu   sync.Mutex
	rows []row
}

type row struct {
	what, measured, goal string
	kept                 bool
	judged               bool
}

// Tell notes a figure that has no goal.
func (r *Report) Tell(what, format string, values ...any) {
	r.add(row{what: what, measured: fmt.Sprintf(format, values...)})
}

// Most notes a figure that must not be above a limit, in a unit.
func (r *Report) Most(what string, measured, limit float64, unit string) {
	r.add(row{
		what: what, measured: with(measured, unit), goal: "at most " + with(limit, unit),
		kept: measured <= limit, judged: true,
	})
}

// Timed is Most for time and memory, which depend on what else the machine does.
func (r *Report) Timed(what string, measured, limit float64, unit string) {
	if r.Strict {
		r.Most(what, measured, limit, unit)
		return
	}
	r.add(row{what: what, measured: with(measured, unit), goal: "at most " + with(limit, unit) + ", on a quiet machine"})
}

func with(n float64, unit string) string {
	if unit == "" {
		return number(n)
	}
	return number(n) + " " + unit
}

func number(n float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", n), "0"), ".")
}

// String is a line of the report's table.
func (r row) String() string {
	verdict := ""
	if r.judged {
		verdict = map[bool]string{true: "kept", false: "**missed**"}[r.kept]
	}
	return fmt.Sprintf("| %s | %s | %s | %s |", r.what, r.measured, r.goal, verdict)
}

// Close writes the table to a file, where one is named, and fails the test where a goal was missed.
func (r *Report) Close(t *testing.T, file string) {
	t.Helper()
	var table strings.Builder
	table.WriteString("| Figure | Measured | Goal | |\n|---|---|---|---|\n")
	for _, row := range r.rows {
		table.WriteString(row.String() + "\n")
		if row.judged && !row.kept {
			t.Errorf("missed: %s: %s, %s", row.what, row.measured, row.goal)
		}
	}
	if file == "" {
		return
	}
	if err := os.WriteFile(file, []byte(table.String()), 0o600); err != nil {
		t.Error(err)
	}
}

func (r *Report) add(added row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, added)
	fmt.Println(added)
}
