package main

import (
	"fmt"

	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// dryRun is the value of --dry-run, as kubectl has it. It implements pflag.Value.
type dryRun string

const (
	dryRunNone   dryRun = "none"
	dryRunClient dryRun = "client" // nothing is sent
	dryRunServer dryRun = "server" // the API server judges, and keeps nothing
)

// String implements pflag.Value.
func (d *dryRun) String() string { return string(*d) }

// Type implements pflag.Value.
func (d *dryRun) Type() string { return "string" }

// Set implements pflag.Value.
func (d *dryRun) Set(text string) error {
	switch dryRun(text) {
	case dryRunNone, dryRunClient, dryRunServer:
		*d = dryRun(text)
		return nil
	}
	return fmt.Errorf("must be none, client or server")
}

func (d *dryRun) addFlag(flags *pflag.FlagSet) {
	*d = dryRunNone
	flags.Var(d, "dry-run", "client: only say what would be done; server: have the API server judge it, without keeping it; or none")
	flags.Lookup("dry-run").NoOptDefVal = string(dryRunServer)
}

// suffix is what is said beside what was not really done.
func (d *dryRun) suffix() string {
	switch *d {
	case dryRunClient:
		return " (dry run)"
	case dryRunServer:
		return " (server dry run)"
	case dryRunNone:
	}
	return ""
}

// keeps tells whether changes are made for good.
func (d *dryRun) keeps() bool { return *d == dryRunNone }

func (d *dryRun) patchOptions() []client.PatchOption {
	if *d == dryRunServer {
		return []client.PatchOption{client.DryRunAll}
	}
	return nil
}
