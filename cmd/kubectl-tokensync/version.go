package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

// version and commit are set by the linker.
var version, commit = "dev", "unknown" //nolint:gochecknoglobals // the linker sets them

func versionText() string {
	return fmt.Sprintf("kubectl-tokensync %s, commit %s, %s", version, commit, runtime.Version())
}

func newVersionCommand(s session) *cobra.Command {
	return &cobra.Command{
		Use: "version", Args: cobra.NoArgs, Short: "Print the version of the plugin", ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(s.Out, versionText())
			return err
		},
	}
}
