package controller_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

const portalURL = "https://tokens.example.com/portal"

// withPortal lets the manager invite persons. The tests stand in for the portal and for the browser.
func withPortal(p *declaration.Platform) { p.PortalURL, p.EnableImplicit = portalURL, true }

// link waits until status shows a link, other than the one before, and returns its ticket.
func (w *world) link(name string, before oauth.Sensitive) oauth.Sensitive {
	w.t.Helper()
	var ticket oauth.Sensitive
	w.eventually(func() string {
		token := w.oauthToken(name)
		if token.Status.Authorization == nil {
			return "no authorization in status"
		}
		text, ok := strings.CutPrefix(token.Status.Authorization.URL, portalURL+"/authorize/")
		ticket = oauth.NewSensitive(text)
		if !ok || ticket.Equal(before) {
			return "no new link"
		}
		return ""
	})
	return ticket
}

// record is what the state Secret says of a person's consent.
func (w *world) record(name string) consent.Record {
	w.t.Helper()
	return consent.Parse(w.secret(name + v1alpha1.StateSecretSuffix).Data[consent.Key])
}

// changeRecord writes as the portal does.
func (w *world) changeRecord(name string, change func(consent.Record) consent.Record) {
	w.t.Helper()
	edit(w, state(name), func(s *corev1.Secret) {
		s.Data[consent.Key] = change(consent.Parse(s.Data[consent.Key])).Encode()
	})
}

// visit is a browser on its way.
type visit struct {
	w                        *world
	name                     string
	state, verifier, browser oauth.Sensitive
	offer                    consent.Offer
}

// setOut uses the link of an OAuthToken.
func (w *world) setOut(name string, ticket oauth.Sensitive) *visit {
	w.t.Helper()
	v := &visit{w: w, name: name, state: consent.NewSecret(), verifier: oauth.NewVerifier(), browser: consent.NewSecret()}
	w.changeRecord(name, func(r consent.Record) consent.Record {
		v.offer = r.Offer
		begun, err := r.Begin(w.clock.Now(), ticket, consent.Attempt{
			State: consent.Hash(v.state), Browser: consent.Hash(v.browser), Verifier: v.verifier,
		})
		if err != nil {
			w.t.Fatal(err)
		}
		return begun
	})
	return v
}

// consents lets the person consent at the vendor, and returns what the browser brings back.
func (v *visit) consents() url.Values {
	v.w.t.Helper()
	browser := &http.Client{Transport: v.w.browser, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := browser.Get(v.offer.Request.Start(v.state, v.verifier))
	if err != nil {
		v.w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	back, err := response.Location()
	if err != nil {
		v.w.t.Fatalf("the vendor does not send the browser back: status %d", response.StatusCode)
	}
	if !strings.HasPrefix(back.String(), portalURL+"/callback") {
		v.w.t.Fatalf("the vendor sends the browser to %s", back)
	}
	answer := back.Query()
	if back.Fragment != "" {
		if answer, err = url.ParseQuery(back.Fragment); err != nil {
			v.w.t.Fatal(err)
		}
	}
	if answer.Get("state") != v.state.Reveal() {
		v.w.t.Fatal("the vendor answers with another state")
	}
	return answer
}

// comesBack brings an answer.
func (v *visit) comesBack(answer url.Values) {
	v.w.t.Helper()
	given, refusal := v.offer.Request.Read(answer)
	if refusal != nil {
		v.w.t.Fatalf("the answer is refused: %s", refusal.Code)
	}
	v.w.changeRecord(v.name, func(r consent.Record) consent.Record {
		return r.Receive(v.w.clock.Now(), consent.Hash(v.state), given, nil)
	})
}

// outcome waits until the attempt has one.
func (v *visit) outcome() consent.Outcome {
	v.w.t.Helper()
	var outcome consent.Outcome
	v.w.eventually(func() string {
		attempt, err := v.w.record(v.name).Find(v.w.clock.Now(), v.state, v.browser)
		if err != nil {
			return err.Error()
		}
		if attempt.Outcome == nil {
			return "no outcome"
		}
		outcome = *attempt.Outcome
		return ""
	})
	return outcome
}

// authorize lets a person go the whole way.
func (w *world) authorize(name string) *visit {
	w.t.Helper()
	v := w.setOut(name, w.link(name, oauth.Sensitive{}))
	v.comesBack(v.consents())
	return v
}

// interactive makes a client of vendor generic known, and an OAuthToken that needs a person for it.
func (w *world) interactive(name string, client oauthtest.Client, change ...func(*v1alpha1.OAuthToken)) {
	w.t.Helper()
	secret := w.register(name, client)
	w.reregister(name, func(c *oauthtest.Client) {
		c.Grants = append(c.Grants, oauthtest.AuthorizationCode, oauthtest.Implicit)
		c.RedirectURIs = []string{portalURL + "/callback"}
	})
	w.vendor.ConsentBy(oauthtest.Generic, &oauthtest.Consent{})
	w.create(secret, genericToken(w, name, v1alpha1.GrantAuthorizationCode, append([]func(*v1alpha1.OAuthToken){func(o *v1alpha1.OAuthToken) {
		o.Spec.Endpoints.AuthorizationURL = v1alpha1.URL(strings.Replace(w.vendor.TokenURL(oauthtest.Generic), "/token", "/authorize", 1))
	}}, change...)...))
}

// reregister changes a client of vendor generic.
func (w *world) reregister(name string, change func(*oauthtest.Client)) {
	w.t.Helper()
	client, known := w.vendor.Client(oauthtest.Generic, name)
	if !known {
		w.t.Fatalf("the vendor does not know client %s", name)
	}
	change(&client)
	w.vendor.Register(client)
}

// codes counts the codes that a client has exchanged, or tried to.
func (w *world) codes(name string) int {
	return w.vendor.Count(oauthtest.Match{Endpoint: oauthtest.TokenEndpoint, ClientID: name, Grant: oauthtest.AuthorizationCode})
}

// consented is a client whose refresh tokens rotate.
func consented() oauthtest.Client {
	return oauthtest.Client{RefreshTokens: true, Rotation: oauthtest.Rotate, Scopes: []string{"openid", "users"}}
}

func openID(o *v1alpha1.OAuthToken) { o.Spec.Scopes = []v1alpha1.Scope{"openid", "users"} }

func TestAPersonAuthorizesOnceAndTheTokenIsKeptFresh(t *testing.T) {
	clock := fakeTime()
	w := newWorld(t, withPlatform(withPortal), withClock(clock))
	w.interactive("api", consented(), openID)
	token := w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonAuthorizationRequired)
	if !has(token, v1alpha1.ConditionAuthorizationRequired, v1alpha1.ReasonAuthorizationRequired) || !has(token, v1alpha1.ConditionStalled, v1alpha1.ReasonAuthorizationRequired) {
		t.Errorf("conditions %+v, want AuthorizationRequired and Stalled", token.Status.Conditions)
	}
	v := w.authorize("api")
	token = w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	if outcome := v.outcome(); outcome.Result != consent.Completed || outcome.Subject != "ada" {
		t.Errorf("the outcome is %+v, want Completed by ada", outcome)
	}
	if a := token.Status.Authorization; a == nil || a.URL != "" || a.Subject != "ada" || a.RequestedAt != nil {
		t.Errorf("status.authorization is %+v, want the subject alone", a)
	}
	if has(token, v1alpha1.ConditionAuthorizationRequired, v1alpha1.ReasonAuthorizationRequired) {
		t.Error("AuthorizationRequired stays after somebody authorized")
	}
	w.eventually(func() string {
		if events := w.events("api"); events[v1alpha1.EventAuthorizationCompleted] != 1 || events[v1alpha1.EventTokenIssued] != 1 {
			return "no event of the authorization, or more than one"
		}
		return ""
	})
	first := w.awaitServed("api", "")
	w.pass(clock, 50*time.Minute, "api")
	w.awaitServed("api", first)
	w.expect("api", 2, "exchange of the code, and refresh")
	if n := w.codes("api"); n != 1 {
		t.Errorf("%d codes were exchanged, want 1", n)
	}
	if request := v.offer.Request; !request.PKCE {
		t.Error("no code challenge was sent (rule P2)")
	}
	if attempts := w.record("api").Attempts; len(attempts) != 0 {
		t.Errorf("after its time the attempt is still in the state Secret: %d", len(attempts))
	}
}

func TestATokenFromAFragmentIsServedUntilItsEnd(t *testing.T) {
	clock := fakeTime()
	w := newWorld(t, withPlatform(withPortal), withClock(clock))
	w.interactive("api", oauthtest.Client{Scopes: []string{"users"}}, func(o *v1alpha1.OAuthToken) { o.Spec.GrantType = v1alpha1.GrantImplicit })
	used := w.link("api", oauth.Sensitive{})
	v := w.setOut("api", used)
	v.comesBack(v.consents())
	w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	served := w.awaitServed("api", "")
	w.eventually(func() string {
		if w.events("api")[v1alpha1.EventDiscouragedGrant] != 1 {
			return "no warning of the grant"
		}
		return ""
	})
	if n := w.vendor.Count(oauthtest.Match{Endpoint: oauthtest.TokenEndpoint, ClientID: "api"}); n != 0 {
		t.Errorf("%d requests to the token endpoint, want none", n)
	}
	w.pass(clock, 50*time.Minute, "api")
	token := w.awaitCondition("api", v1alpha1.ConditionAuthorizationRequired, metav1.ConditionTrue, v1alpha1.ReasonAuthorizationRequired)
	if !has(token, v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued) || w.served("api") != served {
		t.Error("the token that is still good is not served any more when the next one is asked for")
	}
	v = w.setOut("api", w.link("api", used))
	v.comesBack(v.consents())
	w.awaitServed("api", served)
}

func TestAnotherPersonIsRefusedUnlessTheAnnotationAllowsIt(t *testing.T) {
	clock := fakeTime()
	w := newWorld(t, withPlatform(withPortal), withClock(clock))
	w.interactive("api", consented(), openID, func(o *v1alpha1.OAuthToken) {
		o.Spec.Renewal = &v1alpha1.Renewal{RefreshTokenLifetime: new(v1alpha1.Duration("720h"))}
	})
	w.authorize("api")
	w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.awaitServed("api", "")
	clock.Step(24 * 24 * time.Hour) // into the last week of the refresh token
	w.nudge("api")
	w.link("api", oauth.Sensitive{})
	w.eventually(func() string {
		if w.vendor.Count(oauthtest.Match{Endpoint: oauthtest.TokenEndpoint, ClientID: "api", Grant: oauthtest.RefreshToken}) == 0 {
			return "the refresh that is due is not made"
		}
		return ""
	})
	w.pass(clock, time.Minute, "api") // after a success the vendor is left alone for some seconds, which are over now
	w.eventually(func() string {
		if w.events("api")[v1alpha1.EventRefreshTokenExpiring] != 1 {
			return "no warning 7 days before the refresh token's end, which no refresh has moved (rule R5)"
		}
		return ""
	})
	w.vendor.ConsentBy(oauthtest.Generic, &oauthtest.Consent{Subject: "mallory"})
	v := w.authorize("api")
	if outcome := v.outcome(); outcome.Result != consent.SubjectMismatch || outcome.Subject != "mallory" {
		t.Errorf("the outcome is %+v, want SubjectMismatch", outcome)
	}
	w.settled()
	if n := w.vendor.Count(oauthtest.Match{Endpoint: oauthtest.TokenEndpoint, ClientID: "api", Grant: oauthtest.RefreshToken}); n != 1 {
		t.Errorf("%d refreshes, want the one that the time asked for: ada's refresh token goes on", n)
	}
	if token := w.oauthToken("api"); token.Status.Authorization.Subject != "ada" {
		t.Errorf("status says that %q authorized", token.Status.Authorization.Subject)
	}
	w.eventually(func() string {
		if w.events("api")[v1alpha1.ReasonAccessDenied] == 0 {
			return "no event tells of the other person"
		}
		return ""
	})
	edit(w, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(o *v1alpha1.OAuthToken) {
		o.Annotations = map[string]string{v1alpha1.AllowSubjectChangeAnnotation: "true"}
	})
	clock.Step(time.Minute)
	v = w.authorize("api")
	if outcome := v.outcome(); outcome.Result != consent.Completed || outcome.Subject != "mallory" {
		t.Errorf("with the annotation the outcome is %+v, want Completed by mallory", outcome)
	}
}

func TestTheLinkIsReplacedWhenItIsUsedOrGrowsOld(t *testing.T) {
	clock := fakeTime()
	w := newWorld(t, withPlatform(withPortal), withClock(clock))
	w.interactive("api", consented())
	first := w.link("api", oauth.Sensitive{})
	w.setOut("api", first)
	second := w.link("api", first)
	w.pass(clock, consent.TicketLife-consent.TicketRenewal+time.Minute, "api")
	third := w.link("api", second)
	if err := w.record("api").Admit(clock.Now(), second); err == nil {
		t.Error("a link that was replaced still works")
	}
	if err := w.record("api").Admit(clock.Now(), third); err != nil {
		t.Errorf("the present link does not work: %v", err)
	}
	if text := string(w.secret("api" + v1alpha1.StateSecretSuffix).Data[consent.Key]); strings.Contains(text, third.Reveal()) {
		t.Error("the ticket itself is in the state Secret")
	}
}

func TestRestartsAndEditsKeepTheLink(t *testing.T) {
	w := newWorld(t, withPlatform(withPortal))
	w.interactive("api", consented())
	first := w.link("api", oauth.Sensitive{})
	w.nudge("api")
	w.settled()
	w.stop()
	w.start()
	w.settled()
	if again := w.link("api", oauth.Sensitive{}); !again.Equal(first) {
		t.Error("a restart makes another link")
	}
	if counts := w.api.counts(); len(counts) != 0 {
		t.Errorf("a reconcile with nothing to do makes requests: %v", counts)
	}
}

func TestAWipedStatusGetsANewLink(t *testing.T) {
	w := newWorld(t, withPlatform(withPortal))
	w.interactive("api", consented())
	first := w.link("api", oauth.Sensitive{})
	token := w.oauthToken("api")
	token.Status = v1alpha1.OAuthTokenStatus{}
	if err := w.client.Status().Update(context.Background(), token); err != nil && !apierrors.IsConflict(err) {
		t.Fatal(err)
	}
	w.link("api", first)
}

func TestACodeIsExchangedOnceWhateverTheAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		fault oauthtest.Fault
		want  consent.Result
		ready string
	}{
		"an answer that was cut off":  {oauthtest.AfterActing(oauthtest.Drop()), consent.Interrupted, v1alpha1.ReasonAuthorizationRequired},
		"a refusal":                   {oauthtest.OAuthError("invalid_grant"), consent.ExchangeFailed, v1alpha1.ReasonInvalidGrant},
		"a failure that says nothing": {oauthtest.Unavailable(nil), consent.Interrupted, v1alpha1.ReasonAuthorizationRequired},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withPlatform(withPortal))
			w.interactive("api", consented())
			first := w.link("api", oauth.Sensitive{})
			v := w.setOut("api", first)
			w.vendor.Fail(oauthtest.Match{Endpoint: oauthtest.TokenEndpoint, ClientID: "api"}, test.fault, oauthtest.Times(1))
			v.comesBack(v.consents())
			if outcome := v.outcome(); outcome.Result != test.want {
				t.Errorf("the outcome is %+v, want %s", outcome, test.want)
			}
			w.link("api", first)
			w.settled()
			if n := w.codes("api"); n != 1 {
				t.Errorf("the code was sent %d times, want once (rule T10)", n)
			}
		})
	}
}

func TestTheAuthorizationEndpointIsDiscoveredWithItsIssuer(t *testing.T) {
	for name, stated := range map[string]bool{"nothing but the issuer is stated": false, "the authorization endpoint is stated": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withPlatform(withPortal))
			w.vendor.NameIssuer()
			w.interactive("api", consented(), openID, func(o *v1alpha1.OAuthToken) {
				issuer, _, _ := strings.Cut(w.vendor.TokenURL(oauthtest.Generic), "/oauth2")
				o.Spec.Endpoints.TokenURL, o.Spec.Endpoints.IssuerURL = "", v1alpha1.URL(issuer)
				if !stated {
					o.Spec.Endpoints.AuthorizationURL = ""
				}
			})
			v := w.setOut("api", w.link("api", oauth.Sensitive{}))
			request := v.offer.Request
			if !request.IssuerRequired || request.Issuer == "" || !strings.HasPrefix(request.URL, request.Issuer) {
				t.Fatalf("issuer %q, required: %t (rule P5)", request.Issuer, request.IssuerRequired)
			}
			answer := v.consents()
			if answer.Get("iss") != request.Issuer {
				t.Errorf("the answer's iss is %q, want %q", answer.Get("iss"), request.Issuer)
			}
			v.comesBack(answer)
			w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
		})
	}
}

func TestWithoutARefreshTokenTheRemedyIsTold(t *testing.T) {
	clock := fakeTime()
	w := newWorld(t, withPlatform(withPortal), withClock(clock))
	w.interactive("api", oauthtest.Client{Scopes: []string{"users"}})
	w.authorize("api")
	w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.eventually(func() string {
		if w.events("api")[v1alpha1.EventRefreshTokenMissing] != 1 {
			return "no event tells that the refresh token is missing"
		}
		return ""
	})
	w.pass(clock, 50*time.Minute, "api")
	token := w.awaitCondition("api", v1alpha1.ConditionAuthorizationRequired, metav1.ConditionTrue, v1alpha1.ReasonAuthorizationRequired)
	if got := message(token, v1alpha1.ConditionAuthorizationRequired); !strings.HasPrefix(got, "The vendor gave no refresh token") {
		t.Errorf("the message is %q", got)
	}
}

func TestACodeThatTheVendorWasTooBusyForIsSentAgain(t *testing.T) {
	w := newWorld(t, withPlatform(withPortal))
	w.interactive("api", consented())
	v := w.setOut("api", w.link("api", oauth.Sensitive{}))
	w.vendor.Fail(oauthtest.Match{Endpoint: oauthtest.TokenEndpoint, ClientID: "api"}, oauthtest.TooManyRequests(oauthtest.InSeconds(1)), oauthtest.Times(1))
	v.comesBack(v.consents())
	if outcome := v.outcome(); outcome.Result != consent.Completed {
		t.Errorf("the outcome is %+v", outcome)
	}
	w.settled()
	if n := w.codes("api"); n != 2 {
		t.Errorf("the code was sent %d times, want twice: 429 says that it was not looked at", n)
	}
}

// TestACodeWhoseIntentsAnswerIsLostIsSent lets the API server take the code out and lose its answer: nothing was sent to the vendor, and this
// process knows it.
func TestACodeWhoseIntentsAnswerIsLostIsSent(t *testing.T) {
	t.Parallel()
	var lost atomic.Bool
	w := newWorld(t, withPlatform(withPortal), withClock(fakeTime()), losing(&lost))
	w.interactive("api", consented())
	first := w.link("api", oauth.Sensitive{})
	v := w.setOut("api", first)
	w.link("api", first)
	answer := v.consents()
	w.settled()
	lost.Store(true)
	v.comesBack(answer)
	if outcome := v.outcome(); outcome.Result != consent.Completed {
		t.Errorf("the outcome is %+v", outcome)
	}
	w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.settled()
	if n := w.codes("api"); n != 1 || lost.Load() {
		t.Errorf("the code was sent %d times, want once; an answer was lost: %t", n, !lost.Load())
	}
}

func TestASpecThatChangesMeanwhileUsesNoCode(t *testing.T) {
	w := newWorld(t, withPlatform(withPortal))
	w.interactive("api", consented())
	v := w.setOut("api", w.link("api", oauth.Sensitive{}))
	answer := v.consents()
	edit(w, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(o *v1alpha1.OAuthToken) { o.Spec.Scopes = []v1alpha1.Scope{"openid"} })
	w.settled()
	v.comesBack(answer)
	if outcome := v.outcome(); outcome.Result != consent.SpecChanged {
		t.Errorf("the outcome is %+v", outcome)
	}
	w.settled()
	if n := w.codes("api"); n != 0 {
		t.Errorf("%d codes were sent", n)
	}
}

func TestADeletedStateSecretForgetsNobody(t *testing.T) {
	w := newWorld(t, withPlatform(withPortal))
	w.interactive("api", consented(), openID)
	w.authorize("api")
	w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.delete(state("api"))
	w.annotate("api", v1alpha1.RenewRequestedAtAnnotation)
	w.awaitCondition("api", v1alpha1.ConditionAuthorizationRequired, metav1.ConditionTrue, v1alpha1.ReasonAuthorizationRequired)
	w.vendor.ConsentBy(oauthtest.Generic, &oauthtest.Consent{Subject: "mallory"})
	if outcome := w.authorize("api").outcome(); outcome.Result != consent.SubjectMismatch {
		t.Errorf("the outcome is %+v, want SubjectMismatch: status knows who it was", outcome)
	}
}
