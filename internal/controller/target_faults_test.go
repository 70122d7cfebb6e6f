package controller_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// serverFault is an answer of an API server in trouble.
func serverFault(r *http.Request) *http.Response {
	return refusal(r, http.StatusInternalServerError, "InternalError", "etcd is away")
}

// refusal is an answer of an API server that does not do what it is asked.
func refusal(r *http.Request, status int, reason, message string) *http.Response {
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d,"message":%q}`, reason, status, message)
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

func TestATokenLandsAlthoughSomebodyEditsTheTargetMeanwhile(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	before := string(th.secret("api").Data["access_token"])
	var edits atomic.Int32
	th.api.fail(func(r *http.Request) *http.Response {
		if kindOf(r) == "PATCH secrets" && strings.Contains(r.Header.Get("Content-Type"), "apply-patch") && edits.Add(1) <= 2 {
			edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) {
				s.Data["theirs"] = append(s.Data["theirs"], 'x')
			})
		}
		return nil
	})
	after := th.renewNow("api", "api")
	th.settled()
	if token := string(after.Data["access_token"]); token == before || !th.vendor.IsLive(token) {
		t.Error("the target does not hold the new token")
	}
	if got := string(th.secret("api").Data["theirs"]); got != "xx" {
		t.Errorf("of what was edited %q is left", got)
	}
	if got := th.vendor.Count(oauthtest.Match{}); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}

func TestATokenThatCanNotBeWrittenIsKeptUntilItCan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind    string
		renewal bool
	}{"the first": {"POST secrets", false}, "a renewal": {"PATCH secrets", true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			th := idleTheater(t)
			want := 1
			if c.renewal {
				th.create(genesys("api", "client"))
				th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
				want = 2
			}
			var refused atomic.Int32
			th.api.fail(func(r *http.Request) *http.Response {
				if kindOf(r) == c.kind && refused.Add(1) <= 6 {
					return serverFault(r)
				}
				return nil
			})
			if c.renewal {
				th.renewNow("api", "api")
			} else {
				th.create(genesys("api", "client"))
			}
			th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
			th.settled()
			if refused.Load() <= 6 {
				t.Error("nothing was refused")
			}
			if token := string(th.secret("api").Data["access_token"]); !th.vendor.IsLive(token) {
				t.Error("the target does not hold the vendor's token")
			}
			if got := th.vendor.Count(oauthtest.Match{}); got != want {
				t.Errorf("%d requests, want %d", got, want)
			}
		})
	}
}

func TestARenewalWhoseWriteIsRefusedIsKeptAndWrittenLater(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	before := th.secret("api")
	th.api.fail(func(r *http.Request) *http.Response {
		if kindOf(r) == "PATCH secrets" {
			return refusal(r, http.StatusForbidden, "Forbidden", `admission webhook "freeze.example.com" denied the request: s3cr3t`)
		}
		return nil
	})
	edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(o *v1alpha1.OAuthToken) {
		o.Annotations = map[string]string{v1alpha1.RenewRequestedAtAnnotation: "now"}
	})
	token := th.awaitCondition("api", v1alpha1.ConditionRenewalFailing, metav1.ConditionTrue, v1alpha1.ReasonSecretConflict)
	want := `the API server does not let Secret "api" be written: admission webhook "freeze.example.com" refuses it: change its policy or spec.target`
	if diff := cmp.Diff(want, message(token, v1alpha1.ConditionRenewalFailing)); diff != "" {
		t.Error(diff)
	}
	th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	for range 3 {
		th.lookAgain("api", 2*time.Minute)
	}
	th.settled()
	if got := th.vendor.Count(oauthtest.Match{}); got != 2 {
		t.Errorf("%d requests, want the first and the renewal", got)
	}
	if diff := cmp.Diff(before, th.secret("api")); diff != "" {
		t.Errorf("the target was touched\n%s", diff)
	}
	th.api.fail(nil)
	th.lookAgain("api", time.Minute)
	th.eventually(func() string { return cmp.Diff("now", th.secret("api").Annotations[v1alpha1.RenewHandledAnnotation]) })
	th.settled()
	if got := th.vendor.Count(oauthtest.Match{}); got != 2 {
		t.Errorf("%d requests after all, want 2", got)
	}
	if got := th.oauthToken("api").Status.Conditions; len(got) != 1 {
		t.Errorf("conditions %+v", got)
	}
}

func TestNothingIsRequestedInANamespaceThatIsBeingDeleted(t *testing.T) {
	t.Parallel()
	w := newIdleWorld(t)
	w.create(genesysClient("client"), genesys("api", "client"))
	if err := w.client.Delete(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.eventually(func() string {
		return map[int]string{0: "no creation was tried"}[w.api.counts()["POST secrets (dry run)"]]
	})
	w.settled()
	if got := w.vendor.Count(oauthtest.Match{}); got != 0 {
		t.Errorf("%d requests to the vendor", got)
	}
	if got := w.api.counts()["POST secrets (dry run)"]; got > 2 {
		t.Errorf("the creation was tried %d times", got)
	}
}

// TestNothingIsSpentInANamespaceThatIsBeingDeleted: what serves once would be lost there, and passwords need no refusals.
func TestNothingIsSpentInANamespaceThatIsBeingDeleted(t *testing.T) {
	t.Parallel()
	w := newIdleWorld(t)
	seed := w.createSeeded("seed", rotating())
	w.create(w.register("password", rotating()), genericToken(w, "password", v1alpha1.GrantPassword))
	if err := w.client.Delete(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.eventually(func() string {
		counts := w.api.counts()
		return map[bool]string{false: "no creation was tried"}[counts["POST secrets (dry run)"] > 0]
	})
	w.settled()
	for _, name := range []string{"seed", "password"} {
		if got := w.requests(name); got != 0 {
			t.Errorf("%s: %d requests to the vendor", name, got)
		}
	}
	if !w.vendor.RefreshTokenIsLive(seed) {
		t.Error("the first refresh token is spent")
	}
}

func TestNothingIsRequestedWhereAQuotaLeavesNoPlace(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakeClock(time.Now().Truncate(time.Second))
	th := theater{newWorld(t, withClock(clock)), clock}
	th.create(genesysClient("client"))
	one := corev1.ResourceList{corev1.ResourceSecrets: resource.MustParse("1")}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "quota"}, Spec: corev1.ResourceQuotaSpec{Hard: one}}
	th.create(quota)
	quota.Status = corev1.ResourceQuotaStatus{Hard: one, Used: one} // there is no controller that counts
	if err := th.client.Status().Update(context.Background(), quota); err != nil {
		t.Fatal(err)
	}
	th.eventually(func() string {
		trial := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "trial", Namespace: th.namespace}}
		if err := th.client.Create(context.Background(), trial, client.DryRunAll); err == nil || !strings.Contains(err.Error(), "exceeded quota") {
			return "the quota is not known yet"
		}
		return ""
	})
	th.create(genesys("api", "client"))
	token := th.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
	if got := message(token, v1alpha1.ConditionReady); !strings.Contains(got, "ResourceQuota") {
		t.Errorf("the message is %s", got)
	}
	for range 3 {
		th.lookAgain("api", 10*time.Minute)
	}
	th.settled()
	if got := th.vendor.Count(oauthtest.Match{}); got != 0 {
		t.Errorf("%d requests to the vendor", got)
	}
	th.delete(quota)
	th.eventually(func() string {
		th.lookAgain("api", time.Minute)
		return map[bool]string{false: "there is no target"}[th.exists("api")]
	})
	th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	if got := th.vendor.Count(oauthtest.Match{}); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestReadyEndsWithTheTokenAlthoughTheTargetCanNotBeWritten(t *testing.T) {
	t.Parallel()
	for about, c := range map[string]struct{ words, reason string }{
		"the API server fails":            {"etcd is away", v1alpha1.ReasonTokenExpired},
		"an admission webhook can't come": {`failed calling webhook "guard.example.com"`, v1alpha1.ReasonSecretConflict},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			th := issuedTarget(t)
			served := string(th.secret("api").Data["access_token"])
			th.api.fail(func(r *http.Request) *http.Response {
				if kindOf(r) == "PATCH secrets" {
					return refusal(r, http.StatusInternalServerError, "InternalError", c.words)
				}
				return nil
			})
			th.lookAgain("api", 25*time.Hour) // past its end
			token := th.awaitReady("api", metav1.ConditionFalse, c.reason)
			if got := string(th.secret("api").Data["access_token"]); got != served || token.Status.ExpiresAt.After(th.time.Now()) {
				t.Errorf("status tells of a token that the target does not hold, until %s", token.Status.ExpiresAt)
			}
			th.api.fail(nil)
			th.lookAgain("api", 2*time.Minute)
			th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
			if got := th.vendor.Count(oauthtest.Match{}); got != 2 {
				t.Errorf("%d requests to the vendor, want 2: the answer is kept until it can be written", got)
			}
		})
	}
}

// TestATargetWhoseAnswerIsLostIsNoFight lets the API server write a renewed token and lose its answer: the next write changes nothing, since all
// is as it should be.
func TestATargetWhoseAnswerIsLostIsNoFight(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	var lost atomic.Bool
	w := newWorld(t, withClock(clock), withTransport(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(r)
			if err == nil && kindOf(r) == "PATCH secrets" && lost.CompareAndSwap(true, false) {
				_ = response.Body.Close()
				return nil, io.ErrUnexpectedEOF
			}
			return response, err
		})
	}))
	w.createPlain("api", oauthtest.Client{})
	served := w.awaitServed("api", "")
	w.settled()
	lost.Store(true)
	w.pass(clock, 45*time.Minute, "api")
	w.awaitServed("api", served)
	w.settled()
	if token := w.oauthToken("api"); lost.Load() || !has(token, v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued) || len(token.Status.Conditions) != 1 {
		t.Errorf("lost: %t, conditions %+v", !lost.Load(), token.Status.Conditions)
	}
	w.expect("api", 2, "after the renewal")
	if events := w.events("api"); events[v1alpha1.ReasonSecretConflict] != 0 || events[v1alpha1.EventTokenRenewed] != 1 {
		t.Errorf("events %v", events)
	}
}

// TestAFormerTargetThatCanNotBeDeletedDelaysNoRenewal has an admission webhook refuse what becomes of a renamed target: what was written is
// written, and the next renewals come in time.
func TestAFormerTargetThatCanNotBeDeletedDelaysNoRenewal(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	w.createPlain("api", oauthtest.Client{})
	w.awaitServed("api", "")
	w.api.fail(func(r *http.Request) *http.Response {
		if kindOf(r) == "DELETE secrets" {
			return refusal(r, http.StatusForbidden, "Forbidden", `admission webhook "keep.example.com" denied the request`)
		}
		return nil
	})
	edit(w, w.oauthToken("api"), targeted(func(target *v1alpha1.Target) { target.Name = "renamed" }))
	served := w.awaitServed("renamed", "")
	for range 2 {
		w.pass(clock, 45*time.Minute, "api") // of an hour
		served = w.awaitServed("renamed", served)
	}
	w.expect("api", 3, "after two renewals")
	if w.api.counts()["DELETE secrets"] == 0 || !w.exists("api") {
		t.Error("nothing was refused")
	}
	if got := w.events("api")[v1alpha1.EventTokenRenewed]; got != 2 {
		t.Errorf("%d events tell of a renewal, want 2", got)
	}
}
