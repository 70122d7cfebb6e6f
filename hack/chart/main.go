// Command chart keeps the Helm chart in step with what it is made of: it copies the manifests that the templates embed, and writes the table
// of values into the chart's README. It runs from the project's top folder.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const chart = "charts/tokensync"

// copies are the files that templates read, by their name in the chart's folder `files`. Helm reads nothing outside of a chart.
var copies = map[string]string{ //nolint:gochecknoglobals // a constant, if Go had such
	"crd.yaml":       "config/crd/bases/tokensync.dev_oauthtokens.yaml",
	"dashboard.json": "config/prometheus/dashboard.json",
	"role.yaml":      "config/rbac/role.yaml",
	"rules.yaml":     "config/prometheus/rules.yaml",
}

func main() {
	if err := errors.Join(embed(), document()); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func embed() error {
	for name, source := range copies {
		content, err := os.ReadFile(source) //nolint:gosec // of the list above
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(chart, "files", name), content, 0o600); err != nil { //nolint:gosec // of the list above
			return err
		}
	}
	return nil
}

const (
	tableBegins = "<!-- The table is made of values.yaml by `make generate`. -->\n"
	tableEnds   = "<!-- End of the table. -->\n"
)

// document puts the table of values between its two marks in the README.
func document() error {
	values, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		return err
	}
	table, err := tableOf(values)
	if err != nil {
		return fmt.Errorf("%s/values.yaml: %w", chart, err)
	}
	const readme = chart + "/README.md"
	text, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	before, rest, begins := bytes.Cut(text, []byte(tableBegins))
	_, after, ends := bytes.Cut(rest, []byte(tableEnds))
	if !begins || !ends {
		return fmt.Errorf("%s lacks the marks of the table", readme)
	}
	return os.WriteFile(readme, bytes.Join([][]byte{before, []byte(tableBegins), table, []byte(tableEnds), after}, nil), 0o600) //nolint:gosec // a constant path
}
