package controller_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/controller"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// dawn is when the worlds of these tests begin. Their clocks stand still unless they are stepped.
var dawn = time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)

// newStillWorld makes a world whose clock stands still.
func newStillWorld(t *testing.T, options ...worldOption) (*world, *clocktesting.FakeClock) {
	t.Helper()
	hands := clocktesting.NewFakeClock(dawn)
	return newWorld(t, append(options, withClock(hands))...), hands
}

// refusals are the answers that only a person can do something about.
func refusals() map[string]failure {
	refusal := func(code, reason, remedy string) failure {
		return failure{oauthtest.OAuthError(code), reason, remedy, v1alpha1.ConditionStalled}
	}
	return map[string]failure{
		"invalid-client":    refusal("invalid_client", v1alpha1.ReasonInvalidClient, "Correct client_id and client_secret"),
		"invalid-grant":     refusal("invalid_grant", v1alpha1.ReasonInvalidGrant, "Correct the credentials Secret"),
		"invalid-scope":     refusal("invalid_scope", v1alpha1.ReasonInvalidScope, "Correct spec.scopes"),
		"invalid-request":   refusal("invalid_request", v1alpha1.ReasonInvalidRequest, "Check spec.parameters"),
		"unauthorized":      refusal("unauthorized_client", v1alpha1.ReasonUnauthorizedClient, "Allow it at the vendor"),
		"unsupported":       refusal("unsupported_grant_type", v1alpha1.ReasonUnsupportedGrantType, "Change spec.grantType"),
		"access-denied":     refusal("access_denied", v1alpha1.ReasonAccessDenied, "Check at the vendor"),
		"unknown-code":      refusal("custom_code", v1alpha1.ReasonInvalidRequest, "Check spec.parameters"),
		"status-401":        {oauthtest.Status(401, "text/plain", "no"), v1alpha1.ReasonInvalidClient, "Correct client_id", v1alpha1.ConditionStalled},
		"status-403":        {oauthtest.Status(403, "text/plain", "no"), v1alpha1.ReasonAccessDenied, "Check at the vendor", v1alpha1.ConditionStalled},
		"error-with-200":    {oauthtest.ErrorWithStatus200("invalid_client"), v1alpha1.ReasonInvalidClient, "Correct client_id", v1alpha1.ConditionStalled},
		"echoes-all-it-got": {oauthtest.EchoSecrets("invalid_client"), v1alpha1.ReasonInvalidClient, "Correct client_id", v1alpha1.ConditionStalled},
	}
}

// outages are the failures that end without anybody's doing.
func outages() map[string]failure {
	outage := func(fault oauthtest.Fault, reason, remedy string) failure {
		return failure{fault, reason, remedy, v1alpha1.ConditionReconciling}
	}
	unavailable := func(fault oauthtest.Fault, remedy string) failure {
		return outage(fault, v1alpha1.ReasonVendorUnavailable, remedy)
	}
	malformed := func(fault oauthtest.Fault, remedy string) failure {
		return outage(fault, v1alpha1.ReasonMalformedResponse, remedy)
	}
	const ask = "ask the vendor if this stays"
	return map[string]failure{
		"server-error":    unavailable(oauthtest.OAuthError("server_error"), ask),
		"status-500":      unavailable(oauthtest.Status(500, "text/html", "<p>oops</p>"), ask),
		"status-502":      unavailable(oauthtest.Status(502, "text/html", ""), ask),
		"status-503":      unavailable(oauthtest.Unavailable(nil), ask),
		"cut":             unavailable(oauthtest.Drop(), "cut the connection"),
		"cut-unread":      unavailable(oauthtest.DropUnread(), "cut the connection"),
		"cut-amid":        unavailable(oauthtest.DropMidAnswer(), "cut the connection"),
		"html":            malformed(oauthtest.HTMLPage(), "HTML"),
		"html-403":        malformed(oauthtest.Status(403, "text/html", "<p>no</p>"), "Check that the endpoint is right"),
		"status-404":      malformed(oauthtest.Status(404, "text/plain", "no"), "Correct the endpoint"),
		"empty-body":      malformed(oauthtest.EmptyBody(), "empty"),
		"two-mebibytes":   malformed(oauthtest.HugeBody(2<<20), "MiB"),
		"half-json":       malformed(oauthtest.HalfJSON(), ""),
		"no-token":        malformed(oauthtest.WithoutMember("access_token"), "access_token"),
		"empty-token":     malformed(oauthtest.Member("access_token", `""`), "access_token"),
		"number-as-token": malformed(oauthtest.Member("access_token", `7`), "access_token"),
		"token-type-mac":  malformed(oauthtest.Member("token_type", `"mac"`), "only Bearer"),
		"born-expired":    malformed(oauthtest.Member("expires_in", `-5`), "expires_in is negative"),
		"redirect-302":    malformed(oauthtest.Redirect(302, "https://elsewhere.acme.example/"), "correct the endpoint"),
		"redirect-307":    malformed(oauthtest.Redirect(307, "/generic/oauth2/token"), "correct the endpoint"),
	}
}

// throttlings are the answers that ask for a pause.
func throttlings() map[string]failure {
	throttling := func(fault oauthtest.Fault) failure {
		return failure{fault, v1alpha1.ReasonRateLimited, "Fewer OAuthTokens", v1alpha1.ConditionReconciling}
	}
	return map[string]failure{
		"status-429":     throttling(oauthtest.TooManyRequests(nil)),
		"429-with-pause": throttling(oauthtest.TooManyRequests(oauthtest.InSeconds(90))),
		"503-with-pause": throttling(oauthtest.Unavailable(oauthtest.AtDate(time.Minute))),
	}
}

// failure is what a vendor does, and what the user reads.
type failure struct {
	fault          oauthtest.Fault
	reason, remedy string
	condition      string // where no token is served: Stalled or Reconciling
}

func TestAFailedRequestIsExplained(t *testing.T) {
	t.Parallel()
	worlds := map[string]map[string]failure{"refusals": refusals(), "outages": outages()}
	for name, f := range throttlings() { // which must not throttle each other
		worlds[name] = map[string]failure{name: f}
	}
	for kind, failures := range worlds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w, hands := newStillWorld(t)
			for name, f := range failures {
				secret, token := w.generic(name)
				w.vendor.Fail(oauthtest.Match{ClientID: name}, f.fault)
				w.create(secret, token)
			}
			for name, f := range failures {
				checkExplained(t, w.awaitReady(name, metav1.ConditionFalse, f.reason), f)
			}
			w.settled()
			for name, f := range failures {
				if got := w.asked(name); got != 1 {
					t.Errorf("%s: %d requests while the clock stood still", name, got)
				}
				if got := w.events(name)[f.reason]; got != 1 {
					t.Errorf("%s: %d events of reason %s, want one", name, got, f.reason)
				}
			}
			// The same failure again: counted, and told to nobody once more.
			hands.Step(7 * time.Hour)
			for name := range failures {
				w.poke(name)
			}
			for name, f := range failures {
				again := w.awaitFailures(name, 2)
				checkExplained(t, again, f)
				if ready := meta.FindStatusCondition(again.Status.Conditions, v1alpha1.ConditionReady); !ready.LastTransitionTime.Time.Equal(dawn) {
					t.Errorf("%s: Ready flapped at the second failure", name)
				}
			}
			w.settled()
			for name, f := range failures {
				if got := w.events(name)[f.reason]; got != 1 {
					t.Errorf("%s: %d events after a second failure, want still one", name, got)
				}
			}
			w.leaksNothing(genericSecret)
		})
	}
}

// awaitFailures waits until that many requests have failed in a row.
func (w *world) awaitFailures(name string, count int32) *v1alpha1.OAuthToken {
	w.t.Helper()
	var token *v1alpha1.OAuthToken
	w.eventually(func() string {
		token = w.oauthToken(name)
		if f := token.Status.Failures; f != nil && f.Count >= count {
			return ""
		}
		return fmt.Sprintf("%s: want %d failures, have %+v", name, count, token.Status.Failures)
	})
	return token
}

// statusCode is the one number that a message may hold.
var statusCode = regexp.MustCompile(`HTTP status [1-5][0-9][0-9]|1 MiB|\(1\.2 or later|https?://\S+`)

func checkExplained(t *testing.T, token *v1alpha1.OAuthToken, f failure) {
	t.Helper()
	text := message(token, v1alpha1.ConditionReady)
	if !strings.Contains(text, f.remedy) {
		t.Errorf("%s: the message does not hold %q: %s", token.Name, f.remedy, text)
	}
	if strings.ContainsAny(statusCode.ReplaceAllString(text, ""), "0123456789") {
		t.Errorf("%s: the message holds a time or a count: %s", token.Name, text)
	}
	want := map[string]string{v1alpha1.ConditionStalled: controller.KStatusFailed, v1alpha1.ConditionReconciling: controller.KStatusInProgress}
	conforms(t, token, want[f.condition])
	if !meta.IsStatusConditionTrue(token.Status.Conditions, f.condition) || message(token, f.condition) != text {
		t.Errorf("%s: %s says %q, Ready %q", token.Name, f.condition, message(token, f.condition), text)
	}
	failures := token.Status.Failures
	if failures == nil || failures.LastTime == nil || failures.NextAttempt == nil || !failures.NextAttempt.After(failures.LastTime.Time) {
		t.Fatalf("%s: failures are %+v", token.Name, failures)
	}
	pause := failures.NextAttempt.Sub(failures.LastTime.Time)
	if slow := pause >= 6*time.Hour; slow != (f.condition == v1alpha1.ConditionStalled) {
		t.Errorf("%s: the next attempt is in %s", token.Name, pause)
	}
}

// leaksNothing looks for values in all objects but Secrets: status, conditions and events.
func (w *world) leaksNothing(values ...string) {
	w.t.Helper()
	for _, list := range []client.ObjectList{&v1alpha1.OAuthTokenList{}, &eventsv1.EventList{}} {
		if err := w.client.List(w.t.Context(), list, client.InNamespace(w.namespace)); err != nil {
			w.t.Fatal(err)
		}
		text := fmt.Sprintf("%+v", list)
		for _, value := range values {
			if strings.Contains(text, value) {
				w.t.Errorf("a %T holds %q", list, value)
			}
		}
	}
}

func TestEndpointsThatCantBeReachedAreExplained(t *testing.T) {
	t.Parallel()
	closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	w, _ := newStillWorld(t, withPlatform(func(p *declaration.Platform) {
		p.AllowedHosts = append(p.AllowedHosts, "*.invalid:80", refusing)
		p.InsecureHTTPHosts = append(p.InsecureHTTPHosts, "*.invalid", refusing)
	}))
	plain := strings.Replace(w.vendor.TokenURL(oauthtest.Generic), "http:", "https:", 1)
	for name, test := range map[string]struct{ url, remedy string }{
		"refusing": {"http://" + refusing + "/token", "refuses connections. Check the endpoint and its port"},
		"no-name":  {"http://nowhere.invalid/token", "Check the "},
		"no-tls":   {plain, "does not speak TLS"},
	} {
		secret, token := w.generic(name, func(o *v1alpha1.OAuthToken) { o.Spec.Endpoints.TokenURL = v1alpha1.URL(test.url) })
		w.create(secret, token)
		checkExplained(t, w.awaitReady(name, metav1.ConditionFalse, v1alpha1.ReasonVendorUnavailable),
			failure{reason: v1alpha1.ReasonVendorUnavailable, remedy: test.remedy, condition: v1alpha1.ConditionReconciling})
	}
	w.wantAsked("", 0)
}

func TestRequestsAreCountedByVendorAndResult(t *testing.T) {
	t.Parallel()
	w := newIdleWorld(t, withClock(clocktesting.NewFakeClock(dawn)))
	entry := fmt.Sprintf("name: counted-example\ntitle: Counted\ndocumentation: https://docs.acme.example\nendpoints:\n  tokenURL: %s\n"+
		"clientAuthentication: ClientSecretBasic\ngrants:\n  ClientCredentials: {}\nrefreshTokenRotation: Unknown\n", w.vendor.TokenURL(oauthtest.Generic))
	if err := os.WriteFile(filepath.Join(w.vendors, "counted.yaml"), []byte(entry), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	counted := func(o *v1alpha1.OAuthToken) { o.Spec.Vendor, o.Spec.Endpoints = "counted-example", nil }
	want := map[string]float64{"success": 1, "InvalidClient": 1, "VendorUnavailable": 1, "MalformedResponse": 1, "RateLimited": 1}
	for name, fault := range map[string]oauthtest.Fault{
		"success": {}, "InvalidClient": oauthtest.OAuthError("invalid_client"), "VendorUnavailable": oauthtest.Drop(),
		"MalformedResponse": oauthtest.EmptyBody(), "RateLimited": oauthtest.TooManyRequests(oauthtest.InSeconds(5)),
	} {
		id := strings.ToLower(name)
		secret, token := w.generic(id, counted)
		w.vendor.Fail(oauthtest.Match{ClientID: id}, fault)
		w.create(secret, token)
	}
	w.eventually(func() string {
		if n := w.asked(""); n != len(want) {
			return fmt.Sprintf("%d requests so far", n)
		}
		return ""
	})
	w.settled()
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "tokensync_token_requests_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, pair := range m.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			if labels["vendor"] == "counted-example" && labels["grant"] == "ClientCredentials" {
				if got := m.GetCounter().GetValue(); got != want[labels["result"]] {
					t.Errorf("result %s was counted %v times", labels["result"], got)
				}
				delete(want, labels["result"])
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("no series for %v", want)
	}
}

func TestATokenIsServedWhileItsRenewalFails(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]failure{"refused": refusals()["invalid-client"], "out": outages()["status-503"]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, hands := newStillWorld(t)
			secret, token := w.generic(name)
			w.create(secret, token)
			served := w.awaitReady(name, metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
			takeBack := w.vendor.Fail(oauthtest.Match{ClientID: name}, f.fault)
			hands.SetTime(served.Status.RenewalTime.Time)
			w.poke(name)
			failing := w.awaitCondition(name, v1alpha1.ConditionRenewalFailing, metav1.ConditionTrue, f.reason)
			conforms(t, failing, controller.KStatusCurrent)
			if text := message(failing, v1alpha1.ConditionRenewalFailing); !strings.Contains(text, f.remedy) {
				t.Errorf("RenewalFailing says %q", text)
			}
			hands.SetTime(served.Status.ExpiresAt.Add(-time.Second))
			w.poke(name)
			w.settled()
			conforms(t, w.awaitReady(name, metav1.ConditionTrue, v1alpha1.ReasonTokenIssued), controller.KStatusCurrent)
			hands.SetTime(served.Status.ExpiresAt.Time)
			w.poke(name)
			expired := w.awaitReady(name, metav1.ConditionFalse, f.reason)
			if meta.FindStatusCondition(expired.Status.Conditions, v1alpha1.ConditionRenewalFailing) != nil {
				t.Error("RenewalFailing is there although no token is served")
			}
			takeBack()
			hands.SetTime(expired.Status.Failures.NextAttempt.Time)
			w.poke(name)
			recovered := w.awaitReady(name, metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
			conforms(t, recovered, controller.KStatusCurrent)
			if len(recovered.Status.Conditions) != 1 || recovered.Status.Failures != nil {
				t.Errorf("after recovery: %+v, failures %+v", recovered.Status.Conditions, recovered.Status.Failures)
			}
		})
	}
}

// liveThrough steps the clock from one attempt to the next until a span is over, and returns the requests made in it.
func (w *world) liveThrough(hands *clocktesting.FakeClock, name string, span time.Duration) int {
	w.t.Helper()
	for end := hands.Now().Add(span); ; {
		token := w.awaitFailures(name, 1)
		next := token.Status.Failures.NextAttempt.Time
		if next.After(end) {
			return w.asked(name)
		}
		hands.SetTime(next)
		w.poke(name)
		w.awaitFailures(name, token.Status.Failures.Count+1)
	}
}

func TestADayOfFailuresCostsFewRequests(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		failure failure
		limit   int
	}{
		"refused-all-day": {refusals()["invalid-client"], 5},
		"out-all-day":     {outages()["status-503"], 200},
		"page-all-day":    {outages()["html"], 200},
		"silent-all-day":  {outages()["cut"], 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, hands := newStillWorld(t)
			secret, token := w.generic(name)
			w.vendor.Fail(oauthtest.Match{ClientID: name}, test.failure.fault)
			w.create(secret, token)
			asked := w.liveThrough(hands, name, 24*time.Hour)
			t.Logf("%d requests in a day", asked)
			if asked < 4 || asked > test.limit {
				t.Errorf("%d requests in a day, want at most %d, and some", asked, test.limit)
			}
			if got := w.events(name)[test.failure.reason]; got != 1 {
				t.Errorf("%d events, want one for the one problem", got)
			}
		})
	}
}

func TestARestartAmidABackOffAsksNobody(t *testing.T) {
	t.Parallel()
	failing := map[string]failure{"refused": refusals()["invalid-client"], "out": outages()["status-503"], "throttled": throttlings()["429-with-pause"]}
	for name, f := range failing {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, hands := newStillWorld(t)
			secret, token := w.generic(name)
			w.vendor.Fail(oauthtest.Match{ClientID: name}, f.fault)
			w.create(secret, token)
			next := w.awaitReady(name, metav1.ConditionFalse, f.reason).Status.Failures.NextAttempt.Time
			hands.SetTime(next.Add(-time.Second))
			w.stop()
			w.start()
			w.poke(name)
			w.wantAsked(name, 1)
			hands.SetTime(next)
			w.poke(name)
			w.awaitFailures(name, 2)
		})
	}
}

func TestAWipedStatusCostsNoRequestWhileTheTokenIsGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, token := w.generic("wiped")
	w.create(secret, token)
	before := w.awaitReady("wiped", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.updateStatus("wiped", func(s *v1alpha1.OAuthTokenStatus) { *s = v1alpha1.OAuthTokenStatus{} })
	after := w.awaitReady("wiped", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	if !after.Status.ExpiresAt.Equal(before.Status.ExpiresAt) || !after.Status.RenewalTime.Equal(before.Status.RenewalTime) {
		t.Errorf("before: %+v, after: %+v", before.Status, after.Status)
	}
	w.wantAsked("wiped", 1)
}

// refuseStatus lets the API server answer every write of a status with an error, and returns how many it refused so far.
func (w *world) refuseStatus() (refused func() int) {
	count := make(chan int, 1)
	count <- 0
	w.api.fail(func(r *http.Request) *http.Response {
		if r.Method != http.MethodPatch || !strings.HasSuffix(r.URL.Path, "/status") {
			return nil
		}
		count <- 1 + <-count
		return &http.Response{
			StatusCode: http.StatusInternalServerError, Request: r, Header: http.Header{"Content-Type": {"text/plain"}},
			Body: io.NopCloser(strings.NewReader("etcd is away")),
		}
	})
	return func() int {
		n := <-count
		count <- n
		return n
	}
}

func TestAStatusThatCantBeWrittenMakesNoHotLoop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault  oauthtest.Fault
		ready  metav1.ConditionStatus
		reason string
	}{
		"after-a-refusal": {oauthtest.OAuthError("invalid_client"), metav1.ConditionFalse, v1alpha1.ReasonInvalidClient},
		"after-an-outage": {oauthtest.Drop(), metav1.ConditionFalse, v1alpha1.ReasonVendorUnavailable},
		"after-a-success": {oauthtest.Fault{}, metav1.ConditionTrue, v1alpha1.ReasonTokenIssued},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newStillWorld(t)
			refused := w.refuseStatus()
			secret, token := w.generic(name)
			w.vendor.Fail(oauthtest.Match{ClientID: name}, test.fault)
			w.create(secret, token)
			w.eventually(func() string {
				if n := refused(); n < 8 {
					return fmt.Sprintf("%d writes were refused so far", n)
				}
				return ""
			})
			w.api.fail(nil)
			w.awaitReady(name, test.ready, test.reason)
			w.wantAsked(name, 1)
			if got := w.events(name)[test.reason]; got != 1 {
				t.Errorf("%d events of reason %s, want one", got, test.reason)
			}
		})
	}
}

func TestAThrottledClientWaitsAndOthersDoNot(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]oauthtest.RetryAfter{"seconds": oauthtest.InSeconds(100), "date": oauthtest.AtDate(100 * time.Second)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, hands := newStillWorld(t)
			w.vendor.Fail(oauthtest.Match{ClientID: "noisy"}, oauthtest.TooManyRequests(pause), oauthtest.Times(1))
			secret, token := w.generic("noisy")
			w.create(secret, token)
			throttled := w.awaitReady("noisy", metav1.ConditionFalse, v1alpha1.ReasonRateLimited)
			next := throttled.Status.Failures.NextAttempt.Time
			if wait := next.Sub(dawn); wait < 100*time.Second || wait > 111*time.Second {
				t.Errorf("the pause of 100 s is kept for %s", wait)
			}
			quiet, other := w.generic("quiet")
			w.create(quiet, other)
			w.awaitReady("quiet", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)

			_, sibling := w.generic("noisy", func(o *v1alpha1.OAuthToken) { o.Name = "sibling" }) // of the same client
			w.create(sibling)
			conforms(t, w.awaitReady("sibling", metav1.ConditionFalse, v1alpha1.ReasonRateLimited), controller.KStatusInProgress)
			hands.SetTime(dawn.Add(99 * time.Second))
			w.poke("noisy")
			w.poke("sibling")
			w.wantAsked("noisy", 1)
			hands.SetTime(next)
			w.poke("noisy")
			w.poke("sibling")
			w.awaitReady("noisy", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
			w.awaitReady("sibling", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
			w.wantAsked("noisy", 3)
		})
	}
}

// Ten who wait at an endpoint want no token any more when it is their turn. Their places are free at once for a newcomer.
func TestWhoIsCalledAndWantsNothingLosesNoPlace(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world, name string){
		"since it is suspended": func(w *world, name string) {
			edit(w, named(name), func(o *v1alpha1.OAuthToken) { o.Spec.Suspend = true })
		},
		"since its credentials are gone": func(w *world, name string) {
			w.delete(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name + "-client"}})
		},
		"at this endpoint": func(w *world, name string) {
			edit(w, named(name), func(o *v1alpha1.OAuthToken) { o.Spec.Endpoints.TokenURL += "?another" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantNothing(t, change)
		})
	}
}

// places are how many requests may be under way to one endpoint.
const places = 10

// takeAllPlaces has requests of others hang at the vendor's token endpoint, until what it returns is closed.
func (w *world) takeAllPlaces() (release chan struct{}) {
	w.t.Helper()
	release = make(chan struct{})
	w.vendor.Fail(oauthtest.Match{Endpoint: oauthtest.AnyEndpoint}, oauthtest.Held(release), oauthtest.Times(places))
	for i := range places {
		secret, token := w.generic(fmt.Sprintf("inside-%d", i))
		w.create(secret, token)
	}
	w.eventually(func() string {
		if n := w.vendor.MostInFlight(oauthtest.Generic); n != places {
			return fmt.Sprintf("%d requests are under way", n)
		}
		return ""
	})
	return release
}

// wantNothing has as many be called at once, for whom there is nothing to do, as there are places.
func wantNothing(t *testing.T, change func(w *world, name string)) {
	t.Helper()
	w, _ := newStillWorld(t)
	release := w.takeAllPlaces()
	for i := range places {
		secret, token := w.generic(fmt.Sprintf("waits-%d", i))
		w.create(secret, token)
	}
	w.settled()
	for i := range places {
		change(w, fmt.Sprintf("waits-%d", i))
	}
	w.settled()
	close(release)
	secret, newcomer := w.generic("newcomer")
	w.create(secret, newcomer)
	w.awaitReady("newcomer", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
}

// Two endpoints hang, with as many OAuthTokens as there are workers. When they ask again, workers are left for a third endpoint.
func TestEndpointsThatHangLeaveWorkersToOthers(t *testing.T) {
	t.Parallel()
	const each = 10
	w, hands := newStillWorld(t, func(w *world) { w.workers = 2 * each })
	release, never := make(chan struct{}), make(chan struct{})
	defer close(never)
	var names []string
	for _, endpoint := range []string{"a", "b"} {
		for i := range each {
			name := fmt.Sprintf("%s-%d", endpoint, i)
			names = append(names, name)
			w.vendor.Fail(oauthtest.Match{ClientID: name}, oauthtest.HeldAndDropped(release), oauthtest.Times(1))
			w.vendor.Fail(oauthtest.Match{ClientID: name}, oauthtest.Held(never))
			secret, token := w.generic(name)
			token.Spec.Endpoints.TokenURL += v1alpha1.URL("?endpoint=" + endpoint)
			w.create(secret, token)
		}
	}
	pending := func(want int) {
		t.Helper()
		w.eventually(func() string {
			if n := w.vendor.Count(oauthtest.Match{Endpoint: oauthtest.TokenEndpoint, Outcome: oauthtest.Pending}); n != want {
				return fmt.Sprintf("%d requests hang, want %d", n, want)
			}
			return ""
		})
	}
	pending(2 * each)
	hands.Step(30 * time.Second)
	close(release)
	for _, name := range names {
		w.awaitFailures(name, 1)
	}
	hands.Step(6 * time.Second)
	for _, name := range names {
		w.poke(name)
	}
	pending(2)
	secret, token := w.generic("elsewhere")
	w.create(secret, token)
	w.awaitReady("elsewhere", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	pending(2)
}

func TestTwoThrottledClientsAreAThrottledEndpoint(t *testing.T) {
	t.Parallel()
	w, hands := newStillWorld(t)
	var latest time.Time
	for _, name := range []string{"first", "second"} {
		w.vendor.Fail(oauthtest.Match{ClientID: name}, oauthtest.TooManyRequests(oauthtest.InSeconds(100)), oauthtest.Times(1))
		secret, token := w.generic(name)
		w.create(secret, token)
		next := w.awaitReady(name, metav1.ConditionFalse, v1alpha1.ReasonRateLimited).Status.Failures.NextAttempt.Time
		if next.After(latest) {
			latest = next
		}
	}
	secret, token := w.generic("third")
	w.create(secret, token)
	w.awaitReady("third", metav1.ConditionFalse, v1alpha1.ReasonRateLimited)
	w.wantAsked("third", 0)
	elsewhere := genesys("elsewhere", "client") // another endpoint
	w.create(genesysClient("client"), elsewhere)
	w.awaitReady("elsewhere", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	hands.SetTime(latest)
	for _, name := range []string{"first", "second", "third"} {
		w.poke(name)
		w.awaitReady(name, metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	}
}

func TestOnlyASlowRequestIsAnnounced(t *testing.T) {
	t.Parallel()
	w, hands := newStillWorld(t)
	release := make(chan struct{})
	w.vendor.Fail(oauthtest.Match{ClientID: "slow"}, oauthtest.Held(release))
	secret, token := w.generic("slow")
	w.create(secret, token)
	w.eventually(func() string {
		if w.vendor.Count(oauthtest.Match{ClientID: "slow", Outcome: oauthtest.Pending}) == 0 || !hands.HasWaiters() {
			return "the request is not under way"
		}
		return ""
	})
	hands.Step(2*time.Second - 1)
	w.settled()
	if c := w.oauthToken("slow").Status.Conditions; c != nil {
		t.Errorf("before 2 s: %+v", c)
	}
	hands.Step(1)
	conforms(t, w.awaitReady("slow", metav1.ConditionFalse, v1alpha1.ReasonRequesting), controller.KStatusInProgress)
	close(release)
	w.awaitReady("slow", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.wantAsked("slow", 1)
	if got := w.events("slow")[v1alpha1.ReasonRequesting]; got != 0 {
		t.Error("an event tells of a slow request")
	}
}

func TestASuspendedOAuthTokenAsksForNothingAndIsRepaired(t *testing.T) {
	t.Parallel()
	w, hands := newStillWorld(t)
	suspend := func(name string, value bool) {
		edit(w, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: name}}, func(o *v1alpha1.OAuthToken) { o.Spec.Suspend = value })
	}
	secret, token := w.generic("resting", func(o *v1alpha1.OAuthToken) { o.Spec.Suspend = true })
	w.create(secret, token)
	conforms(t, w.awaitReady("resting", metav1.ConditionFalse, v1alpha1.ReasonSuspended), controller.KStatusFailed)
	w.wantAsked("resting", 0)
	suspend("resting", false)
	served := w.awaitReady("resting", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)

	suspend("resting", true)
	edit(w, w.secret("resting"), func(s *corev1.Secret) { s.Data["token_type"] = []byte("edited") })
	w.eventually(func() string {
		if string(w.secret("resting").Data["token_type"]) != "Bearer" {
			return "the edit is not undone"
		}
		return ""
	})
	if resting := w.awaitReady("resting", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued); resting.Status.RenewalTime != nil {
		t.Error("a renewal time is announced while suspended")
	}
	w.wantAsked("resting", 1)

	hands.SetTime(served.Status.ExpiresAt.Time)
	w.poke("resting")
	conforms(t, w.awaitReady("resting", metav1.ConditionFalse, v1alpha1.ReasonTokenExpired), controller.KStatusFailed)
	edit(w, w.oauthToken("resting"), func(o *v1alpha1.OAuthToken) {
		metav1.SetMetaDataAnnotation(&o.ObjectMeta, v1alpha1.RenewRequestedAtAnnotation, "now")
	})
	w.wantAsked("resting", 1)
	suspend("resting", false)
	w.awaitReady("resting", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.wantAsked("resting", 2)
}

func TestARenewalThatIsAskedForIsMadeOnce(t *testing.T) {
	t.Parallel()
	w, hands := newStillWorld(t)
	secret, token := w.generic("asked")
	w.create(secret, token)
	w.awaitReady("asked", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	ask := func(value string) {
		hands.Step(time.Minute)
		edit(w, w.oauthToken("asked"), func(o *v1alpha1.OAuthToken) {
			metav1.SetMetaDataAnnotation(&o.ObjectMeta, v1alpha1.RenewRequestedAtAnnotation, value)
		})
	}
	handled := func(want string) {
		t.Helper()
		w.settled()
		if got := w.oauthToken("asked").Status.LastHandledRenewRequest; got != want {
			t.Errorf("status says that %q was handled, want %q", got, want)
		}
		if got := w.secret("asked").Annotations[v1alpha1.RenewHandledAnnotation]; got != want {
			t.Errorf("the target says that %q was handled, want %q", got, want)
		}
	}
	ask("monday")
	handled("monday")
	w.wantAsked("asked", 2)
	w.updateStatus("asked", func(s *v1alpha1.OAuthTokenStatus) { *s = v1alpha1.OAuthTokenStatus{} })
	w.stop()
	w.start()
	handled("monday")
	w.wantAsked("asked", 2)

	takeBack := w.vendor.Fail(oauthtest.Match{ClientID: "asked"}, oauthtest.OAuthError("invalid_client"))
	ask(strings.Repeat("tuesday", 1000))
	w.awaitCondition("asked", v1alpha1.ConditionRenewalFailing, metav1.ConditionTrue, v1alpha1.ReasonInvalidClient)
	for range 5 {
		hands.Step(time.Minute)
		w.poke("asked")
		w.settled()
	}
	w.wantAsked("asked", 3)
	takeBack()
	ask("wednesday") // a person knows that the cause is gone
	handled("wednesday")
	w.wantAsked("asked", 4)
	hands.Step(time.Minute)
	edit(w, w.oauthToken("asked"), func(o *v1alpha1.OAuthToken) {
		o.Annotations, o.Labels = map[string]string{v1alpha1.RenewRequestedAtAnnotation: "wednesday", "note": "x"}, map[string]string{"team": "shop"}
	})
	w.wantAsked("asked", 4)
}

func TestAFirstTokenThatFailedIsAskedForAgainByAnnotation(t *testing.T) {
	t.Parallel()
	w, hands := newStillWorld(t)
	secret, token := w.generic("asked")
	metav1.SetMetaDataAnnotation(&token.ObjectMeta, v1alpha1.RenewRequestedAtAnnotation, "as delivered")
	takeBack := w.vendor.Fail(oauthtest.Match{ClientID: "asked"}, oauthtest.OAuthError("unauthorized_client"))
	w.create(secret, token)
	refused := func(requests int, handled string) {
		t.Helper()
		w.eventually(func() string { return cmp.Diff(handled, w.oauthToken("asked").Status.LastHandledRenewRequest) })
		w.awaitReady("asked", metav1.ConditionFalse, v1alpha1.ReasonUnauthorizedClient)
		hands.Step(time.Minute)
		w.poke("asked")
		w.wantAsked("asked", requests)
	}
	ask := func(value string) {
		edit(w, w.oauthToken("asked"), func(o *v1alpha1.OAuthToken) {
			metav1.SetMetaDataAnnotation(&o.ObjectMeta, v1alpha1.RenewRequestedAtAnnotation, value)
		})
	}
	refused(1, "as delivered")
	ask("perhaps now")
	refused(2, "perhaps now")
	takeBack()
	ask("the vendor says that it is allowed")
	w.awaitReady("asked", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.wantAsked("asked", 3)
}

func TestAClockThatJumpsCostsFewRequests(t *testing.T) {
	t.Parallel()
	w, hands := newStillWorld(t)
	healthy, token := w.generic("healthy")
	w.create(healthy, token)
	w.awaitReady("healthy", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	broken, other := w.generic("broken")
	w.vendor.Fail(oauthtest.Match{ClientID: "broken"}, oauthtest.OAuthError("invalid_client"))
	w.create(broken, other)
	w.awaitReady("broken", metav1.ConditionFalse, v1alpha1.ReasonInvalidClient)
	jumps := []time.Duration{5 * time.Hour, -9 * time.Hour, 2 * time.Hour, -24 * time.Hour, 48 * time.Hour}
	for _, jump := range jumps {
		hands.SetTime(hands.Now().Add(jump))
		for range 3 {
			w.poke("healthy")
			w.poke("broken")
			w.settled()
		}
		w.awaitReady("healthy", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
		if end := w.oauthToken("healthy").Status.ExpiresAt; !end.After(hands.Now()) || end.Sub(hands.Now()) > time.Hour {
			t.Errorf("after a jump by %s, the token ends in %s", jump, end.Sub(hands.Now()))
		}
	}
	for _, name := range []string{"healthy", "broken"} {
		if got := w.asked(name); got > len(jumps)+1 {
			t.Errorf("%s: %d requests for %d jumps", name, got, len(jumps))
		}
	}
}
