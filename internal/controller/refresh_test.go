package controller_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// rotating is a client whose refresh tokens serve once.
func rotating() oauthtest.Client {
	return oauthtest.Client{RefreshTokens: true, Rotation: oauthtest.Rotate}
}

func TestARotatedRefreshTokenIsSavedBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	d := w.keepDiary()
	seed := w.createSeeded("api", rotating())
	served := w.awaitServed("api", "")
	w.settled()
	want := []string{"state after 0", "state after 1", "target after 1", "status after 1"}
	if diff := cmp.Diff(want, d.entries()); diff != "" {
		t.Errorf("first use: writes, and how many requests the vendor had seen (-want +got):\n%s", diff)
	}
	first := w.stored("api")
	if first == seed || !w.vendor.RefreshTokenIsLive(first) {
		t.Error("the state Secret does not hold the refresh token that the vendor gave")
	}
	for key := range w.secret("api").Data {
		if strings.Contains(key, "refresh") {
			t.Errorf("pods can read %s", key)
		}
	}

	w.api.reset()
	renewal := w.keepDiary()
	w.pass(clock, 45*time.Minute, "api")
	w.awaitServed("api", served)
	w.settled()
	want = []string{"state after 1", "state after 2", "target after 2", "status after 2"}
	if diff := cmp.Diff(want, renewal.entries()); diff != "" {
		t.Errorf("renewal: writes, and how many requests the vendor had seen (-want +got):\n%s", diff)
	}
	counts := map[string]int{"PUT secrets": 2, "PATCH secrets": 1, "PATCH oauthtokens/status": 1, "POST events": 1}
	if diff := cmp.Diff(counts, w.api.counts()); diff != "" {
		t.Errorf("renewal: requests to the API server (-want +got):\n%s", diff)
	}
	if second := w.stored("api"); second == first || !w.vendor.RefreshTokenIsLive(second) {
		t.Error("the renewal did not keep the new refresh token")
	}
}

func TestRefreshTokensThatDoNotRotateAreKept(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	seeds := map[string]string{
		"keep":   w.createSeeded("keep", oauthtest.Client{RefreshTokens: true, Rotation: oauthtest.Keep}),
		"repeat": w.createSeeded("repeat", oauthtest.Client{RefreshTokens: true, Rotation: oauthtest.Repeat}),
	}
	served := map[string]string{}
	for round := range 3 {
		for name := range seeds {
			served[name] = w.awaitServed(name, served[name])
			if w.stored(name) != seeds[name] {
				t.Errorf("%s: round %d does not keep the refresh token", name, round)
			}
		}
		w.settled()
		w.pass(clock, 45*time.Minute, "keep", "repeat")
	}
}

func TestAPasswordGrantUsesItsRefreshTokenAndFallsBack(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	w.create(w.register("api", rotating()), genericToken(w, "api", v1alpha1.GrantPassword))
	served := w.awaitServed("api", "")
	w.settled()
	w.pass(clock, 45*time.Minute, "api")
	served = w.awaitServed("api", served)
	w.settled()
	if got := w.vendor.Count(oauthtest.Match{Grant: oauthtest.RefreshToken, Outcome: oauthtest.Issued}); got != 1 {
		t.Errorf("%d renewals by the refresh token, want 1", got)
	}

	w.vendor.Revoke(w.stored("api"))
	w.pass(clock, 45*time.Minute, "api")
	w.awaitRequests("api", 3)
	w.settled()
	w.pass(clock, 10*time.Second, "api")
	w.awaitServed("api", served)
	w.expect("api", 4, "after the refresh token was refused")
	if got := w.vendor.Count(oauthtest.Match{Grant: oauthtest.Password, Outcome: oauthtest.Issued}); got != 2 {
		t.Errorf("the password was used %d times, want 2", got)
	}
	if !w.vendor.RefreshTokenIsLive(w.stored("api")) {
		t.Error("the new grant's refresh token was not kept")
	}
	token := w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	if len(token.Status.Conditions) != 1 {
		t.Errorf("conditions after the fallback: %+v", token.Status.Conditions)
	}
}

func TestTheEndOfARefreshTokenDoesNotMove(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	client, _ := w.vendor.Client(oauthtest.ABBYY, "vantage-integration")
	client.Rotation = oauthtest.Rotate
	w.vendor.Register(client)
	token := &v1alpha1.OAuthToken{
		ObjectMeta: metav1.ObjectMeta{Name: "vantage"},
		Spec: v1alpha1.OAuthTokenSpec{
			Vendor: "abbyy-vantage", GrantType: v1alpha1.GrantPassword, CredentialsSecretRef: v1alpha1.SecretReference{Name: "vantage-client"},
			Parameters: map[string]v1alpha1.ParameterValue{"region": "eu"},
			Scopes:     []v1alpha1.Scope{"openid", "permissions", "global.wildcard", "offline_access"},
		},
	}
	w.create(credentials("vantage-client", "client_id", client.ID, "client_secret", "change-me",
		"username", "integration@acme.example", "password", "change-me"), token)
	served := w.awaitServed("vantage", "")
	w.settled()
	status := w.oauthToken("vantage").Status.RefreshToken
	if status == nil || status.ExpiresAt == nil {
		t.Fatal("status does not tell the refresh token's end")
	}
	end := status.ExpiresAt.Time
	if got := end.Sub(status.IssuedAt.Time); got != 720*time.Hour {
		t.Errorf("the refresh token lives %s, want the vendor's 720h", got)
	}
	warned := map[time.Duration]int{}
	for clock.Now().Add(20 * time.Hour).Before(end) {
		w.pass(clock, 19*time.Hour, "vantage")
		served = w.awaitServed("vantage", served)
		w.settled()
		if now := w.oauthToken("vantage").Status.RefreshToken; !now.ExpiresAt.Time.Equal(end) {
			t.Fatalf("a refresh moved the end from %s to %s", end, now.ExpiresAt)
		}
		warned[end.Sub(clock.Now())] = w.events("vantage")[v1alpha1.EventRefreshTokenExpiring]
	}
	for left, got := range warned {
		want := 0
		if left <= 7*24*time.Hour {
			want++
		}
		if left <= 24*time.Hour {
			want++
		}
		if got != want {
			t.Errorf("%s before the end: %d warnings, want %d", left, got, want)
		}
	}
	refreshes := w.vendor.Count(oauthtest.Match{Grant: oauthtest.RefreshToken})
	w.pass(clock, 24*time.Hour, "vantage")
	w.awaitServed("vantage", served)
	w.settled()
	if got := w.vendor.Count(oauthtest.Match{Grant: oauthtest.RefreshToken}); got != refreshes {
		t.Error("a refresh token was sent after its end")
	}
	if now := w.oauthToken("vantage").Status.RefreshToken; !now.ExpiresAt.After(end) {
		t.Error("a new grant did not begin a new life")
	}
}

func TestNothingIsSentWhereTheIntentCanNotBeWritten(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	w.createSeeded("api", rotating())
	served := w.awaitServed("api", "")
	w.settled()
	var refused atomic.Int32
	t.Cleanup(func() { w.api.fail(nil) }) // or the manager's stop waits for what can't be saved
	w.api.fail(func(r *http.Request) *http.Response {
		if writeOf(r) != "state" {
			return nil
		}
		refused.Add(1)
		return refuse(http.StatusInternalServerError)
	})
	w.pass(clock, 45*time.Minute, "api")
	w.eventually(func() string {
		if n := refused.Load(); n < 3 {
			return fmt.Sprintf("%d attempts to write the intent", n)
		}
		return ""
	})
	if got := w.requests("api"); got != 1 {
		t.Errorf("%d requests, want only the first", got)
	}
	if w.served("api") != served {
		t.Error("the target was touched")
	}
	w.api.fail(nil)
	w.nudge("api")
	w.awaitServed("api", served)
	w.expect("api", 2, "once the state Secret can be written")
}

// TestAStateSecretThatIsRefusedIsToldOf has a policy refuse state Secrets: nothing is sent, and status says who refuses what.
func TestAStateSecretThatIsRefusedIsToldOf(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock), withPlatform(withPortal))
	w.createSeeded("served", rotating())
	served := w.awaitServed("served", "")
	w.settled()
	t.Cleanup(func() { w.api.fail(nil) }) // or the manager's stop waits for what can't be saved
	w.api.fail(func(r *http.Request) *http.Response {
		if writeOf(r) != "state" {
			return nil
		}
		return refusal(r, http.StatusForbidden, "Forbidden", `admission webhook "freeze.example.com" denied the request: s3cr3t`)
	})
	w.createSeeded("first", rotating())
	w.interactive("person", consented())
	w.pass(clock, 45*time.Minute, "served")
	conditions := map[string]string{"served": v1alpha1.ConditionRenewalFailing, "first": v1alpha1.ConditionReconciling, "person": v1alpha1.ConditionReconciling}
	for name, kind := range conditions {
		token := w.awaitCondition(name, kind, metav1.ConditionTrue, v1alpha1.ReasonSecretConflict)
		want := `the API server does not let the state Secret "` + name + `-oauth-state" be written: ` +
			`admission webhook "freeze.example.com" refuses it: let its policy allow it`
		if diff := cmp.Diff(want, message(token, kind)); diff != "" {
			t.Error(name, diff)
		}
		if meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionAuthorizationRequired) != nil {
			t.Errorf("%s: somebody is sent to a link that can't be made", name)
		}
	}
	for range 3 {
		w.settled()
		w.pass(clock, time.Minute, "served", "first", "person")
	}
	w.settled()
	for name, n := range map[string]int{"served": 1, "first": 0, "person": 0} {
		if got := w.requests(name); got != n {
			t.Errorf("%s: %d requests, want %d", name, got, n)
		}
		if got := w.events(name)[v1alpha1.ReasonSecretConflict]; got != 1 {
			t.Errorf("%s: told %d times, want once", name, got)
		}
	}
	w.api.fail(nil)
	w.pass(clock, time.Minute, "served", "first", "person")
	w.awaitServed("served", served)
	w.awaitServed("first", "")
	w.link("person", oauth.Sensitive{})
	if token := w.awaitReady("served", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued); len(token.Status.Conditions) != 1 {
		t.Errorf("conditions afterwards: %+v", token.Status.Conditions)
	}
}

func TestARefreshTokenSurvivesAnAPIServerThatIsAwayAndTheManagersStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var away atomic.Bool
	var refused atomic.Int32
	away.Store(true)
	t.Cleanup(func() { away.Store(false) }) // or the manager's stop waits for what can't be saved
	w.api.fail(func(r *http.Request) *http.Response {
		if !away.Load() || w.vendor.Count(oauthtest.Match{}) == 0 {
			return nil
		}
		if writeOf(r) == "state" {
			refused.Add(1)
		}
		return refuse(http.StatusInternalServerError)
	})
	seed := w.createSeeded("api", rotating())
	attempts := func(n int32) {
		w.eventually(func() string {
			if got := refused.Load(); got < n {
				return fmt.Sprintf("%d attempts to save", got)
			}
			return ""
		})
	}
	attempts(2)
	stopped := make(chan struct{})
	go func() {
		w.stop()
		close(stopped)
	}()
	attempts(refused.Load() + 2)
	select {
	case <-stopped:
		t.Fatal("the manager ended before the refresh token was saved")
	default:
	}
	away.Store(false)
	<-stopped
	if stored := w.stored("api"); stored == seed || !w.vendor.RefreshTokenIsLive(stored) {
		t.Error("the refresh token that the vendor had handed out is lost")
	}
	w.start()
	w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	if !w.vendor.FamilyAlive(seed) {
		t.Error("a spent refresh token was sent again")
	}
}

func TestAConflictDoesNotLoseARefreshToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := make(chan struct{})
	w.vendor.Fail(oauthtest.Match{ClientID: "api"}, oauthtest.AfterActing(oauthtest.Held(release)), oauthtest.Times(1))
	w.createSeeded("api", rotating())
	w.eventually(func() string {
		if w.exists("api" + v1alpha1.StateSecretSuffix) {
			return ""
		}
		return "no intent"
	})
	edit(w, state("api"), func(s *corev1.Secret) { s.Labels["team"] = "payments" })
	close(release)
	w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	if !w.vendor.RefreshTokenIsLive(w.stored("api")) {
		t.Error("the refresh token is lost")
	}
	if w.secret("api" + v1alpha1.StateSecretSuffix).Labels["team"] != "payments" {
		t.Error("the edit that came between is lost")
	}
	w.expect("api", 1, "after the conflict")
}

func TestACrashBetweenRequestAndAnswerIsRecognised(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	w.createSeeded("api", rotating())
	served := w.awaitServed("api", "")
	w.settled()
	w.stop()
	clock.Step(45 * time.Minute)
	edit(w, state("api"), func(s *corev1.Secret) {
		s.Data["refresh_in_progress"] = fmt.Appendf(nil, `{"deadline":%q,"credential":"hash"}`, clock.Now().UTC().Format(time.RFC3339))
	})
	w.start()
	w.awaitCondition("api", v1alpha1.ConditionRenewalFailing, metav1.ConditionTrue, v1alpha1.ReasonRefreshInterrupted)
	w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.settled()
	if got := w.events("api")[v1alpha1.ReasonRefreshInterrupted]; got != 1 {
		t.Errorf("told %d times, want once", got)
	}
	w.pass(clock, 8*time.Minute, "api")
	w.expect("api", 1, "while more than a tenth of the served token's life remains")
	w.pass(clock, 2*time.Minute, "api")
	w.awaitServed("api", served)
	w.expect("api", 2, "in the last tenth")
	if token := w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued); len(token.Status.Conditions) != 1 {
		t.Errorf("conditions afterwards: %+v", token.Status.Conditions)
	}
}

func TestAUseThatSomebodyBeganIsWaitedFor(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newIdleWorld(t, withClock(clock))
	secret := w.register("api", rotating())
	seed := w.vendor.NewRefreshToken(oauthtest.Generic, "api", "")
	token := genericToken(w, "api", v1alpha1.GrantRefreshToken)
	secret.StringData["refresh_token"] = seed
	left := state("api") // of an OAuthToken of this name before
	left.Labels = map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleState}
	left.Annotations = map[string]string{v1alpha1.OwnerAnnotation: "api"}
	left.StringData = map[string]string{
		"refresh_token":       w.vendor.NewRefreshToken(oauthtest.Generic, "api", ""),
		"refresh_in_progress": fmt.Sprintf(`{"deadline":%q,"credential":"hash"}`, clock.Now().Add(10*time.Second).UTC().Format(time.RFC3339)),
	}
	w.create(left, secret, token)
	w.start()
	w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonRefreshInterrupted)
	w.pass(clock, 69*time.Second, "api")
	w.expect("api", 0, "a second before the deadline and a minute")
	w.pass(clock, 2*time.Second, "api")
	w.awaitServed("api", "")
	w.expect("api", 1, "after the deadline and a minute")
}
