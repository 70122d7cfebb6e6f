// Command release builds what a release consists of. It runs in its own folder:
//
//	go -C hack/release run . licences                   # THIRD_PARTY_NOTICES; fails at a licence that is not allowed
//	go -C hack/release run . build v0.1.0 tokensync    # dist/v0.1.0, with the image tokensync:v0.1.0
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	switch {
	case len(arguments) == 3 && arguments[0] == "build":
		return build(ctx, os.Stdout, arguments[1], arguments[2])
	case len(arguments) == 1 && arguments[0] == "licences":
		linked, err := components(ctx, targets())
		if err != nil {
			return err
		}
		return writeNotices(linked)
	default:
		return errors.New("usage: licences, or: build VERSION IMAGE_REPOSITORY")
	}
}
