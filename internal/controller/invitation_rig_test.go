package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
)

// Others read the issuer just now, and all places are theirs: what was told of it stands, and nobody is sent to a link that is not there.
func TestWhatAnIssuerSaidStandsWhileOthersAskIt(t *testing.T) {
	catalogue := loadCatalogue(t, "")
	vendor := newAnswering(t)
	vendor.status.Store(500)
	vendor.body.Store("")
	credentials := credentialsSecret("", map[string]string{"client_id": "me", "client_secret": "secret"})
	credentials.Namespace = someToken().Namespace
	r := newRig(t, vendor, catalogue, someToken(func(o *v1alpha1.OAuthToken) {
		o.Spec.Vendor, o.Spec.GrantType = "generic", v1alpha1.GrantAuthorizationCode
		o.Spec.Endpoints = &v1alpha1.Endpoints{IssuerURL: v1alpha1.URL(vendor.URL)}
	}), credentials)
	r.reconcile(2)
	conditions := r.token().Status.Conditions
	if len(conditions) == 0 || conditions[0].Reason != v1alpha1.ReasonVendorUnavailable {
		t.Fatalf("conditions %+v", conditions)
	}
	r.told.Reset()
	r.clock.Step(6 * time.Second)
	for i := range maxInFlight {
		r.aside.enter(r.clock.Now(), vendor.URL, named(string(rune('a'+i))), time.Time{})
	}
	read := vendor.read.Load()
	r.reconcile(2)
	if diff := cmp.Diff(conditions, r.token().Status.Conditions); diff != "" {
		t.Errorf("conditions change while others ask (-before +after):\n%s", diff)
	}
	if vendor.read.Load() != read || r.told.Len() != 0 {
		t.Errorf("%d documents were read without a place; events: %s", vendor.read.Load()-read, r.told.String())
	}
	for i := range maxInFlight {
		r.aside.leave(r.clock.Now(), vendor.URL, named(string(rune('a'+i))))
	}
	r.reconcile(1)
	if vendor.read.Load() == read {
		t.Error("the issuer is not asked though there is a place")
	}
}

// TestNobodyLooksAgainAtOnceForALinkWhileOthersAreAtTheEndpoint has a person wanted, since scopes were added, and no place for the refresh.
func TestNobodyLooksAgainAtOnceForALinkWhileOthersAreAtTheEndpoint(t *testing.T) {
	catalogue := loadCatalogue(t, "")
	vendor := newAnswering(t)
	token := someToken(func(o *v1alpha1.OAuthToken) {
		o.Spec.Vendor, o.Spec.GrantType, o.Spec.Scopes = "generic", v1alpha1.GrantAuthorizationCode, []v1alpha1.Scope{"more", "users"}
		o.Spec.Endpoints = &v1alpha1.Endpoints{TokenURL: v1alpha1.URL(vendor.URL + "/token"), AuthorizationURL: v1alpha1.URL(vendor.URL + "/authorize")}
		o.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonRequesting}}
	})
	credentials := credentialsSecret("", map[string]string{"client_id": "me", "client_secret": "secret"})
	credentials.Namespace = token.Namespace
	kept := keepsake{RefreshToken: oauth.NewSensitive("kept"), Consent: consent.Record{Scopes: []string{"users"}}}
	r := newRig(t, vendor, catalogue, token, credentials, stateSecret(token, nil, kept))
	for i := range maxInFlight {
		r.gate.enter(r.clock.Now(), vendor.URL+"/token", named(string(rune('a'+i))), noon)
	}
	for range 2 {
		again, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(token)})
		if err != nil || again.RequeueAfter <= time.Second {
			t.Errorf("it is looked at again after %s, error %v", again.RequeueAfter, err)
		}
	}
	if shown := r.token().Status.Authorization; shown == nil || shown.URL == "" {
		t.Error("the person has no link meanwhile")
	}
	if asked := vendor.asked.Load(); asked != 0 {
		t.Errorf("%d requests without a place", asked)
	}
}

// TestAnAttemptThatEndsHereLeavesAsItIsWhatAPersonIsTold has somebody authorize in vain, without a token that is served: the next link is wanted for
// the same reason as the one before.
func TestAnAttemptThatEndsHereLeavesAsItIsWhatAPersonIsTold(t *testing.T) {
	for about, c := range map[string]struct {
		change  func(*consent.Record, *consent.Attempt)
		want    consent.Result
		reason  string // of the event that tells of it
		events  int    // of that reason, with those before
		subject string
	}{
		"the spec changed meanwhile": {
			func(_ *consent.Record, a *consent.Attempt) {
				a.Offer.Request.RedirectURI = "https://elsewhere.example/callback"
			},
			consent.SpecChanged, v1alpha1.ReasonAuthorizationRequired, 2, "",
		},
		"it was somebody else": {
			func(r *consent.Record, _ *consent.Attempt) { r.Subject = "ada" }, consent.SubjectMismatch, v1alpha1.ReasonAccessDenied, 1, "ada",
		},
	} {
		t.Run(about, func(t *testing.T) {
			catalogue := loadCatalogue(t, "")
			vendor := newAnswering(t)
			vendor.status.Store(http.StatusOK)
			vendor.body.Store(fmt.Sprintf(`{"issuer":%q,"token_endpoint":"%[1]s/token","authorization_endpoint":"%[1]s/authorize"}`, vendor.URL))
			token := someToken(func(o *v1alpha1.OAuthToken) {
				o.Spec.Vendor, o.Spec.GrantType = "generic", v1alpha1.GrantAuthorizationCode
				o.Spec.Endpoints = &v1alpha1.Endpoints{IssuerURL: v1alpha1.URL(vendor.URL)}
			})
			credentials := credentialsSecret("", map[string]string{"client_id": "me", "client_secret": "secret"})
			credentials.Namespace = token.Namespace
			r := newRig(t, vendor, catalogue, token, credentials)
			r.reconcile(1)
			r.wantTold(v1alpha1.ReasonAuthorizationRequired, 1, "at first")
			before := r.token().Status.Conditions
			vendor.body.Store(anHour)

			offer := parseState(r.secret("api-oauth-state")).Consent.Offer
			attempt := consent.Attempt{
				State: "state", Browser: "browser", Offer: offer, StartedAt: noon, Until: noon.Add(time.Hour), Answer: oauth.NewSensitive("code"), ReceivedAt: noon,
			}
			stored := r.secret("api-oauth-state")
			kept := parseState(stored)
			c.change(&kept.Consent, &attempt)
			kept.Consent.Attempts = append(kept.Consent.Attempts, attempt)
			if err := r.api.Update(t.Context(), stateSecret(token, stored, kept)); err != nil {
				t.Fatal(err)
			}
			r.reconcile(1)
			if outcome := parseState(r.secret("api-oauth-state")).Consent.Attempts[0].Outcome; outcome == nil || outcome.Result != c.want {
				t.Fatalf("the outcome is %+v", outcome)
			}
			if diff := cmp.Diff(before, r.token().Status.Conditions); diff != "" {
				t.Errorf("the conditions change at once (-before +after):\n%s", diff)
			}
			r.reconcile(2)
			if diff := cmp.Diff(before, r.token().Status.Conditions); diff != "" {
				t.Errorf("the conditions change (-before +after):\n%s", diff)
			}
			r.wantTold(c.reason, c.events, "of the attempt")
			if shown := r.token().Status.Authorization; shown == nil || shown.URL == "" || shown.Subject != c.subject {
				t.Errorf("status.authorization is %+v", shown)
			}
		})
	}
}

// authorizingRig is a rig whose OAuthToken is a person's: its token was got with a refresh token that is kept.
func authorizingRig(t *testing.T) *rig {
	t.Helper()
	catalogue := loadCatalogue(t, "")
	vendor := newAnswering(t)
	token := someToken(func(o *v1alpha1.OAuthToken) {
		o.Spec.Vendor, o.Spec.GrantType = "generic", v1alpha1.GrantAuthorizationCode
		o.Spec.Endpoints = &v1alpha1.Endpoints{TokenURL: v1alpha1.URL(vendor.URL + "/token"), AuthorizationURL: v1alpha1.URL(vendor.URL + "/authorize")}
	})
	credentials := credentialsSecret("", map[string]string{"client_id": "me", "client_secret": "secret"})
	credentials.Namespace = token.Namespace
	kept := keepsake{RefreshToken: oauth.NewSensitive("kept"), IssuedAt: noon}
	r := newRig(t, vendor, catalogue, token, credentials, stateSecret(token, nil, kept))
	r.vendor.gives("first")
	r.reconcile(2)
	r.expect(1, "kept", "for the first token")
	return r
}

// codeComes puts a code into the state Secret, as the portal does.
func (r *rig) codeComes() {
	r.t.Helper()
	token := r.token()
	flow, fault := r.planner.resolve(r.look(client.ObjectKeyFromObject(token)), declaration.Settings(token, r.secret("client"), r.Platform))
	if fault != nil {
		r.t.Fatal(fault.message)
	}
	request, err := flow.AuthorizationRequest(r.Platform.PortalURL + callbackPath)
	if err != nil {
		r.t.Fatal(err)
	}
	now := r.clock.Now()
	stored := r.secret("api-oauth-state")
	kept := parseState(stored)
	kept.Consent.Attempts = append(kept.Consent.Attempts, consent.Attempt{
		State: "state", Browser: "browser", Offer: consent.Offer{Vendor: "generic", Request: request},
		StartedAt: now, Until: now.Add(15 * time.Minute), Answer: oauth.NewSensitive("code"), ReceivedAt: now,
	})
	if err := r.api.Update(r.t.Context(), stateSecret(token, stored, kept)); err != nil {
		r.t.Fatal(err)
	}
}

// TestACodeThatIsRefusedMendsNothing has somebody authorize in vain while the refresh token that is kept can't be used just now: that goes on, and is
// told on.
func TestACodeThatIsRefusedMendsNothing(t *testing.T) {
	for about, wrong := range map[string]struct {
		answer func(*answering)
		reason string
	}{
		"the client is refused":           {func(a *answering) { a.refuses("invalid_client") }, v1alpha1.ReasonInvalidClient},
		"the answer to a refresh is lost": {func(a *answering) { a.status.Store(http.StatusInternalServerError) }, v1alpha1.ReasonRefreshInterrupted},
	} {
		t.Run(about, func(t *testing.T) {
			r := authorizingRig(t)
			wrong.answer(r.vendor)
			r.later(45 * time.Minute)
			r.wantTold(wrong.reason, 1, "when the refresh fails")
			before := r.token().Status.Conditions
			r.vendor.refuses("invalid_request")
			r.codeComes()
			r.reconcile(1)
			r.expect(3, "", "with the code")
			if diff := cmp.Diff(before, r.token().Status.Conditions); diff != "" {
				t.Errorf("the conditions change at once (-before +after):\n%s", diff)
			}
			r.reconcile(2)
			if diff := cmp.Diff(before, r.token().Status.Conditions); diff != "" {
				t.Errorf("the conditions change (-before +after):\n%s", diff)
			}
			r.wantTold(wrong.reason, 1, "in the end")
			r.wantTold(v1alpha1.ReasonInvalidRequest, 1, "of the attempt")
		})
	}
}

func TestACodeThatIsRefusedDelaysNoRenewal(t *testing.T) {
	r := authorizingRig(t)
	r.clock.Step(30 * time.Minute)
	due := r.token().Status.RenewalTime.Sub(r.clock.Now())
	r.vendor.refuses("invalid_request")
	r.codeComes()
	again, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(someToken())})
	if err != nil || again.RequeueAfter > due {
		t.Errorf("it is looked at again after %s, and a renewal is due in %s; error %v", again.RequeueAfter, due, err)
	}
	r.expect(2, "", "with the code")
}

// browserSetsOut has a browser use the link while what a request has come to is being saved. The target can't be written.
func (r *rig) browserSetsOut() {
	r.t.Helper()
	ticket := shownTicket(r.token(), r.Platform.PortalURL)
	begin := sync.OnceFunc(func() {
		stored := r.secret("api-oauth-state")
		kept := parseState(stored)
		begun, err := kept.Consent.Begin(r.clock.Now(), ticket, consent.Attempt{State: "state", Browser: "browser"})
		if err != nil {
			r.t.Fatal(err)
		}
		kept.Consent = begun
		if err := r.api.Update(r.t.Context(), stateSecret(r.token(), stored, kept)); err != nil {
			r.t.Fatal(err)
		}
	})
	r.saver.clock, r.saver.client = &impatient{}, interceptor.NewClient(r.api, interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, opts ...client.UpdateOption) error {
			begin()
			return c.Update(ctx, object, opts...)
		},
	})
	funcs := asCached()
	funcs.Apply = func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
		return apierrors.NewForbidden(corev1.Resource("secrets"), "api", errors.New("exceeded quota: small"))
	}
	r.Client = interceptor.NewClient(r.api, funcs)
}

func TestABrowserThatSetsOutDuringARequestIsNotForgotten(t *testing.T) {
	for name, answer := range map[string]func(*answering){
		"that succeeds":    func(a *answering) { a.gives("third") },
		"that is put off":  func(a *answering) { a.status.Store(http.StatusTooManyRequests) },
		"that is refused":  func(a *answering) { a.refuses("invalid_grant") },
		"that brings half": func(a *answering) { a.body.Store(`{"refresh_token":"third"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			r := authorizingRig(t)
			r.changeToken(func(o *v1alpha1.OAuthToken) {
				o.Spec.Renewal = &v1alpha1.Renewal{RefreshTokenLifetime: new(v1alpha1.Duration("10h"))}
			})
			r.vendor.gives("second")
			r.later(5 * time.Hour)
			used := r.link()
			if used == "" {
				t.Fatalf("there is no link ahead of the end: %+v", r.token().Status)
			}
			r.ends("soon")
			answer(r.vendor)
			r.browserSetsOut()
			r.clock.Step(45 * time.Minute)
			r.reconcile(1)
			r.expect(3, "second", "at the renewal")
			if got := r.stored("api").Consent.Attempts; len(got) != 1 || r.link() == used {
				t.Errorf("the browser's attempt is one of %d, and status shows the link %q, where %q was used", len(got), r.link(), used)
			}
		})
	}
}
