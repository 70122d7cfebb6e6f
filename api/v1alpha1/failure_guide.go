package v1alpha1

import "strings"

// FailureGuide is the address of what the documentation says about a reason, or about an event that warns: docs/failures.md has a section
// for each.
func FailureGuide(reason string) string {
	return "https://tokensync.dev/docs/failures#" + strings.ToLower(reason)
}
