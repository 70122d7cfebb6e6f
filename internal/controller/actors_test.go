package controller_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// fakeTime is a clock that a test steps. It begins now, since the API server's own times are real.
func fakeTime() *clocktesting.FakeClock {
	return clocktesting.NewFakeClock(time.Now().Truncate(time.Second))
}

// genericToken is an OAuthToken of vendor generic, for a client whose credentials have its own name.
func genericToken(w *world, name string, grant v1alpha1.GrantType, change ...func(*v1alpha1.OAuthToken)) *v1alpha1.OAuthToken {
	token := &v1alpha1.OAuthToken{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.OAuthTokenSpec{
			Vendor: "generic", GrantType: grant, CredentialsSecretRef: v1alpha1.SecretReference{Name: name + "-client"},
			Endpoints: &v1alpha1.Endpoints{TokenURL: v1alpha1.URL(w.vendor.TokenURL(oauthtest.Generic))},
		},
	}
	for _, c := range change {
		c(token)
	}
	return token
}

// register makes a client of vendor generic known, with a user of its name, and gives its credentials.
func (w *world) register(name string, client oauthtest.Client, pairs ...string) *corev1.Secret {
	client.Vendor, client.ID, client.Secret = oauthtest.Generic, name, "change-me"
	client.Grants = []string{oauthtest.ClientCredentials, oauthtest.Password, oauthtest.RefreshToken, oauthtest.SAML2Bearer}
	w.vendor.Register(client)
	w.vendor.SetPassword(oauthtest.User{Vendor: oauthtest.Generic, Username: name, Password: "change-me"})
	return credentials(name+"-client", append([]string{
		"client_id", name, "client_secret", "change-me", "username", name, "password", "change-me",
	}, pairs...)...)
}

// createSeeded makes an OAuthToken that begins with a refresh token obtained elsewhere, and returns that.
func (w *world) createSeeded(name string, client oauthtest.Client, change ...func(*v1alpha1.OAuthToken)) (seed string) {
	w.t.Helper()
	secret := w.register(name, client)
	seed = w.vendor.NewRefreshToken(oauthtest.Generic, name, "")
	secret.StringData["refresh_token"] = seed
	w.create(secret, genericToken(w, name, v1alpha1.GrantRefreshToken, change...))
	return seed
}

// createPlain makes an OAuthToken with the grant ClientCredentials.
func (w *world) createPlain(name string, client oauthtest.Client, change ...func(*v1alpha1.OAuthToken)) {
	w.t.Helper()
	w.create(w.register(name, client), genericToken(w, name, v1alpha1.GrantClientCredentials, change...))
}

// nudge has an OAuthToken looked at, as an edit of its metadata does.
func (w *world) nudge(name string) { w.annotate(name, "example.com/nudge") }

var nudges struct {
	sync.Mutex
	count int
}

func (w *world) annotate(name, annotation string) {
	w.t.Helper()
	nudges.Lock()
	nudges.count++
	value := strconv.Itoa(nudges.count)
	nudges.Unlock()
	edit(w, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: name}}, func(o *v1alpha1.OAuthToken) {
		o.Annotations = map[string]string{annotation: value}
	})
}

// pass lets time go by and has an OAuthToken looked at then.
func (w *world) pass(clock *clocktesting.FakeClock, span time.Duration, names ...string) {
	w.t.Helper()
	clock.Step(span)
	for _, name := range names {
		w.nudge(name)
	}
}

// requests counts a client's token requests.
func (w *world) requests(clientID string) int {
	return w.vendor.Count(oauthtest.Match{ClientID: clientID})
}

// awaitRequests waits until a client has made that many token requests.
func (w *world) awaitRequests(clientID string, n int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.vendor.Await(ctx, oauthtest.Match{ClientID: clientID}, n); err != nil {
		w.t.Fatal(err)
	}
}

// awaitServed waits until the target holds another access token than before, which is live, and returns it.
func (w *world) awaitServed(name, before string) string {
	w.t.Helper()
	served := ""
	w.eventually(func() string {
		if !w.exists(name) {
			return "no target Secret"
		}
		if served = w.served(name); served != before && w.vendor.IsLive(served) {
			return ""
		}
		return "no new token"
	})
	return served
}

// state names an OAuthToken's state Secret.
func state(name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name + v1alpha1.StateSecretSuffix}}
}

// served is the access token in a target Secret.
func (w *world) served(name string) string { return string(w.secret(name).Data["access_token"]) }

// stored is the refresh token in a state Secret.
func (w *world) stored(name string) string {
	return string(w.secret(name + v1alpha1.StateSecretSuffix).Data["refresh_token"])
}

// expect fails a test unless a client has made just that many token requests once the world has settled.
func (w *world) expect(clientID string, n int, when string) {
	w.t.Helper()
	w.settled()
	if got := w.requests(clientID); got != n {
		w.t.Errorf("%s: %d token requests, want %d", when, got, n)
	}
}

// diary notes each write to the API server, and how many requests the vendor had seen before it.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (w *world) keepDiary() *diary {
	d := &diary{}
	w.api.fail(func(r *http.Request) *http.Response {
		if what := writeOf(r); what != "" {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.lines = append(d.lines, fmt.Sprintf("%s after %d", what, w.vendor.Count(oauthtest.Match{})))
		}
		return nil
	})
	return d
}

func (d *diary) entries() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines)
}

// writeOf is what a request writes; empty for reads, trials and events.
func writeOf(r *http.Request) string {
	dry := strings.Contains(r.URL.RawQuery, "dryRun")
	switch {
	case r.Method == http.MethodGet || dry:
		return ""
	case strings.HasSuffix(r.URL.Path, "/status"):
		return "status"
	case isState(r):
		return "state"
	case strings.Contains(r.URL.Path, "/secrets"):
		return "target"
	}
	return ""
}

// isState tells whether a request is about a state Secret.
func isState(r *http.Request) bool {
	if strings.HasSuffix(r.URL.Path, v1alpha1.StateSecretSuffix) {
		return true
	}
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/secrets") || r.GetBody == nil {
		return false
	}
	body, err := r.GetBody()
	if err != nil {
		return false
	}
	text, _ := io.ReadAll(body)
	return bytes.Contains(text, []byte(v1alpha1.StateSecretSuffix))
}

// refuse is an API server's answer.
func refuse(status int) *http.Response {
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"message":"refused by the test"}`, status)
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}

// has tells whether a condition stands on an OAuthToken with that reason.
func has(token *v1alpha1.OAuthToken, kind, reason string) bool {
	return slices.ContainsFunc(token.Status.Conditions, func(c metav1.Condition) bool {
		return c.Type == kind && c.Status == metav1.ConditionTrue && c.Reason == reason
	})
}

// within fails a test where something took longer than a contract allows. The machine's load is allowed for.
func within(t *testing.T, began time.Time, limit time.Duration) {
	t.Helper()
	if took := time.Since(began); took > limit {
		t.Errorf("took %s, want at most %s", took, limit)
	}
}
