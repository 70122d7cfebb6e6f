package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
)

// weight is how much a finding matters.
type weight int

const (
	fine    weight = iota
	remark         // something to know
	warning        // something to change before it is of use in a cluster
	fault          // something that keeps a token from being issued
)

func (w weight) String() string { return [...]string{"ok", "note", "warning", "FAULT"}[w] }

// finding is one thing that a try of an OAuthToken found.
type finding struct {
	weight
	about, words string
}

// findings are what a try found, in the order of the try.
type findings struct {
	list   []finding
	claims []oauth.Claim // of the access token
}

func (f *findings) add(weight weight, about, format string, values ...any) {
	f.list = append(f.list, finding{weight, about, oneLine(fmt.Sprintf(format, values...))})
}

// addReason adds a fault of a reason, with the place where the documentation tells more.
func (f *findings) addReason(about, reason, message string) {
	f.add(fault, about, "%s: %s", reason, message)
	f.add(remark, about, "%s", v1alpha1.FailureGuide(reason))
}

func (f *findings) failed() bool {
	return slices.ContainsFunc(f.list, func(one finding) bool { return one.weight == fault })
}

// write tells what was found.
func (f *findings) write(out io.Writer, title string) {
	_, _ = fmt.Fprintln(out, oneLine(title))
	for _, one := range f.list {
		_, _ = fmt.Fprintf(out, "  %-8s %-13s %s\n", one.weight, one.about, one.words)
	}
	if len(f.claims) == 0 {
		return
	}
	_, _ = fmt.Fprintf(out, "  %-8s %-13s %s\n", remark, "claims", "what the access token, a JWT, states of itself; its signature is NOT verified:")
	for _, claim := range f.claims {
		_, _ = fmt.Fprintf(out, "  %s%-10s %s\n", strings.Repeat(" ", 23), claim.Name, oneLine(claim.Value))
	}
}
