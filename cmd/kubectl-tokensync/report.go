package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// report writes all that is known of an OAuthToken, for a person. Events are nil where they may not be read.
func report(out io.Writer, token *v1alpha1.OAuthToken, events *corev1.EventList, now time.Time) {
	how := judge(token, now)
	lines := printers.GetNewTabWriter(out)
	say := func(name, format string, values ...any) {
		_, _ = fmt.Fprintf(lines, "%s:\t%s\n", name, oneLine(fmt.Sprintf(format, values...)))
	}
	say("Name", "%s", token.Name)
	say("Namespace", "%s", token.Namespace)
	say("Vendor", "%s", strings.TrimSpace(token.Spec.Vendor+" "+cmp.Or(token.Status.GrantType, string(token.Spec.GrantType))))
	say("State", "%s", how.sentence())
	if token.Status.ObservedGeneration != token.Generation && token.Status.ObservedGeneration > 0 {
		say("Note", "the operator has not looked at the last change of the spec yet")
	}
	reportToken(say, token, now)
	reportConsent(say, token, now)
	reportFailures(say, token, how, now)
	_ = lines.Flush()
	if how.grade != good {
		_, _ = fmt.Fprint(out, "\nWhat to do:\n")
		writeAdvice(out, token, how)
	}
	writeEvents(out, events, now)
}

func reportToken(say func(string, string, ...any), token *v1alpha1.OAuthToken, now time.Time) {
	status := token.Status
	switch end := status.ExpiresAt; {
	case end == nil:
		say("Token", "none")
	case end.After(now):
		say("Token", "ends %s", moment(now, end))
	default:
		say("Token", "ended %s", moment(now, end))
	}
	if status.IssuedAt != nil {
		say("Issued", "%s", moment(now, status.IssuedAt))
	}
	if status.SecretName != "" {
		say("Secret", "%s", status.SecretName)
	}
	if len(status.Scopes) > 0 {
		say("Scopes", "%s", strings.Join(status.Scopes, " "))
	}
	switch {
	case token.Spec.Suspend:
		say("Renewal", "suspended: `kubectl tokensync resume %s -n %s` ends that", token.Name, token.Namespace)
	case status.RenewalTime != nil:
		say("Renewal", "%s", moment(now, status.RenewalTime))
	}
}

func reportConsent(say func(string, string, ...any), token *v1alpha1.OAuthToken, now time.Time) {
	if r := token.Status.RefreshToken; r != nil {
		switch {
		case r.ExpiresAt == nil:
			say("Refresh token", "held; when it ends is not known")
		case r.ExpiresAt.After(now):
			say("Refresh token", "ends %s", moment(now, r.ExpiresAt))
		default:
			say("Refresh token", "ended %s", moment(now, r.ExpiresAt))
		}
	}
	if a := token.Status.Authorization; a != nil && a.Subject != "" {
		say("Authorized by", "%s", a.Subject)
	}
}

func reportFailures(say func(string, string, ...any), token *v1alpha1.OAuthToken, how verdict, now time.Time) {
	f := token.Status.Failures
	if f == nil || f.Count == 0 {
		return
	}
	parts := []string{counted(int(f.Count), "failed request", "failed requests in a row")}
	if f.LastTime != nil {
		parts = append(parts, "the last "+awayFrom(now, f.LastTime.Time))
	}
	if f.NextAttempt != nil && f.NextAttempt.After(now) && !token.Spec.Suspend {
		parts = append(parts, "the next "+awayFrom(now, f.NextAttempt.Time))
	}
	say("Failures", "%s", strings.Join(parts, ", "))
	if f.Reason != "" && f.Message != how.message { // else it follows below
		say("Last failure", "%s: %s", f.Reason, f.Message)
	}
}

// writeAdvice says what is wrong and what to do.
func writeAdvice(out io.Writer, token *v1alpha1.OAuthToken, how verdict) {
	for _, line := range advice(token, how) {
		_, _ = fmt.Fprintf(out, "  %s\n", oneLine(line))
	}
}

// advice is what is wrong and what to do.
func advice(token *v1alpha1.OAuthToken, how verdict) []string {
	if how.grade == silent {
		return []string{how.message, "kubectl get pods -A -l app.kubernetes.io/name=tokensync"}
	}
	lines := []string{how.reason + ": " + how.message}
	switch {
	case linkOf(token) != "":
		lines = append(lines, fmt.Sprintf("kubectl tokensync authorize %s -n %s", token.Name, token.Namespace))
	case token.Spec.Suspend:
		lines = append(lines, fmt.Sprintf("kubectl tokensync resume %s -n %s", token.Name, token.Namespace))
	}
	return append(lines, v1alpha1.FailureGuide(how.reason))
}

// writeEvents tells what happened, the latest last.
func writeEvents(out io.Writer, events *corev1.EventList, now time.Time) {
	switch {
	case events == nil:
		_, _ = fmt.Fprint(out, "\nEvents: you may not read them in this namespace\n")
		return
	case len(events.Items) == 0:
		_, _ = fmt.Fprint(out, "\nEvents: none of late\n")
		return
	}
	_, _ = fmt.Fprint(out, "\nEvents:\n")
	sorted := slices.SortedStableFunc(slices.Values(events.Items), func(a, b corev1.Event) int { return lastSeen(&a).Compare(lastSeen(&b)) })
	rows := printers.GetNewTabWriter(out)
	_, _ = fmt.Fprintln(rows, "  AGE\tTYPE\tREASON\tMESSAGE")
	for i := range sorted {
		event := &sorted[i]
		_, _ = fmt.Fprintf(rows, "  %s\t%s\t%s\t%s\n", duration.HumanDuration(now.Sub(lastSeen(event))), oneLine(event.Type), oneLine(event.Reason), oneLine(event.Message))
	}
	_ = rows.Flush()
}
