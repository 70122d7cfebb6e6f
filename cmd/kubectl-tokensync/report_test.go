package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tokensync.dev/tokensync/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// noon is when the reports are made.
var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// golden compares a text with that of a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

type change = func(*v1alpha1.OAuthToken)

// named is an OAuthToken of namespace shop.
func named(name string, ready metav1.ConditionStatus, reason string, changes ...change) *v1alpha1.OAuthToken {
	token := someToken(ready, reason, changes...)
	token.Namespace, token.Name, token.UID = "shop", name, types.UID(name)
	token.Spec.Vendor = "genesys-cloud"
	return token
}

// serving has a token that was issued twenty minutes ago and ends at a time.
func serving(in time.Duration) change {
	return func(o *v1alpha1.OAuthToken) {
		at := func(d time.Duration) *metav1.Time { t := metav1.NewTime(noon.Add(d)); return &t }
		o.Status.IssuedAt, o.Status.ExpiresAt, o.Status.RenewalTime = at(-20*time.Minute), at(in), at(in-20*time.Minute)
		o.Status.SecretName, o.Status.Scopes = "orders-token", []string{"orders", "offline_access"}
	}
}

func failedAt(count int32, reason string) change {
	return func(o *v1alpha1.OAuthToken) {
		last, next := metav1.NewTime(noon.Add(-2*time.Minute)), metav1.NewTime(noon.Add(6*time.Hour))
		o.Status.Failures = &v1alpha1.FailureStatus{Count: count, Reason: reason, Message: "The token endpoint refuses client_id or client_secret.", LastTime: &last, NextAttempt: &next}
	}
}

func suspended(o *v1alpha1.OAuthToken) { o.Spec.Suspend = true; o.Status.RenewalTime = nil }

// standings are OAuthTokens in every state.
func standings() map[string]*v1alpha1.OAuthToken {
	withRefresh := func(o *v1alpha1.OAuthToken) {
		o.Status.Authorization = &v1alpha1.AuthorizationStatus{Subject: "ada@example.com"}
		end := metav1.NewTime(noon.Add(720 * time.Hour))
		o.Status.RefreshToken = &v1alpha1.RefreshTokenStatus{ExpiresAt: &end}
	}
	unseen := named("unseen", "", "")
	unseen.Status = v1alpha1.OAuthTokenStatus{}
	return map[string]*v1alpha1.OAuthToken{
		"good":          named("good", "True", v1alpha1.ReasonTokenIssued, serving(time.Hour), withRefresh),
		"suspended":     named("suspended", "True", v1alpha1.ReasonTokenIssued, serving(30*time.Minute), suspended),
		"failing":       named("failing", "True", v1alpha1.ReasonTokenIssued, serving(40*time.Minute), with(v1alpha1.ConditionRenewalFailing, v1alpha1.ReasonInvalidClient), failedAt(3, v1alpha1.ReasonInvalidClient)),
		"asking":        named("asking", "True", v1alpha1.ReasonTokenIssued, serving(time.Hour), withRefresh, with(v1alpha1.ConditionAuthorizationRequired, v1alpha1.ReasonAuthorizationRequired), linked("https://tokens.example.com/authorize/ticket")),
		"waiting":       named("waiting", "False", v1alpha1.ReasonVendorUnavailable, with(v1alpha1.ConditionReconciling, v1alpha1.ReasonVendorUnavailable), failedAt(1, v1alpha1.ReasonVendorUnavailable)),
		"unconsented":   named("unconsented", "False", v1alpha1.ReasonAuthorizationRequired, with(v1alpha1.ConditionStalled, v1alpha1.ReasonAuthorizationRequired), linked("https://tokens.example.com/authorize/ticket")),
		"never-resumed": named("never-resumed", "False", v1alpha1.ReasonSuspended, with(v1alpha1.ConditionStalled, v1alpha1.ReasonSuspended), suspended),
		"unattended":    named("unattended", "True", v1alpha1.ReasonTokenIssued, serving(-time.Minute)),
		"unseen":        unseen,
		"behind":        named("behind", "True", v1alpha1.ReasonTokenIssued, serving(time.Hour), func(o *v1alpha1.OAuthToken) { o.Generation++ }),
		"hostile-answer": named("hostile-answer", "False", v1alpha1.ReasonInvalidRequest, with(v1alpha1.ConditionStalled, v1alpha1.ReasonInvalidRequest), func(o *v1alpha1.OAuthToken) {
			o.Status.Conditions[0].Message = "the vendor says:\n\x1b[2J\x1b]0;owned\a done"
		}),
	}
}

func TestReports(t *testing.T) {
	for name, token := range standings() {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			report(&out, token, &corev1.EventList{Items: []corev1.Event{
				{ObjectMeta: metav1.ObjectMeta{UID: "2"}, Type: "Warning", Reason: "InvalidClient", Message: "later", EventTime: metav1.NewMicroTime(noon.Add(-2 * time.Minute))},
				{ObjectMeta: metav1.ObjectMeta{UID: "1"}, Type: "Normal", Reason: "TokenIssued", Message: "earlier", EventTime: metav1.NewMicroTime(noon.Add(-20 * time.Minute))},
			}}, noon)
			golden(t, "reports/"+name, out.String())
			for _, forbidden := range []string{"\x1b", "\a"} {
				if strings.Contains(out.String(), forbidden) {
					t.Errorf("the terminal can be steered by %q", forbidden)
				}
			}
		})
	}
}

func TestReportsSayWhereEventsAreMissing(t *testing.T) {
	for want, events := range map[string]*corev1.EventList{"you may not read them": nil, "Events: none": {}} {
		var out strings.Builder
		report(&out, standings()["good"], events, noon)
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
}

// all is the standings, by urgency.
func all() []v1alpha1.OAuthToken {
	var tokens []v1alpha1.OAuthToken
	for _, token := range standings() {
		tokens = append(tokens, *token)
	}
	byUrgency(tokens, noon)
	return tokens
}

func TestSummaries(t *testing.T) {
	var out strings.Builder
	summarize(&out, "Namespace shop", all(), (&selection{}).shown, noon)
	golden(t, "summaries/mixed", out.String())
	out.Reset()
	summarize(&out, "All namespaces", []v1alpha1.OAuthToken{*standings()["good"]}, (&selection{allNamespaces: true}).shown, noon)
	golden(t, "summaries/good", out.String())
}

func TestTables(t *testing.T) {
	for name, shown := range map[string]table{"plain": {}, "wide": {wide: true, namespaces: true}, "bare": {noHeaders: true}} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := shown.write(&out, all(), noon); err != nil {
				t.Fatal(err)
			}
			golden(t, "tables/"+name, out.String())
		})
	}
}

func TestOnlyWhatIsWellNeedsNoAttention(t *testing.T) {
	well := map[string]bool{"good": true, "suspended": true, "behind": true}
	for name, token := range standings() {
		if err := attention([]v1alpha1.OAuthToken{*token}, noon); (err == nil) != well[name] {
			t.Errorf("%s: %v", name, err)
		}
	}
}
