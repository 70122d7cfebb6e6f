package controller_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// lost are answers after which nobody knows whether the refresh token is spent (RFC 6749 has no way to ask), and whether the vendor had
// spent it.
func lost() map[string]struct {
	fault oauthtest.Fault
	spent bool
} {
	return map[string]struct {
		fault oauthtest.Fault
		spent bool
	}{
		"status-500":          {oauthtest.Status(500, "text/plain", "oops"), false},
		"refused-with-500":    {oauthtest.Status(500, "application/json", `{"error":"invalid_grant"}`), false},
		"refused-with-200":    {oauthtest.ErrorWithStatus200("invalid_grant"), false},
		"status-502":          {oauthtest.Status(502, "text/html", "<html>"), false},
		"status-404":          {oauthtest.Status(404, "text/html", "<html>"), false},
		"status-503":          {oauthtest.Unavailable(nil), false},
		"cut":                 {oauthtest.Drop(), false},
		"redirect":            {oauthtest.Redirect(http.StatusFound, "https://elsewhere.example/"), false},
		"login-page":          {oauthtest.HTMLPage(), false},
		"status-500-acted":    {oauthtest.AfterActing(oauthtest.Status(500, "text/plain", "oops")), true},
		"cut-acted":           {oauthtest.AfterActing(oauthtest.Drop()), true},
		"cut-in-answer-acted": {oauthtest.DropMidAnswer(), true},
		"half-json-acted":     {oauthtest.HalfJSON(), true},
		"redirect-acted":      {oauthtest.AfterActing(oauthtest.Redirect(http.StatusFound, "https://elsewhere.example/")), true},
	}
}

func TestAClockThatJumpsLosesNoRefreshToken(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	w.createSeeded("api", rotating())
	w.awaitServed("api", "")
	w.settled()
	jumps := []time.Duration{5 * time.Hour, -9 * time.Hour, 2 * time.Hour, -24 * time.Hour, 48 * time.Hour}
	for _, jump := range jumps {
		clock.SetTime(clock.Now().Add(jump))
		for range 3 {
			w.nudge("api")
			w.settled()
		}
		if token := w.oauthToken("api"); !has(token, v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued) || !token.Status.ExpiresAt.After(clock.Now()) {
			t.Errorf("after a jump by %s: %+v", jump, token.Status.Conditions)
		}
		if !w.vendor.RefreshTokenIsLive(w.stored("api")) {
			t.Fatalf("after a jump by %s the refresh token is lost", jump)
		}
	}
	if got := w.requests("api"); got > len(jumps)+1 {
		t.Errorf("%d requests for %d jumps", got, len(jumps))
	}
	if w.events("api")[v1alpha1.ReasonRefreshInterrupted] != 0 {
		t.Error("a refresh token was called in doubt")
	}
}

func TestALostAnswerLeavesARefreshTokenAloneUntilTheLastTenth(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	served := map[string]string{}
	for name := range lost() {
		w.createSeeded(name, rotating())
	}
	for name := range lost() {
		served[name] = w.awaitServed(name, "")
	}
	w.settled()
	for name, test := range lost() {
		w.vendor.Fail(oauthtest.Match{ClientID: name}, test.fault, oauthtest.Times(1))
	}
	all := func(span time.Duration) {
		clock.Step(span)
		for name := range lost() {
			w.nudge(name)
		}
		w.settled()
	}
	all(45 * time.Minute)
	for name := range lost() {
		token := w.oauthToken(name)
		if !has(token, v1alpha1.ConditionRenewalFailing, v1alpha1.ReasonRefreshInterrupted) || !has(token, v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued) {
			t.Errorf("%s: conditions %+v", name, token.Status.Conditions)
		}
		if got := w.events(name)[v1alpha1.ReasonRefreshInterrupted]; got != 1 {
			t.Errorf("%s: told %d times, want once, at once", name, got)
		}
	}
	w.stop()
	w.start()
	all(8 * time.Minute)
	for name := range lost() {
		if got := w.requests(name); got != 2 || w.served(name) != served[name] {
			t.Errorf("%s: %d requests before the last tenth, want the first and the lost one", name, got)
		}
	}
	all(2 * time.Minute)
	for name, test := range lost() {
		if got := w.requests(name); got != 3 {
			t.Errorf("%s: %d requests in the last tenth, want 3", name, got)
		}
		if !test.spent {
			if w.served(name) == served[name] || len(w.oauthToken(name).Status.Conditions) != 1 {
				t.Errorf("%s: not renewed although the refresh token was good: %+v", name, w.oauthToken(name).Status.Conditions)
			}
			continue
		}
		if token := w.oauthToken(name); !has(token, v1alpha1.ConditionAuthorizationRequired, v1alpha1.ReasonAuthorizationRequired) {
			t.Errorf("%s: conditions %+v", name, token.Status.Conditions)
		}
	}
}

func TestWithoutAServedTokenALostAnswerIsFollowedByTheTransientSchedule(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	names := []string{"cut", "html", "not-found"}
	for name, fault := range map[string]oauthtest.Fault{
		"cut": oauthtest.Drop(), "html": oauthtest.HTMLPage(), "not-found": oauthtest.Status(404, "text/html", "<html>"),
	} {
		w.vendor.Fail(oauthtest.Match{ClientID: name}, fault, oauthtest.Times(3))
		w.createSeeded(name, rotating())
	}
	for _, name := range names {
		w.awaitReady(name, metav1.ConditionFalse, v1alpha1.ReasonRefreshInterrupted)
		if token := w.oauthToken(name); !has(token, v1alpha1.ConditionReconciling, v1alpha1.ReasonRefreshInterrupted) {
			t.Errorf("%s: conditions %+v", name, token.Status.Conditions)
		}
	}
	for _, pause := range []time.Duration{6 * time.Second, 11 * time.Second, 22 * time.Second} { // 5 s doubling, ±10 %
		w.settled()
		w.pass(clock, pause, names...)
	}
	for _, name := range names {
		w.awaitServed(name, "")
		w.expect(name, 4, name)
	}
}

func TestADefiniteRefusalLeavesTheRefreshTokenUsable(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	refusals := map[string]struct {
		fault  oauthtest.Fault
		reason string
		pause  time.Duration // until the next attempt, at most
	}{
		"throttled":      {oauthtest.TooManyRequests(nil), v1alpha1.ReasonRateLimited, time.Minute},
		"busy":           {oauthtest.Unavailable(oauthtest.InSeconds(60)), v1alpha1.ReasonRateLimited, 2 * time.Minute},
		"scope":          {oauthtest.OAuthError("invalid_scope"), v1alpha1.ReasonInvalidScope, 6*time.Hour + 11*time.Minute},
		"client":         {oauthtest.OAuthError("invalid_client"), v1alpha1.ReasonInvalidClient, 6*time.Hour + 11*time.Minute},
		"server-says-so": {oauthtest.Status(400, "application/json", `{"error":"server_error"}`), v1alpha1.ReasonVendorUnavailable, time.Minute},
	}
	for name := range refusals {
		w.createSeeded(name, rotating())
	}
	kept, served := map[string]string{}, map[string]string{}
	for name, test := range refusals {
		served[name] = w.awaitServed(name, "")
		kept[name] = w.stored(name)
		w.vendor.Fail(oauthtest.Match{ClientID: name}, test.fault, oauthtest.Times(1))
	}
	w.settled()
	clock.Step(45 * time.Minute)
	for _, name := range slices.Sorted(maps.Keys(refusals)) { // of the two that throttle, one comes last: both together stop the endpoint
		test := refusals[name]
		w.nudge(name)
		w.awaitRequests(name, 2)
		w.awaitCondition(name, v1alpha1.ConditionRenewalFailing, metav1.ConditionTrue, test.reason)
		w.settled()
		secret := w.secret(name + v1alpha1.StateSecretSuffix)
		if _, doubted := secret.Data["refresh_in_progress"]; doubted || string(secret.Data["refresh_token"]) != kept[name] {
			t.Errorf("%s: the refresh token is doubted or lost", name)
		}
	}
	for _, span := range []time.Duration{time.Minute, time.Minute, 6 * time.Hour, 10 * time.Minute} {
		clock.Step(span)
		for name := range refusals {
			w.nudge(name)
		}
		w.settled()
	}
	for name := range refusals {
		if now := w.awaitServed(name, served[name]); !w.vendor.FamilyAlive(kept[name]) || now == "" {
			t.Errorf("%s: the refresh token was sent after it was spent", name)
		}
	}
}

func TestARefusedRefreshTokenGivesWayToANewerOne(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	w.createSeeded("api", rotating())
	served := w.awaitServed("api", "")
	w.settled()
	release := make(chan struct{})
	w.vendor.Fail(oauthtest.Match{ClientID: "api"}, oauthtest.Held(release), oauthtest.Times(1))
	old := w.stored("api")
	w.pass(clock, 45*time.Minute, "api")
	w.eventually(func() string {
		if w.vendor.Count(oauthtest.Match{ClientID: "api", Outcome: oauthtest.Pending}) == 1 {
			return ""
		}
		return "no request under way"
	})
	newer := w.vendor.NewRefreshToken(oauthtest.Generic, "api", "")
	edit(w, state("api"), func(s *corev1.Secret) {
		s.Data["refresh_token"] = []byte(newer)
		delete(s.Data, "refresh_in_progress")
	})
	w.vendor.Revoke(old)
	close(release)
	w.awaitServed("api", served)
	w.expect("api", 3, "with the newer one")
	if got := w.events("api"); got[v1alpha1.ReasonAuthorizationRequired]+got[v1alpha1.ReasonInvalidGrant] != 0 {
		t.Errorf("a person was alarmed: %v", got)
	}
	if !w.vendor.FamilyAlive(newer) {
		t.Error("the newer refresh token's family is dead")
	}
}

func TestARefusedRefreshTokenNeedsAPersonAndIsNotSentAgain(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	seed := w.createSeeded("api", rotating())
	served := w.awaitServed("api", "")
	w.settled()
	w.vendor.Revoke(seed)
	w.pass(clock, 45*time.Minute, "api")
	token := w.awaitCondition("api", v1alpha1.ConditionAuthorizationRequired, metav1.ConditionTrue, v1alpha1.ReasonAuthorizationRequired)
	if got, want := message(token, v1alpha1.ConditionAuthorizationRequired),
		"the refresh token was used up or is refused: put a new one under the key refresh_token of the credentials Secret"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	w.stop()
	w.start()
	for range 12 {
		w.pass(clock, time.Hour, "api")
		w.settled()
	}
	w.expect("api", 2, "half a day later")
	if token := w.oauthToken("api"); !has(token, v1alpha1.ConditionStalled, v1alpha1.ReasonAuthorizationRequired) {
		t.Errorf("conditions %+v", token.Status.Conditions)
	}
	if got := w.events("api")[v1alpha1.ReasonAuthorizationRequired]; got != 1 {
		t.Errorf("told %d times, want once", got)
	}

	fresh := w.vendor.NewRefreshToken(oauthtest.Generic, "api", "")
	began := time.Now()
	edit(w, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api-client"}}, func(s *corev1.Secret) { s.Data["refresh_token"] = []byte(fresh) })
	w.awaitServed("api", served)
	within(t, began, 2*time.Second)
	token = w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	if len(token.Status.Conditions) != 1 {
		t.Errorf("conditions after a new one: %+v", token.Status.Conditions)
	}
}

func TestTwoOAuthTokensNeverSpendOneSeed(t *testing.T) {
	t.Parallel()
	w := newIdleWorld(t)
	secret := w.register("shared", rotating())
	seed := w.vendor.NewRefreshToken(oauthtest.Generic, "shared", "")
	secret.StringData["refresh_token"] = seed
	share := func(o *v1alpha1.OAuthToken) { o.Spec.CredentialsSecretRef.Name = "shared-client" }
	w.create(secret, genericToken(w, "one", v1alpha1.GrantRefreshToken, share), genericToken(w, "two", v1alpha1.GrantRefreshToken, share))
	first, second := "one", "two"
	if one, two := w.oauthToken("one"), w.oauthToken("two"); one.CreationTimestamp.Equal(&two.CreationTimestamp) && two.UID < one.UID {
		first, second = second, first
	}
	w.start()
	w.awaitReady(first, metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.awaitReady(second, metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec)
	w.expect("shared", 1, "for both")
	if !w.vendor.FamilyAlive(seed) {
		t.Error("the seed was used twice")
	}
}

func TestAForeignSecretOfTheStatesNameIsNeverWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"seeded", "password"} {
		foreign := state(name)
		foreign.StringData = map[string]string{"theirs": "x"}
		w.create(foreign)
	}
	w.createSeeded("seeded", rotating())
	w.create(w.register("password", rotating()), genericToken(w, "password", v1alpha1.GrantPassword))
	token := w.awaitReady("seeded", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
	if got, want := message(token, v1alpha1.ConditionReady), `Secret "seeded-oauth-state" has the name of this OAuthToken's state Secret `+
		"and no mark of Tokensync. Where it has the key refresh_token, it may hold the only refresh token"; !strings.HasPrefix(got, want) {
		t.Errorf("message %q, want %q", got, want)
	}
	w.awaitReady("password", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.settled()
	if w.requests("seeded") != 0 {
		t.Error("a refresh token was sent that could not have been replaced")
	}
	for _, name := range []string{"seeded", "password"} {
		if secret := w.secret(name + v1alpha1.StateSecretSuffix); len(secret.Data) != 1 || len(secret.Labels) != 0 || len(secret.OwnerReferences) != 0 {
			t.Errorf("%s: a foreign Secret was written: %+v", name, secret.ObjectMeta)
		}
	}
	if got := w.events("password")[v1alpha1.ReasonSecretConflict]; got != 1 {
		t.Errorf("the lost refresh token was told %d times, want once", got)
	}
}

// losing lets the API server write a state Secret and lose its answer, once each time that lost is set.
func losing(lost *atomic.Bool) worldOption {
	return withTransport(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			writes := writeOf(r) == "state"
			response, err := next.RoundTrip(r)
			if err == nil && writes && lost.CompareAndSwap(true, false) {
				_ = response.Body.Close()
				return refusal(r, http.StatusGatewayTimeout, "Timeout", "the answer is lost"), nil
			}
			return response, err
		})
	})
}

// TestAnIntentWhoseAnswerIsLostIsNoDoubt lets the API server write the intent and lose its answer: nothing was sent to the vendor, and this
// process knows it.
func TestAnIntentWhoseAnswerIsLostIsNoDoubt(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	var lost atomic.Bool
	w := newWorld(t, withClock(clock), losing(&lost))
	lost.Store(true)
	w.createSeeded("api", rotating())
	served := w.awaitServed("api", "")
	w.expect("api", 1, "for the first token")
	lost.Store(true)
	w.pass(clock, 45*time.Minute, "api")
	w.awaitServed("api", served)
	w.expect("api", 2, "after the renewal")
	if lost.Load() {
		t.Error("no answer was lost")
	}
	if got := w.events("api")[v1alpha1.ReasonRefreshInterrupted]; got != 0 {
		t.Errorf("a person was alarmed %d times", got)
	}
	if token := w.oauthToken("api"); len(token.Status.Conditions) != 1 || !w.vendor.RefreshTokenIsLive(w.stored("api")) {
		t.Errorf("conditions %+v", token.Status.Conditions)
	}
}
