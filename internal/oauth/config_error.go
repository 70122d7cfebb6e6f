package oauth

import (
	"fmt"
	"slices"
	"strings"
)

// ConfigError is a fault in what the user stated: nothing is sent until it is mended. It names every fault at once, and never
// quotes a value that came from a Secret.
type ConfigError struct {
	// Reason is ReasonInvalidSpec, ReasonEndpointNotAllowed or ReasonCredentialsIncomplete: the first of these that applies.
	Reason Reason
	// Faults are sentences for the user, sorted, each with its remedy.
	Faults []string
}

// Error implements error: all faults, joined.
func (e *ConfigError) Error() string { return strings.Join(e.Faults, "; ") }

// faults collects what is wrong, by the reason that each fault alone would give.
type faults struct{ spec, endpoint, credentials []string }

func (f *faults) addSpec(format string, args ...any) {
	f.spec = append(f.spec, fmt.Sprintf(format, args...))
}

func (f *faults) addEndpoint(format string, args ...any) {
	f.endpoint = append(f.endpoint, fmt.Sprintf(format, args...))
}

func (f *faults) addCredentials(format string, args ...any) {
	f.credentials = append(f.credentials, fmt.Sprintf(format, args...))
}

// err is a *ConfigError with all faults, or nil. The spec comes first, since its mistakes may be the cause of the others.
func (f *faults) err() error {
	reason := ReasonCredentialsIncomplete
	switch {
	case len(f.spec) > 0:
		reason = ReasonInvalidSpec
	case len(f.endpoint) > 0:
		reason = ReasonEndpointNotAllowed
	case len(f.credentials) == 0:
		return nil
	}
	all := slices.Concat(f.spec, f.endpoint, f.credentials)
	slices.Sort(all)
	return &ConfigError{Reason: reason, Faults: slices.Compact(all)}
}

// quote shows a value of the spec, shortened: it is the user's own, but may be long.
func quote(value string) string {
	const longest = 80
	if runes := []rune(value); len(runes) > longest {
		value = string(runes[:longest]) + "…"
	}
	return fmt.Sprintf("%q", value)
}
