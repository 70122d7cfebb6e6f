package main

import (
	"context"
	"errors"
	"net/url"
	"os/exec"
	"runtime"
)

// opener opens an address in a browser.
type opener func(ctx context.Context, address string) error

// openInBrowser uses what the desktop has for it. The address comes from a cluster: nothing but a web page is opened.
func openInBrowser(ctx context.Context, address string) error {
	if parsed, err := url.Parse(address); err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Host == "" {
		return errors.New("this is no address of a web page")
	}
	program, arguments := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		program = "open"
	case "windows":
		program, arguments = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	return exec.CommandContext(context.WithoutCancel(ctx), program, arguments...).Start() //nolint:gosec // a web page, checked above
}
