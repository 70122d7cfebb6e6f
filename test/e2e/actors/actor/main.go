// Command actor is one of the programs that play in a cluster beside the operator.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"tokensync.dev/tokensync/test/e2e/actors"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "actor:", err)
		os.Exit(1) //nolint:gocritic // the signal handler ends with the process
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("say who plays: vendor, caller or person")
	}
	switch who := arguments[0]; who {
	case "vendor":
		return actors.RunVendor(ctx, arguments[1:])
	case "caller":
		return actors.RunCaller(ctx, os.Stdout, arguments[1:])
	case "person":
		return actors.RunPerson(ctx, os.Stdout, arguments[1:])
	default:
		return fmt.Errorf("nobody is called %q: say vendor, caller or person", who)
	}
}
