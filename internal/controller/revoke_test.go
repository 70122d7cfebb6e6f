package controller_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// revoking asks for revocation, at the vendor's endpoint.
func revoking(w *world) func(*v1alpha1.OAuthToken) {
	return func(o *v1alpha1.OAuthToken) {
		o.Spec.RevokeOnDelete = true
		o.Spec.Endpoints.RevocationURL = v1alpha1.URL(w.vendor.RevocationURL(oauthtest.Generic))
	}
}

// named is an OAuthToken of that name, for editing and deleting.
func named(name string) *v1alpha1.OAuthToken {
	return &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

// gone tells whether there is no such OAuthToken any more.
func (w *world) gone(name string) bool {
	w.t.Helper()
	err := w.client.Get(context.Background(), client.ObjectKey{Namespace: w.namespace, Name: name}, named(name))
	if client.IgnoreNotFound(err) != nil {
		w.t.Fatal(err)
	}
	return apierrors.IsNotFound(err)
}

func (w *world) awaitGone(name string) {
	w.t.Helper()
	w.eventually(func() string {
		if w.gone(name) {
			return ""
		}
		return "the OAuthToken is still there"
	})
}

// revocations are the hints of the revocation requests that came, in order.
func (w *world) revocations() []string {
	var hints []string
	for _, request := range w.vendor.Requests() {
		if request.Endpoint == oauthtest.RevocationEndpoint {
			hints = append(hints, request.Form().Get("token_type_hint"))
		}
	}
	return hints
}

// awaitEvent waits for an event, which is written on its own time.
func (w *world) awaitEvent(name, reason string) {
	w.t.Helper()
	w.eventually(func() string {
		if w.events(name)[reason] == 1 {
			return ""
		}
		return "want one event " + reason
	})
}

func TestTheFinalizerIsThereWhileRevocationIsWanted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.createPlain("api", oauthtest.Client{})
	held := func(want bool) {
		w.eventually(func() string {
			if slices.Contains(w.oauthToken("api").Finalizers, v1alpha1.RevokeFinalizer) == want {
				return ""
			}
			return "the finalizer does not follow the spec"
		})
	}
	w.awaitServed("api", "")
	held(false)
	edit(w, named("api"), revoking(w))
	held(true)
	edit(w, named("api"), func(o *v1alpha1.OAuthToken) { o.Spec.RevokeOnDelete = false })
	held(false)
	w.delete(named("api"))
	w.awaitGone("api")
	if got := w.revocations(); len(got) != 0 {
		t.Errorf("revoked %v, which nobody wants", got)
	}
	w.expect("api", 1, "whatever becomes of the finalizer")
}

func TestADeletedOAuthTokensTokensAreRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.createSeeded("api", rotating(), revoking(w))
	served := w.awaitServed("api", "")
	w.settled()
	refresh := w.stored("api")
	w.delete(named("api"))
	w.awaitGone("api")
	if got := w.revocations(); !slices.Equal(got, []string{"refresh_token", "access_token"}) {
		t.Errorf("revoked %v, want the refresh token and then the access token", got)
	}
	if w.vendor.IsLive(served) || w.vendor.RefreshTokenIsLive(refresh) {
		t.Error("what was revoked is still good")
	}
	w.awaitEvent("api", v1alpha1.EventTokenRevoked)
}

// A vendor answers that it has revoked what it does not know (RFC 7009, section 2.2).
func TestWhatIsNotTheTokenIsNotRevokedForIt(t *testing.T) {
	t.Parallel()
	rendering := func(source v1alpha1.TemplateSource) func(*v1alpha1.OAuthToken) {
		return targeted(func(target *v1alpha1.Target) {
			target.DefaultKeys = v1alpha1.DefaultKeysOmit
			target.Template = &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateSource{"access_token": source}}
		})
	}
	for name, test := range map[string]struct {
		change func(*v1alpha1.OAuthToken)
		edited string
		want   string
	}{
		"the token by a template":   {rendering("{{ .AccessToken }}"), "", v1alpha1.EventTokenRevoked},
		"the token and a newline":   {rendering("{{ .AccessToken }}\n"), "", v1alpha1.EventRevocationFailed},
		"the header":                {rendering("Bearer {{ .AccessToken }}"), "", v1alpha1.EventRevocationFailed},
		"what somebody wrote there": {func(*v1alpha1.OAuthToken) {}, "theirs", v1alpha1.EventRevocationFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.createPlain("api", oauthtest.Client{}, revoking(w), test.change)
			w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
			w.settled()
			issued := strings.TrimSpace(strings.TrimPrefix(w.served("api"), "Bearer "))
			if test.edited != "" {
				w.stop()
				edit(w, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) {
					s.Data["access_token"] = []byte(test.edited)
				})
				w.delete(named("api"))
				w.start()
			} else {
				w.delete(named("api"))
			}
			w.awaitGone("api")
			w.awaitEvent("api", test.want)
			if live, revoked := w.vendor.IsLive(issued), test.want == v1alpha1.EventTokenRevoked; live == revoked {
				t.Errorf("the token lives: %t", live)
			}
			if got := w.revocations(); test.want == v1alpha1.EventRevocationFailed && len(got) != 0 {
				t.Errorf("revoked %v", got)
			}
		})
	}
}

// TestATokenOfAGrantThatIsTurnedOffIsRevoked has a client without a secret, as the grant Implicit needs none.
func TestATokenOfAGrantThatIsTurnedOffIsRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPlatform(withPortal))
	w.interactive("api", oauthtest.Client{}, revoking(w), func(o *v1alpha1.OAuthToken) { o.Spec.GrantType = v1alpha1.GrantImplicit })
	w.reregister("api", func(c *oauthtest.Client) { c.Authentication = oauthtest.None })
	edit(w, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api-client"}}, func(s *corev1.Secret) { delete(s.Data, "client_secret") })
	w.authorize("api")
	served := w.awaitServed("api", "")
	w.settled()
	w.stop()
	w.platform = nil
	w.delete(named("api"))
	w.start()
	w.awaitGone("api")
	w.awaitEvent("api", v1alpha1.EventTokenRevoked)
	if w.vendor.IsLive(served) {
		t.Error("the token is still good")
	}
}

// Argo CD deletes in the foreground: the garbage collector removes what has an owner reference before the owner's finalizers are done. So
// Secrets whose tokens are to be revoked have none, and go by the operator's hand when that is done, or did not work.
func TestSecretsAreThereUntilTheirTokensAreRevoked(t *testing.T) {
	t.Parallel()
	for policy, stay := range map[v1alpha1.DeletionPolicy]bool{v1alpha1.DeletionDelete: false, v1alpha1.DeletionRetain: true} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.createSeeded("api", oauthtest.Client{RefreshTokens: true}, revoking(w), func(o *v1alpha1.OAuthToken) {
				o.Spec.Target = &v1alpha1.Target{DeletionPolicy: policy}
			})
			w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
			for _, name := range []string{"api", "api-oauth-state"} {
				if owners := w.secret(name).OwnerReferences; len(owners) != 0 {
					t.Errorf("the garbage collector would remove %s for %v", name, owners)
				}
			}
			w.delete(named("api"))
			w.awaitGone("api")
			w.awaitEvent("api", v1alpha1.EventTokenRevoked)
			for _, name := range []string{"api", "api-oauth-state"} {
				if w.exists(name) != stay {
					t.Errorf("%s is there: %t, want %t", name, !stay, stay)
				}
			}
		})
	}
}

// A Secret that somebody else has put in the place of the target is left alone.
func TestADeletionRemovesNoSecretOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}, StringData: map[string]string{"theirs": "x"}})
	secret, token := w.generic("api", revoking(w))
	w.create(secret, token)
	w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
	w.delete(named("api"))
	w.awaitGone("api")
	if !w.exists("api") {
		t.Error("it was deleted")
	}
}

func TestADiscoveredEndpointRevokes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, endpoints := range map[string]func(*v1alpha1.OAuthToken){
		"all-found": discovering(w, ""),
		"token-endpoint-stated": func(o *v1alpha1.OAuthToken) {
			o.Spec.Endpoints.IssuerURL = v1alpha1.URL(w.vendor.IssuerURL(oauthtest.Generic))
		},
	} {
		w.createPlain(name, oauthtest.Client{}, endpoints, func(o *v1alpha1.OAuthToken) { o.Spec.RevokeOnDelete = true })
		served := w.awaitServed(name, "")
		w.settled()
		w.delete(named(name))
		w.awaitGone(name)
		if w.vendor.IsLive(served) {
			t.Errorf("%s: the token is still good", name)
		}
	}
}

func TestADeletionDoesNotWaitForAVendorForEver(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	w.createPlain("api", oauthtest.Client{}, revoking(w))
	w.awaitServed("api", "")
	w.settled()
	endpoint := oauthtest.Match{Endpoint: oauthtest.RevocationEndpoint}
	w.vendor.Fail(endpoint, oauthtest.Status(500, "text/plain", "oops"))
	w.delete(named("api"))
	w.awaitRevocations(1)
	w.pass(clock, 4*time.Minute, "api")
	w.awaitRevocations(2)
	w.settled()
	if w.gone("api") {
		t.Fatal("given up before five minutes are over")
	}
	w.pass(clock, 2*time.Minute, "api")
	w.awaitGone("api")
	w.awaitEvent("api", v1alpha1.EventRevocationFailed)
}

func (w *world) awaitRevocations(n int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.vendor.Await(ctx, oauthtest.Match{Endpoint: oauthtest.RevocationEndpoint}, n); err != nil {
		w.t.Fatal(err)
	}
}

func TestARevocationIsTriedAgain(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	w.createPlain("api", oauthtest.Client{}, revoking(w))
	served := w.awaitServed("api", "")
	w.settled()
	w.vendor.Fail(oauthtest.Match{Endpoint: oauthtest.RevocationEndpoint}, oauthtest.Drop(), oauthtest.Times(1))
	w.delete(named("api"))
	w.awaitRevocations(1)
	w.pass(clock, time.Minute, "api")
	w.awaitGone("api")
	if w.vendor.IsLive(served) {
		t.Error("the token is still good")
	}
	w.awaitEvent("api", v1alpha1.EventTokenRevoked)
	if got := w.events("api")[v1alpha1.EventRevocationFailed]; got != 0 {
		t.Error("a failure was told that came to a good end")
	}
}

func TestADeletionThatCanNotRevokeIsNotHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plain := func(name string) { w.createPlain(name, oauthtest.Client{}, revoking(w)) }
	for name, test := range map[string]struct {
		create, before func(name string)
	}{
		"no-endpoint": {
			func(name string) { // of this vendor none is known
				token := genesys(name, name+"-client")
				token.Spec.RevokeOnDelete = true
				w.create(genesysClient(name+"-client"), token)
			},
			func(string) {},
		},
		"no-credentials": {
			plain,
			func(name string) { w.delete(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name + "-client"}}) },
		},
		"unlabelled-credentials": {
			plain,
			func(name string) {
				edit(w, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name + "-client"}}, func(s *corev1.Secret) { s.Labels = nil })
			},
		},
	} {
		test.create(name)
		w.awaitServed(name, "")
		w.settled()
		test.before(name)
		w.settled()
		w.delete(named(name))
		w.awaitGone(name)
		w.awaitEvent(name, v1alpha1.EventRevocationFailed)
	}
}

func TestThereIsNothingToRevokeOfATokenThatNeverCame(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*world, *v1alpha1.OAuthToken)
		reason string
	}{
		"the client is refused": {func(*world, *v1alpha1.OAuthToken) {}, v1alpha1.ReasonInvalidClient},
		"an unknown vendor":     {func(_ *world, o *v1alpha1.OAuthToken) { o.Spec.Vendor = "nobody" }, v1alpha1.ReasonInvalidSpec},
		"an issuer that is down": {func(w *world, o *v1alpha1.OAuthToken) {
			discovering(w, "")(o)
			w.vendor.Fail(oauthtest.Match{Endpoint: oauthtest.DiscoveryEndpoint}, oauthtest.Drop())
		}, v1alpha1.ReasonVendorUnavailable},
		"no credentials": {func(_ *world, o *v1alpha1.OAuthToken) {
			o.Spec.CredentialsSecretRef.Name = "nowhere"
		}, v1alpha1.ReasonAwaitingCredentials},
		"credentials that lack something": {func(_ *world, o *v1alpha1.OAuthToken) {
			o.Spec.GrantType = v1alpha1.GrantRefreshToken
		}, v1alpha1.ReasonCredentialsIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withClock(fakeTime())) // which stands: nothing is gone by being given up
			w.vendor.Fail(oauthtest.Match{ClientID: "api"}, oauthtest.OAuthError("invalid_client"))
			w.createPlain("api", oauthtest.Client{}, revoking(w), func(o *v1alpha1.OAuthToken) { test.change(w, o) })
			w.awaitReady("api", metav1.ConditionFalse, test.reason)
			w.delete(named("api"))
			w.awaitGone("api")
			w.settled()
			if got := w.events("api"); got[v1alpha1.EventRevocationFailed]+got[v1alpha1.EventTokenRevoked] != 0 {
				t.Errorf("events %v", got)
			}
		})
	}
}

// What was issued and is in no Secret any more lives on, whatever has become of the spec.
func TestATokenWhoseSecretIsGoneIsToldOf(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*v1alpha1.OAuthToken){
		"a good spec":       func(*v1alpha1.OAuthToken) {},
		"an unknown vendor": func(o *v1alpha1.OAuthToken) { o.Spec.Vendor = "nobody" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withClock(fakeTime()))
			w.createPlain("api", oauthtest.Client{}, revoking(w))
			w.awaitServed("api", "")
			w.settled()
			w.stop()
			edit(w, named("api"), change)
			w.delete(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}})
			w.delete(named("api"))
			w.start()
			w.awaitGone("api")
			w.awaitEvent("api", v1alpha1.EventRevocationFailed)
			if got := w.revocations(); len(got) != 0 {
				t.Errorf("revoked %v", got)
			}
		})
	}
}

func TestOwnersComeAndGoWithRevokeOnDelete(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	for _, c := range []struct {
		revoke bool
		owners int
	}{{true, 0}, {false, 1}, {true, 0}} {
		th.time.Step(2 * time.Minute)
		edit(th.world, named("api"), func(o *v1alpha1.OAuthToken) { o.Spec.RevokeOnDelete = c.revoke })
		th.eventually(func() string {
			secret := th.secret("api")
			_, marked := secret.Annotations[v1alpha1.RemovedByAnnotation]
			if len(secret.OwnerReferences) != c.owners || marked != c.revoke {
				return fmt.Sprintf("revokeOnDelete %t: %d owners, marked: %t", c.revoke, len(secret.OwnerReferences), marked)
			}
			return ""
		})
		th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	}
	th.settled()
	if got := th.vendor.Count(oauthtest.Match{}); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

// Without owner references, what was to stay and what is to go must be told apart all the same.
func TestARenamedTargetThatIsToBeRevokedGoesUnlessItWasToStay(t *testing.T) {
	t.Parallel()
	policy := func(deletion v1alpha1.DeletionPolicy, name string) func(*v1alpha1.OAuthToken) {
		return targeted(func(target *v1alpha1.Target) { target.DeletionPolicy, target.Name = deletion, name })
	}
	th := issuedTarget(t, policy(v1alpha1.DeletionRetain, "kept"), func(o *v1alpha1.OAuthToken) { o.Spec.RevokeOnDelete = true })
	for _, step := range []func(*v1alpha1.OAuthToken){
		policy(v1alpha1.DeletionRetain, "first"), policy(v1alpha1.DeletionDelete, "first"), policy(v1alpha1.DeletionDelete, "second"),
	} {
		th.time.Step(2 * time.Minute)
		edit(th.world, named("api"), step)
		th.settled()
	}
	for name, there := range map[string]bool{"kept": true, "first": false, "second": true} {
		if th.exists(name) != there {
			t.Errorf("%s is there: %t", name, !there)
		}
	}
	th.delete(named("api"))
	th.awaitGone("api")
	if th.exists("second") || !th.exists("kept") {
		t.Errorf("after the deletion: second %t, kept %t", th.exists("second"), th.exists("kept"))
	}
}

func TestRevocationsThatHangLeaveWorkersToOthers(t *testing.T) {
	t.Parallel()
	const workers = 12
	w := newWorld(t, withClock(fakeTime()), func(w *world) { w.workers = workers })
	never := make(chan struct{})
	defer close(never)
	w.vendor.Fail(oauthtest.Match{Endpoint: oauthtest.RevocationEndpoint}, oauthtest.Held(never))
	var names []string
	for i := range workers + 2 {
		names = append(names, fmt.Sprintf("going-%02d", i))
		w.createPlain(names[i], oauthtest.Client{}, revoking(w))
	}
	for _, name := range names {
		w.awaitServed(name, "")
	}
	for _, name := range names {
		w.delete(named(name))
	}
	w.awaitRevocations(10)
	w.createPlain("stays", oauthtest.Client{})
	w.awaitServed("stays", "")
	w.settled()
	if n := w.vendor.Count(oauthtest.Match{Endpoint: oauthtest.RevocationEndpoint}); n != 10 {
		t.Errorf("%d revocations are under way at one endpoint, want 10", n)
	}
}

func TestARefreshTokenIsRevokedWhereItWasGivenAlone(t *testing.T) {
	t.Parallel()
	for name, elsewhere := range map[string]bool{"the same vendor": false, "another vendor": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			seed := w.createSeeded("api", rotating(), revoking(w))
			w.awaitServed("api", "")
			w.settled()
			if elsewhere { // its token endpoint does not answer, so that nothing of it comes
				w.vendor.Fail(oauthtest.Match{Endpoint: oauthtest.TokenEndpoint}, oauthtest.Drop())
				edit(w, named("api"), func(o *v1alpha1.OAuthToken) { o.Spec.Endpoints.TokenURL += "?of=another" })
				w.settled()
			}
			w.delete(named("api"))
			w.awaitGone("api")
			if got := w.vendor.FamilyAlive(seed); got != elsewhere {
				t.Errorf("the refresh token lives on: %t", got)
			}
			want := map[bool]string{false: v1alpha1.EventTokenRevoked, true: v1alpha1.EventRevocationFailed}[elsewhere]
			w.awaitEvent("api", want)
			if got := w.revocations(); elsewhere && len(got) != 0 {
				t.Errorf("another vendor was sent %v", got)
			}
		})
	}
}

// TestARefusedFinalizerDelaysNothingElse has an admission webhook refuse the finalizer: tokens are issued and renewed all the same, and what that means
// for a deletion is told once.
func TestARefusedFinalizerDelaysNothingElse(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	var lifted atomic.Bool
	w.api.fail(func(r *http.Request) *http.Response {
		if kindOf(r) == "PATCH oauthtokens" && !lifted.Load() {
			return refusal(r, http.StatusForbidden, "Forbidden", `admission webhook "freeze.example.com" denied the request`)
		}
		return nil
	})
	w.createPlain("api", oauthtest.Client{}, revoking(w))
	served := w.awaitServed("api", "")
	w.pass(clock, 45*time.Minute, "api") // of an hour
	w.awaitServed("api", served)
	w.expect("api", 2, "after a renewal")
	w.awaitEvent("api", v1alpha1.EventRevocationFailed)
	w.settled()

	lifted.Store(true)
	w.pass(clock, 2*time.Minute, "api")
	w.eventually(func() string {
		if slices.Contains(w.oauthToken("api").Finalizers, v1alpha1.RevokeFinalizer) {
			return ""
		}
		return "the finalizer is not tried again"
	})
}

func TestARevocationWaitsForThePauseThatDiscoveryAskedFor(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	w.createPlain("api", oauthtest.Client{}, func(o *v1alpha1.OAuthToken) {
		o.Spec.RevokeOnDelete, o.Spec.Endpoints.IssuerURL = true, v1alpha1.URL(w.vendor.IssuerURL(oauthtest.Generic))
	})
	served := w.awaitServed("api", "")
	w.settled()
	discovery := oauthtest.Match{Endpoint: oauthtest.DiscoveryEndpoint}
	w.vendor.Fail(discovery, oauthtest.TooManyRequests(oauthtest.InSeconds(120)), oauthtest.Times(1))
	w.delete(named("api"))
	w.eventually(func() string { return map[int]string{0: "nobody has asked the issuer"}[w.vendor.Count(discovery)] })
	w.settled() // the pause is noted
	w.pass(clock, time.Minute, "api")
	w.settled()
	if got := w.vendor.Count(discovery); got != 1 {
		t.Errorf("the issuer was asked %d times before the pause is over, want 1", got)
	}
	w.pass(clock, 2*time.Minute, "api")
	w.awaitGone("api")
	if w.vendor.IsLive(served) {
		t.Error("the token is still good")
	}
}

func TestARevocationWaitsForThePauseThatTheVendorAskedFor(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	w.createPlain("api", oauthtest.Client{}, revoking(w))
	served := w.awaitServed("api", "")
	w.settled()
	w.vendor.Fail(oauthtest.Match{Endpoint: oauthtest.RevocationEndpoint}, oauthtest.TooManyRequests(oauthtest.InSeconds(120)), oauthtest.Times(1))
	w.delete(named("api"))
	w.awaitRevocations(1)
	w.settled() // the pause is noted
	for range 3 {
		w.pass(clock, 30*time.Second, "api")
		w.settled()
	}
	if got := w.revocations(); len(got) != 1 {
		t.Fatalf("%d revocations before the pause is over, want 1", len(got))
	}
	w.pass(clock, 2*time.Minute, "api")
	w.awaitGone("api")
	if w.vendor.IsLive(served) {
		t.Error("the token is still good")
	}
}
