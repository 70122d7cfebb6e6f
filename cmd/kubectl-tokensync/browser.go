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

// webPage reads an address that comes from a cluster: nothing but a web page is opened or shown as one.
func webPage(address string) (*url.URL, error) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Hostname() == "" || parsed.User != nil {
		return nil, errors.New("this is no address of a web page")
	}
	return parsed, nil
}

// openInBrowser uses what the desktop has for it.
func openInBrowser(ctx context.Context, address string) error {
	if _, err := webPage(address); err != nil {
		return err
	}
	program, arguments := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		program = "open"
	case "windows":
		program, arguments = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	browser := exec.CommandContext(context.WithoutCancel(ctx), program, arguments...) //nolint:gosec // a web page, checked above
	if err := browser.Start(); err != nil {
		return err
	}
	go func() { _ = browser.Wait() }() // it may run for as long as the person has it open
	return nil
}
