package main

import (
	"fmt"
)

// firstComplaint checks OAuthTokens one by one, and says whose complaint it is. There must be some.
func firstComplaint(tokens []tokenView, check func(tokenView) string) string {
	for _, t := range tokens {
		if complaint := check(t); complaint != "" {
			return t.name + ": " + complaint
		}
	}
	if len(tokens) == 0 {
		return "there is none"
	}
	return ""
}

func notReady(t tokenView) string {
	if t.ready.isTrue() {
		return ""
	}
	return fmt.Sprintf("Ready=%s, %s: %s", t.ready.status, t.ready.reason, t.ready.message)
}

// notHealthy complains about what is not Ready, and about what will not stay so.
func notHealthy(t tokenView) string {
	if t.failing.isTrue() {
		return fmt.Sprintf("RenewalFailing, %s: %s", t.failing.reason, t.failing.message)
	}
	return notReady(t)
}

func notReason(c condition, reason string) string {
	switch c.reason {
	case reason:
		return ""
	case "":
		return "it has no such condition"
	}
	return fmt.Sprintf("%s: %s", c.reason, c.message)
}
