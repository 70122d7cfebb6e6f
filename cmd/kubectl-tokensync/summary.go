package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// summarize writes how the OAuthTokens of a place stand, which of them need somebody, and what comes next. They are sorted by urgency.
func summarize(out io.Writer, place string, tokens []v1alpha1.OAuthToken, shown func(*v1alpha1.OAuthToken) string, now time.Time) {
	var numbers [good + 1]int
	for i := range tokens {
		numbers[judge(&tokens[i], now).grade]++
	}
	parts := []string{}
	for g := good; g >= helpless; g-- {
		if numbers[g] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", numbers[g], verdict{grade: g}.sentence()))
		}
	}
	_, _ = fmt.Fprintf(out, "%s: %s\n", place, counted(len(tokens), "OAuthToken", "OAuthTokens"))
	for _, part := range parts {
		_, _ = fmt.Fprintf(out, "  %s\n", part)
	}
	for i := range tokens {
		token := &tokens[i]
		if how := judge(token, now); how.grade != good {
			_, _ = fmt.Fprintf(out, "\n%s: %s%s\n", shown(token), how.sentence(), endClause(token, now))
			writeAdvice(out, token, how)
		}
	}
	writeNext(out, tokens, shown, now)
}

// endClause tells when a token that is served ends.
func endClause(token *v1alpha1.OAuthToken, now time.Time) string {
	if end := token.Status.ExpiresAt; end != nil && end.After(now) {
		return "; the token ends " + awayFrom(now, end.Time)
	}
	return ""
}

// writeNext names the next renewal, and suspended ones, which have none.
func writeNext(out io.Writer, tokens []v1alpha1.OAuthToken, shown func(*v1alpha1.OAuthToken) string, now time.Time) {
	var next *v1alpha1.OAuthToken
	var suspended []string
	for i := range tokens {
		token := &tokens[i]
		at := token.Status.RenewalTime
		switch {
		case token.Spec.Suspend:
			suspended = append(suspended, shown(token))
		case at != nil && judge(token, now).grade == good && (next == nil || at.Before(next.Status.RenewalTime)):
			next = token
		}
	}
	if next != nil || len(suspended) > 0 {
		_, _ = fmt.Fprintln(out)
	}
	if next != nil {
		_, _ = fmt.Fprintf(out, "Next renewal: %s, %s\n", shown(next), moment(now, next.Status.RenewalTime))
	}
	if len(suspended) > 0 {
		_, _ = fmt.Fprintf(out, "Suspended: %s\n", strings.Join(suspended, ", "))
	}
}
