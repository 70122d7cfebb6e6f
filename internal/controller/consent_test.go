package controller

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

// newConsentScene shows an OAuthToken whose grant needs a person. Its token was issued at noon for an hour, and there is a refresh token
// that ends after 30 days.
func newConsentScene(t *testing.T) *scene {
	t.Helper()
	s := newScene(t)
	s.planner.platform.PortalURL, s.planner.platform.EnableImplicit = "https://tokens.example", true
	s.seen.token.Spec.GrantType = v1alpha1.GrantAuthorizationCode
	s.seen.token.Spec.Scopes = []v1alpha1.Scope{"users"}
	s.seen.token.Spec.Endpoints.AuthorizationURL = "https://vendor.example/authorize"
	delete(s.seen.credentials.secret.Data, "refresh_token")
	s.issue(noon, time.Hour)
	s.keep(func(k *keepsake) {
		*k = keepsake{RefreshToken: oauth.NewSensitive("kept"), Consent: consent.Record{Scopes: []string{"users"}, Subject: "ada"}}.
			granted(noon, 720*time.Hour)
	})
	return s
}

// keep changes what the state Secret holds.
func (s *scene) keep(change func(*keepsake)) {
	k := parseState(s.seen.state)
	change(&k)
	s.seen.state = stateSecret(s.seen.token, nil, k)
}

// request is what a browser is sent with now.
func (s *scene) request() oauth.AuthorizationRequest {
	s.t.Helper()
	request, err := s.flow().AuthorizationRequest("https://tokens.example/callback")
	if err != nil {
		s.t.Fatal(err)
	}
	return request
}

// codeComes puts a code into the state Secret, as the portal does.
func (s *scene) codeComes(at time.Time, change ...func(*consent.Attempt)) {
	s.t.Helper()
	attempt := consent.Attempt{
		State: "state", Browser: "browser", Offer: consent.Offer{Vendor: "generic", Title: "Any", Request: s.request()},
		StartedAt: at.Add(-time.Minute), Until: at.Add(14 * time.Minute), Answer: oauth.NewSensitive("code"), ReceivedAt: at,
	}
	for _, c := range change {
		c(&attempt)
	}
	s.keep(func(k *keepsake) { k.Consent.Attempts = append(k.Consent.Attempts, attempt) })
}

func (s *scene) losesRefreshToken() {
	s.keep(func(k *keepsake) { k.RefreshToken = oauth.Sensitive{} })
}

func (s *scene) neverHadAny() {
	s.seen.target, s.seen.token.Status = targetView{}, v1alpha1.OAuthTokenStatus{}
}

func TestPlansWithAPersonsConsent(t *testing.T) {
	const hour, day = time.Hour, 24 * time.Hour
	const required, renewal = v1alpha1.ReasonAuthorizationRequired, 45 * time.Minute
	for name, test := range map[string]struct {
		change func(*scene)
		at     time.Duration // after noon
		want   string
		asked  string // what a person is told; empty: nobody is asked
	}{
		"the first token waits for a person": {
			func(s *scene) { s.losesRefreshToken(); s.neverHadAny() }, 0, "wait 1h0m0s since " + required, "somebody must authorize",
		},
		"a token that is due is renewed with the refresh token, and nobody is asked": {
			func(*scene) {}, renewal, "request RenewalDue by refresh token", "",
		},
		"without a refresh token a person is asked at the renewal time, and not before": {
			func(s *scene) { s.losesRefreshToken() }, time.Minute, "wait 38m34s", "",
		},
		"without a refresh token the one served stays when a person is asked": {
			func(s *scene) { s.losesRefreshToken() }, renewal, "wait 15m0s since " + required, "somebody must authorize",
		},
		"where the vendor gave none, the remedy is told": {
			func(s *scene) { s.losesRefreshToken(); s.keep(func(k *keepsake) { k.Consent.Unrefreshable = true }) }, renewal,
			"wait 15m0s since " + required, "The vendor gave no refresh token",
		},
		"the implicit grant has nothing to refresh with": {
			func(s *scene) {
				s.seen.token.Spec.GrantType = v1alpha1.GrantImplicit
				s.issue(noon, time.Hour)
				s.losesRefreshToken()
			}, renewal, "wait 15m0s since " + required, "somebody must authorize",
		},
		"seven days before the refresh token's end a person is asked, and renewal goes on": {
			func(s *scene) { s.issue(noon.Add(23*day), hour) }, 23*day + time.Minute, "wait 38m34s", "the refresh token ends soon",
		},
		"not a second before": {
			func(s *scene) { s.issue(noon.Add(23*day-time.Minute), hour) }, 23*day - time.Second, "wait 38m35s", "",
		},
		"a short life of the refresh token is asked for at its half": {
			func(s *scene) { s.keep(func(k *keepsake) { *k = k.granted(noon, 2*hour) }) }, hour - 30*time.Minute, "wait 9m34s", "",
		},
		"an end that moves with each refresh asks nobody": {
			func(s *scene) {
				s.keep(func(k *keepsake) { k.Life = 720 * hour })
				s.issue(noon.Add(29*day), hour)
			}, 29*day + time.Minute, "wait 38m34s", "",
		},
		"past the refresh token's end there is no other way": {
			func(s *scene) { s.issue(noon.Add(30*day), hour) }, 30*day + renewal,
			"wait 15m0s since " + v1alpha1.ReasonRefreshTokenExpired, "the refresh token is past its end: somebody must authorize",
		},
		"past its end, and before the token that is served is due, it does not end soon": {
			func(s *scene) { s.issue(noon.Add(30*day), hour) }, 30*day + time.Minute, "wait 38m34s",
			"the refresh token is past its end: somebody must authorize",
		},
		"scopes that were added need consent": {
			func(s *scene) { s.keep(func(k *keepsake) { k.Consent.Scopes = []string{"other"} }) }, time.Minute, "wait 38m34s", "scopes were added",
		},
		"suspended, nobody is asked": {
			func(s *scene) { s.losesRefreshToken(); s.seen.token.Spec.Suspend = true }, renewal, "wait 15m0s", "",
		},
		"a lost answer asks a person at once, while the token served stays": {
			func(s *scene) { s.keep(func(k *keepsake) { k.Intent = &intent{Credential: "hash"} }) }, renewal,
			"wait 9m0s since " + v1alpha1.ReasonRefreshInterrupted, "the answer to a refresh was lost",
		},
		"a code is exchanged at once": {
			func(s *scene) { s.codeComes(noon.Add(time.Minute)) }, time.Minute, "request  by code", "",
		},
		"a code is exchanged whatever was rejected before": {
			func(s *scene) {
				s.losesRefreshToken()
				s.failed(noon.Add(renewal), 6*hour, v1alpha1.ReasonInvalidClient)
				s.codeComes(noon.Add(renewal))
			}, renewal + time.Minute, "request  by code", "",
		},
		"a code waits until it may be sent again": {
			func(s *scene) {
				s.codeComes(noon.Add(time.Minute), func(a *consent.Attempt) { a.NotBefore = noon.Add(2 * time.Minute) })
			}, time.Minute + 30*time.Second, "wait 30s", "",
		},
		"a code waits for a moment after a token came": {
			func(s *scene) { s.seen.lastSuccess = noon.Add(time.Minute); s.codeComes(noon.Add(time.Minute)) }, time.Minute, "wait 6s", "",
		},
		"a code does not wait for a time before the clock was stepped back": {
			func(s *scene) { s.seen.lastSuccess = noon.Add(2 * hour); s.codeComes(noon.Add(time.Minute)) }, time.Minute, "request  by code", "",
		},
		"nor does a token that a browser brought": {
			func(s *scene) {
				s.seen.token.Spec.GrantType = v1alpha1.GrantImplicit
				s.issue(noon, time.Hour)
				s.seen.lastSuccess = noon.Add(2 * hour)
				s.codeComes(noon.Add(time.Minute))
			}, time.Minute, "request  by fragment", "",
		},
		"a code that is too old is not sent": {
			func(s *scene) { s.codeComes(noon) }, 10 * time.Minute, "wait 29m34s", "",
		},
		"a code for what is not asked any more is not sent": {
			func(s *scene) {
				s.codeComes(noon.Add(time.Minute), func(a *consent.Attempt) { a.Offer.Request.Issuer = "https://other.example" })
			}, 2 * time.Minute, "wait 37m34s", "",
		},
		"a code that was taken by a process that never told is not waited for": {
			func(s *scene) {
				s.codeComes(noon, func(a *consent.Attempt) { a.Answer, a.SendBefore = oauth.Sensitive{}, noon.Add(10*time.Second) })
				s.losesRefreshToken()
				s.neverHadAny()
			}, 2 * time.Minute, "wait 1h0m0s since " + required, "somebody must authorize",
		},
		"suspended, a code waits": {
			func(s *scene) { s.seen.token.Spec.Suspend = true; s.codeComes(noon.Add(time.Minute)) }, time.Minute, "wait 59m0s", "",
		},
		"what was refused for good leaves it to a person at once": {
			func(s *scene) {
				s.losesRefreshToken()
				s.failed(noon.Add(renewal), 6*hour, v1alpha1.ReasonInvalidClient)
			}, renewal + time.Minute,
			"wait 14m0s since " + v1alpha1.ReasonInvalidClient, "what to do about InvalidClient Then authorize again",
		},
		"a code that was lost in an outage does too, and keeps nobody waiting": {
			func(s *scene) {
				s.losesRefreshToken()
				s.failed(noon.Add(renewal), 10*time.Minute, v1alpha1.ReasonVendorUnavailable)
			},
			renewal + time.Minute, "wait 14m0s since " + required, "somebody must authorize",
		},
		"a refused client leaves the refresh token for the day on which it is corrected": {
			func(s *scene) { s.failed(noon.Add(renewal), 6*hour, v1alpha1.ReasonInvalidClient) }, renewal + time.Minute,
			"wait 14m0s since " + v1alpha1.ReasonInvalidClient, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newConsentScene(t)
			test.change(s)
			now := noon.Add(test.at)
			p := s.plan(now)
			if got := told(now, p); got != test.want {
				t.Errorf("the plan is %q, want %q", got, test.want)
			}
			if p.step != stepRequest && p.exchange.attempt != nil { // whatever fails meanwhile is not the code's
				t.Error("a code that waits is said to be sent")
			}
			asked := ""
			if why := consentWanted(now, s.seen.token, p, p.unchanged(s.seen)); why != nil {
				asked = why.message
			}
			if !strings.HasPrefix(asked, test.asked) || (asked == "") != (test.asked == "") {
				t.Errorf("a person is told %q, want %q", asked, test.asked)
			}
		})
	}
}

func TestALinkIsShownWhileItsTicketIsInTheRecord(t *testing.T) {
	s := newConsentScene(t)
	ticket := consent.NewSecret()
	link := "https://tokens.example/authorize/" + ticket.Reveal()
	invited := consent.Record{}.Invite(noon, ticket, consent.Offer{Request: s.request()})
	s.seen.token.Status.Authorization = &v1alpha1.AuthorizationStatus{URL: link}
	for name, test := range map[string]struct {
		record consent.Record
		portal string
		want   string
	}{
		"while nobody has used it":                    {invited, "https://tokens.example", link},
		"not when it was used":                        {consent.Record{RequestedAt: noon}, "https://tokens.example", ""},
		"not when another one has taken its place":    {invited.Invite(noon, consent.NewSecret(), invited.Offer), "https://tokens.example", ""},
		"not when browsers find the portal elsewhere": {invited, "https://elsewhere.example", ""},
	} {
		t.Run(name, func(t *testing.T) {
			status := authorizationStatus(s.seen.token, &plan{portalURL: test.portal}, &result{keep: keepsake{Consent: test.record}})
			got := ""
			if status != nil {
				got = status.URL
			}
			if got != test.want {
				t.Errorf("the link is %q, want %q", got, test.want)
			}
		})
	}
}

func TestWhoAuthorizedIsKnownFromTheStateSecretOrElseFromStatus(t *testing.T) {
	s := newConsentScene(t)
	s.seen.token.Status.Authorization = &v1alpha1.AuthorizationStatus{Subject: "grace"}
	if got := pinnedSubject(s.seen.token, keepsake{Consent: consent.Record{Subject: "ada"}}); got != "ada" {
		t.Errorf("the state Secret says ada, and status %s; %q is believed", "grace", got)
	}
	if got := pinnedSubject(s.seen.token, keepsake{}); got != "grace" {
		t.Errorf("without a state Secret %q is believed, want grace", got)
	}
}

func TestAForeignStateSecretIsInTheWayOfConsent(t *testing.T) {
	s := newConsentScene(t)
	s.seen.state = &corev1.Secret{}
	s.seen.state.Name = stateName(s.seen.token)
	if p := s.plan(noon); p.problem == nil || p.problem.reason != v1alpha1.ReasonSecretConflict {
		t.Errorf("the plan's problem is %+v, want a SecretConflict", p.problem)
	}
}
