package actors

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"tokensync.dev/tokensync/internal/oauth/oauthtest"
	"tokensync.dev/tokensync/internal/portal/portaltest"
)

// RunPerson follows a link to its end, consenting on the way, and writes the title of the last page.
func RunPerson(ctx context.Context, out io.Writer, arguments []string) error {
	flags := flag.NewFlagSet("person", flag.ContinueOnError)
	link := flags.String("link", "", "where to begin")
	authority := flags.String("authority", "/etc/authority/ca.crt", "file with the certificates that are trusted (PEM)")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	trusted, err := os.ReadFile(*authority)
	if err != nil {
		return err
	}
	person, err := portaltest.New(trusted, map[string]string{"username": oauthtest.ExampleUsername, "password": oauthtest.ExamplePassword})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	title, err := person.Authorize(ctx, *link)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, title)
	return err
}
