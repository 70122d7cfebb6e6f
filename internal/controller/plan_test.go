package controller

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
)

// scene is what an OAuthToken's plans are made from, for changing one thing at a time.
type scene struct {
	t       *testing.T
	planner planner
	seen    *observation
}

// newScene shows an OAuthToken with the grant ClientCredentials whose token was issued at noon for an hour.
func newScene(t *testing.T) *scene {
	t.Helper()
	catalogue := loadCatalogue(t, "")
	s := &scene{t: t, planner: planner{
		platform: declaration.Platform{Catalogue: catalogue, AllowedHosts: []string{"vendor.example"}}, hasher: testHasher(),
	}}
	s.seen = &observation{
		token: someToken(func(o *v1alpha1.OAuthToken) {
			o.Spec.GrantType = v1alpha1.GrantClientCredentials
			o.Spec.Endpoints = &v1alpha1.Endpoints{TokenURL: "https://vendor.example/token"}
		}),
		credentials: credentialsView{secret: credentialsSecret("", map[string]string{
			"client_id": "me", "client_secret": "change-me", "username": "me", "password": "change-me", "refresh_token": "seed",
		})},
	}
	s.issue(noon, time.Hour)
	return s
}

// flow is that of the present spec and credentials.
func (s *scene) flow() *oauth.Flow {
	s.t.Helper()
	flow, obstacle := s.planner.resolve(s.seen, declaration.Settings(s.seen.token, s.seen.credentials.secret, s.planner.platform))
	if obstacle != nil {
		s.t.Fatal(obstacle.message)
	}
	return flow
}

// issue puts a token into the target, for the present spec and credentials.
func (s *scene) issue(at time.Time, life time.Duration) {
	s.t.Helper()
	settings := declaration.Settings(s.seen.token, s.seen.credentials.secret, s.planner.platform)
	s.target(issued{AccessToken: "secret", TokenType: "Bearer", record: record{
		IssuedAt: at, ExpiresAt: at.Add(life), RequestHash: s.planner.fingerprint(settings, s.flow()).String(),
	}})
	s.seen.token.Status.SecretName = targetName(s.seen.token)
	s.seen.token.Status.IssuedAt, s.seen.token.Status.ExpiresAt = stamp(at), stamp(at.Add(life))
}

func (s *scene) target(t issued) {
	s.t.Helper()
	rendered, err := render(s.seen.token, t)
	if err != nil {
		s.t.Fatal(err)
	}
	s.seen.target = viewTarget(s.seen.token, hashed(rendered.secret()))
}

// seedRefused leaves the refresh token before a seed that the vendor refused, which was good for what bound says.
func (s *scene) seedRefused(bound string) {
	before := keepsake{RefreshToken: oauth.NewSensitive("before"), IssuedAt: noon, Binding: bound}
	seeded := before.withSeed(oauth.NewSensitive("seed"), spentHash("seed"), binding(s.flow()), noon, 0)
	s.seen.state = stateSecret(s.seen.token, nil, seeded.withoutRefreshToken())
}

// failed puts a failed request into status.
func (s *scene) failed(at time.Time, pause time.Duration, reason string) {
	p := s.plan(at)
	s.seen.token.Status.Failures = &v1alpha1.FailureStatus{
		Count: 1, LastTime: stamp(at), NextAttempt: stamp(at.Add(pause)), RequestHash: p.fingerprint.String(),
		Reason: reason, Message: "what to do about " + reason,
	}
}

func (s *scene) plan(now time.Time) *plan {
	return s.planner.plan(now, s.seen, func(*oauth.Flow) time.Time { return time.Time{} })
}

// told is a plan in words.
func told(now time.Time, p *plan) string {
	words := []string{[]string{"wait", "write", "request"}[p.step]}
	switch p.step {
	case stepWait:
		words = append(words, p.decision.At.Sub(now).String())
	case stepRequest:
		words = append(words, string(p.decision.Reason), []string{"by grant", "by refresh token", "by seed", "by assertion", "by code", "by fragment"}[p.exchange.means])
	case stepWrite:
	}
	if p.problem != nil {
		words = append(words, "since "+p.problem.reason)
	}
	return strings.Join(words, " ")
}

func TestPlans(t *testing.T) {
	byRefreshToken := func(s *scene) { s.seen.token.Spec.GrantType = v1alpha1.GrantRefreshToken }
	for name, test := range map[string]struct {
		change func(*scene)
		at     time.Duration // after noon
		want   string
	}{
		"a fresh token is left alone until its renewal": {func(*scene) {}, time.Minute, "wait 38m34s"},
		"a token that is due is renewed":                {func(*scene) {}, 45 * time.Minute, "request RenewalDue by grant"},
		"an expired token is replaced":                  {func(*scene) {}, 2 * time.Hour, "request TokenExpired by grant"},
		"without a target there is a request":           {func(s *scene) { s.seen.target = targetView{} }, time.Minute, "request NoToken by grant"},
		"suspended, nothing is requested":               {func(s *scene) { s.seen.token.Spec.Suspend = true }, 45 * time.Minute, "wait 15m0s"},
		"suspended after a failure, nothing is retried": {
			func(s *scene) {
				s.failed(noon.Add(45*time.Minute), 5*time.Minute, v1alpha1.ReasonVendorUnavailable)
				s.seen.token.Spec.Suspend = true
			}, 46 * time.Minute, "wait 14m0s",
		},
		"other scopes make another token":                      {func(s *scene) { s.seen.token.Spec.Scopes = []v1alpha1.Scope{"more"} }, time.Minute, "request RequestChanged by grant"},
		"another client secret makes another token":            {func(s *scene) { s.seen.credentials.secret.Data["client_secret"] = []byte("new") }, time.Minute, "request RequestChanged by grant"},
		"another label of the OAuthToken makes no other token": {func(s *scene) { s.seen.token.Labels = map[string]string{"team": "payments"} }, time.Minute, "wait 38m34s"},
		"absent credentials are waited for, and the token is kept": {
			func(s *scene) { s.seen.credentials = credentialsView{} }, time.Minute, "wait 1m0s since AwaitingCredentials",
		},
		"credentials without the label are looked for again soon, since no watch tells of them": {
			func(s *scene) { s.seen.credentials = credentialsView{unlabelled: true} }, time.Minute, "wait 30s since CredentialsNotLabelled",
		},
		"a foreign target is in the way of everything": {
			func(s *scene) {
				s.seen.target = viewTarget(s.seen.token, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}})
			}, time.Minute, "wait 30s since SecretConflict",
		},
		"a foreign state Secret is not in the way of a grant that needs none": {
			func(s *scene) { s.seen.state = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api-oauth-state"}} },
			45 * time.Minute, "request RenewalDue by grant",
		},
		"an older OAuthToken has the target": {
			func(s *scene) {
				s.seen.target, s.seen.rivals = targetView{}, []claim{{name: "older", created: metav1.NewTime(noon.Add(-time.Hour))}}
			}, time.Minute, "wait 30s since SecretConflict",
		},
		"while a refresh token is being saved nothing is requested": {
			func(s *scene) { s.seen.saving = true }, 45 * time.Minute, "wait 15m0s since RefreshInterrupted",
		},
		"after a failure the back-off is kept, and the problem told": {
			func(s *scene) { s.failed(noon.Add(45*time.Minute), 5*time.Minute, v1alpha1.ReasonVendorUnavailable) },
			46 * time.Minute, "wait 4m0s since VendorUnavailable",
		},
		"after the back-off the problem is told on, and the request made": {
			func(s *scene) { s.failed(noon.Add(45*time.Minute), 5*time.Minute, v1alpha1.ReasonVendorUnavailable) },
			50 * time.Minute, "request RetryDue by grant since VendorUnavailable",
		},
		"a failure of another spec is no reason to wait": {
			func(s *scene) {
				s.failed(noon.Add(45*time.Minute), 6*time.Hour, v1alpha1.ReasonInvalidScope)
				s.seen.token.Spec.Scopes = []v1alpha1.Scope{"better"}
			}, 46 * time.Minute, "request RequestChanged by grant",
		},
		"an edited target is mended, whatever else is wrong, and the problem told on": {
			func(s *scene) {
				s.failed(noon.Add(45*time.Minute), 5*time.Minute, v1alpha1.ReasonVendorUnavailable)
				rendered, _ := render(s.seen.token, issued{AccessToken: "secret", TokenType: "Bearer", record: s.seen.target.record})
				live := rendered.secret()
				live.Labels["app.kubernetes.io/managed-by"] = "somebody"
				s.seen.live, s.seen.target = live, viewTarget(s.seen.token, hashed(live))
			}, 46 * time.Minute, "write since VendorUnavailable",
		},
		"an answer that could not be written is written, not asked for again": {
			func(s *scene) {
				s.seen.answer = &answer{issued: issued{AccessToken: "new", TokenType: "Bearer", record: s.seen.target.record}}
				s.seen.answer.record.IssuedAt, s.seen.answer.record.ExpiresAt = noon.Add(45*time.Minute), noon.Add(105*time.Minute)
			}, 46 * time.Minute, "write",
		},
		"an answer to another spec is not written": {
			func(s *scene) {
				s.seen.answer = &answer{issued: issued{AccessToken: "new", TokenType: "Bearer", record: s.seen.target.record}}
				s.seen.token.Spec.Scopes = []v1alpha1.Scope{"more"}
			}, 46 * time.Minute, "request RequestChanged by grant",
		},
		"a refresh token that may be spent waits for the last tenth": {
			func(s *scene) {
				byRefreshToken(s)
				s.issue(noon, time.Hour)
				s.seen.state = stateSecret(s.seen.token, nil, keepsake{
					RefreshToken: oauth.NewSensitive("kept"), Intent: &intent{Credential: "hash"}, Spent: []string{spentHash("seed")},
				})
			}, 45 * time.Minute, "wait 9m0s since RefreshInterrupted",
		},
		"a refresh token that comes back after a refused seed is not sent to where the seed was": {
			func(s *scene) {
				byRefreshToken(s)
				s.issue(noon, time.Hour)
				s.seedRefused("another client's or endpoint's")
			},
			45 * time.Minute, "wait 15m0s since AuthorizationRequired",
		},
		"one that is good there is used": {
			func(s *scene) { byRefreshToken(s); s.issue(noon, time.Hour); s.seedRefused(binding(s.flow())) },
			45 * time.Minute, "request RenewalDue by refresh token",
		},
		"a seed is the first thing to spend": {
			func(s *scene) { byRefreshToken(s); s.seen.target = targetView{} }, 45 * time.Minute, "request NoToken by seed",
		},
		"a new seed is spent at once": {
			func(s *scene) {
				byRefreshToken(s)
				s.issue(noon, time.Hour)
				s.seen.credentials.secret.Data["refresh_token"] = []byte("new")
			}, time.Minute, "request RequestChanged by seed",
		},
		"a seed that a token came of is not sent again, although nothing else tells of it": {
			func(s *scene) { byRefreshToken(s); s.issue(noon, time.Hour) }, 45 * time.Minute, "wait 15m0s since AuthorizationRequired",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			test.change(s)
			now := noon.Add(test.at)
			if got := told(now, s.plan(now)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestTheSameObservationGivesTheSamePlan also shows that planning changes nothing of what was read, which the cache shares.
func TestTheSameObservationGivesTheSamePlan(t *testing.T) {
	for minute := range 130 {
		now := noon.Add(time.Duration(minute) * time.Minute)
		s := newScene(t)
		s.seen.state = stateSecret(s.seen.token, nil, fullKeepsake())
		token, credentials, state, target := s.seen.token.DeepCopy(), s.seen.credentials.secret.DeepCopy(), s.seen.state.DeepCopy(), s.seen.target.secret.DeepCopy()
		first := s.plan(now)
		if again := s.plan(now); told(now, again) != told(now, first) || again.fingerprint != first.fingerprint {
			t.Fatalf("minute %d: %q, then %q", minute, told(now, first), told(now, again))
		}
		for _, diff := range []string{
			cmp.Diff(token, s.seen.token), cmp.Diff(credentials, s.seen.credentials.secret), cmp.Diff(state, s.seen.state), cmp.Diff(target, s.seen.target.secret),
		} {
			if diff != "" {
				t.Fatalf("minute %d: planning changed what was read (-before +after):\n%s", minute, diff)
			}
		}
	}
}

// TestARestartChangesNoPlan compares, at each minute of a token's life, what a process that lived through it plans with what a new one does.
func TestARestartChangesNoPlan(t *testing.T) {
	for minute := range 130 {
		now := noon.Add(time.Duration(minute) * time.Minute)
		old, restarted := newScene(t), newScene(t)
		old.seen.lastSuccess = noon
		if before, after := told(now, old.plan(now)), told(now, restarted.plan(now)); before != after {
			t.Errorf("minute %d: %q before a restart, %q after", minute, before, after)
		}
	}
}

// TestALifeInPlans tells a token's life, and what is planned as time goes by.
func TestALifeInPlans(t *testing.T) {
	s := newScene(t)
	var story []string
	tell := func(minute int, event string) {
		now := noon.Add(time.Duration(minute) * time.Minute)
		story = append(story, fmt.Sprintf("%3d min, %s: %s", minute, event, told(now, s.plan(now))))
	}
	tell(0, "issued")
	tell(30, "half its life is over")
	tell(45, "due")
	s.failed(noon.Add(45*time.Minute), time.Minute, v1alpha1.ReasonVendorUnavailable)
	tell(45, "refused")
	s.seen.token.Status = v1alpha1.OAuthTokenStatus{}
	tell(46, "status wiped")
	s.failed(noon.Add(46*time.Minute), 6*time.Hour, v1alpha1.ReasonInvalidClient)
	tell(46, "client rejected")
	tell(59, "nearly over")
	tell(61, "over")
	s.seen.credentials.secret.Data["client_secret"] = []byte("corrected")
	tell(62, "corrected")
	s.seen.token.Status = v1alpha1.OAuthTokenStatus{}
	s.issue(noon.Add(62*time.Minute), time.Hour)
	tell(62, "issued")
	want := []string{
		"  0 min, issued: wait 39m34s",
		" 30 min, half its life is over: wait 9m34s",
		" 45 min, due: request RenewalDue by grant",
		" 45 min, refused: wait 1m0s since VendorUnavailable",
		" 46 min, status wiped: request RenewalDue by grant",
		" 46 min, client rejected: wait 14m0s since InvalidClient",
		" 59 min, nearly over: wait 1m0s since InvalidClient",
		" 61 min, over: wait 1h0m0s since InvalidClient",
		" 62 min, corrected: request RequestChanged by grant",
		" 62 min, issued: wait 39m34s",
	}
	if diff := cmp.Diff(want, story); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestThePlanNeverLooksLaterThanAnHourOrTheExpiry(t *testing.T) {
	s := newScene(t)
	s.issue(noon, 30*24*time.Hour)
	for _, problem := range []func(){func() {}, func() { s.seen.credentials = credentialsView{} }, func() { s.seen.token.Spec.Suspend = true }} {
		problem()
		for _, after := range []time.Duration{0, time.Hour, 29*24*time.Hour + 23*time.Hour + 59*time.Minute} {
			now := noon.Add(after)
			if p := s.plan(now); p.step == stepWait && (p.decision.At.Sub(now) > time.Hour || p.decision.At.After(noon.Add(30*24*time.Hour))) {
				t.Errorf("%s after issue: the next look is %s later", after, p.decision.At.Sub(now))
			}
		}
	}
}

func TestUrgencyCountsAlsoWhenATokenHasEnded(t *testing.T) {
	for name, test := range map[string]struct {
		held *record
		want time.Time
	}{
		"there is none":  {},
		"it is good":     {&record{ExpiresAt: noon.Add(time.Hour)}, noon.Add(time.Hour)},
		"it has ended":   {&record{ExpiresAt: noon.Add(-time.Hour)}, noon.Add(-time.Hour)},
		"it ended early": {&record{ExpiresAt: noon.Add(-24 * time.Hour)}, noon.Add(-24 * time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (&plan{held: test.held}).urgency(); !got.Equal(test.want) {
				t.Errorf("urgency %s, want %s", got, test.want)
			}
		})
	}
}
