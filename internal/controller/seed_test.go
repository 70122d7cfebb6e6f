package controller

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
)

// refreshingVendor is a catalogue entry of a vendor whose only grant begins with a refresh token.
const refreshingVendor = `
name: refreshing
title: Refreshing
documentation: https://vendor.example/oauth
clientAuthentication: ClientSecretBasic
grants: {RefreshToken: {}}
endpoints: {tokenURL: "https://vendor.example/token"}
`

// unsaid leaves the grant to the vendor's entry.
func unsaid(o *v1alpha1.OAuthToken, _ *corev1.Secret) {
	o.Spec.Vendor, o.Spec.GrantType = "refreshing", ""
}

// asserting brings a ready assertion instead of a first refresh token.
func asserting(o *v1alpha1.OAuthToken, s *corev1.Secret) {
	o.Spec.GrantType = v1alpha1.GrantSAML2Bearer
	s.Data["assertion"] = []byte("PHNhbWw+\n")
	delete(s.Data, "refresh_token")
}

// newSeedRig is a rig whose OAuthToken begins with the refresh token "seed" from its credentials.
func newSeedRig(t *testing.T, change ...func(*v1alpha1.OAuthToken, *corev1.Secret)) *rig {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "refreshing.yaml"), []byte(refreshingVendor), 0o600); err != nil {
		t.Fatal(err)
	}
	catalogue := loadCatalogue(t, folder)
	vendor := newAnswering(t)
	token := someToken(func(o *v1alpha1.OAuthToken) {
		o.Generation = 1
		o.Spec.GrantType = v1alpha1.GrantRefreshToken
		o.Spec.Endpoints = &v1alpha1.Endpoints{TokenURL: v1alpha1.URL(vendor.URL + "/token")}
	})
	credentials := credentialsSecret("", map[string]string{
		"client_id": "me", "client_secret": "change-me", "username": "me", "password": "change-me", "refresh_token": "seed",
	})
	credentials.Namespace = token.Namespace
	for _, c := range change {
		c(token, credentials)
	}
	r := newRig(t, vendor, catalogue, token, credentials)
	r.vendor.gives("first")
	return r
}

// gives lets the vendor issue tokens with a name, a refresh token among them.
func (a *answering) gives(name string) {
	a.status.Store(200)
	a.body.Store(fmt.Sprintf(`{"access_token":"access %[1]s","token_type":"Bearer","expires_in":3600,"refresh_token":"%[1]s"}`, name))
}

// refuses lets the vendor answer with an OAuth error.
func (a *answering) refuses(code string) {
	a.status.Store(400)
	a.body.Store(fmt.Sprintf(`{"error":%q}`, code))
}

// rewrite edits an object.
func rewrite[O client.Object](r *rig, object O, how func(O)) {
	r.t.Helper()
	object.SetNamespace(someToken().Namespace)
	if err := r.api.Get(r.t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		r.t.Fatal(err)
	}
	how(object)
	if err := r.api.Update(r.t.Context(), object); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) changeToken(how func(*v1alpha1.OAuthToken)) {
	r.t.Helper()
	rewrite(r, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: someToken().Name}}, how)
}

func (r *rig) changeSecret(name string, how func(*corev1.Secret)) {
	r.t.Helper()
	rewrite(r, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}, how)
}

// later lets time go by and looks at the OAuthToken then.
func (r *rig) later(span time.Duration) {
	r.t.Helper()
	r.clock.Step(span)
	r.reconcile(2)
}

// expect fails a test unless that many tokens were asked for, the last time with a refresh token.
func (r *rig) expect(asked int32, spent, when string) {
	r.t.Helper()
	last, _ := r.vendor.spent.Load().(string)
	if got := r.vendor.asked.Load(); got != asked || last != spent {
		r.t.Errorf("%s: %d requests, the last with %q; want %d and %q; conditions %+v", when, got, last, asked, spent, r.token().Status.Conditions)
	}
}

// says is the message of a condition; empty: it does not stand.
func (r *rig) says(kind, reason string) string {
	r.t.Helper()
	if c := meta.FindStatusCondition(r.token().Status.Conditions, kind); c != nil && c.Reason == reason {
		return c.Message
	}
	return ""
}

// stored is what the state Secret of an OAuthToken holds.
func (r *rig) stored(name string) keepsake {
	r.t.Helper()
	return parseState(r.secret(name + v1alpha1.StateSecretSuffix))
}

const deserted = "127.0.0.1:1" // where nobody listens

func TestASeedThatNobodyTookIsSentOnceTheMistakeIsCorrected(t *testing.T) {
	wrongClient := func(_ *v1alpha1.OAuthToken, s *corev1.Secret) { s.Data["client_id"] = []byte("typo") }
	for name, test := range map[string]struct {
		wrong  func(*v1alpha1.OAuthToken, *corev1.Secret)
		answer func(*answering)
		asked  int32 // while it is wrong
		again  bool
	}{
		"the client was refused": {wrongClient, func(a *answering) { a.refuses("invalid_client") }, 1, true},
		"nobody listens there": {func(o *v1alpha1.OAuthToken, _ *corev1.Secret) {
			o.Spec.Endpoints.TokenURL = "http://" + deserted + "/token"
		}, func(*answering) {}, 0, true},
		"the answer was lost": {wrongClient, func(a *answering) { a.status.Store(500) }, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSeedRig(t, test.wrong)
			r.reach(deserted)
			test.answer(r.vendor)
			r.reconcile(2)
			if got := r.vendor.asked.Load(); got != test.asked {
				t.Fatalf("%d requests, want %d", got, test.asked)
			}
			r.vendor.gives("first")
			r.changeToken(func(o *v1alpha1.OAuthToken) { o.Spec.Endpoints.TokenURL = v1alpha1.URL(r.vendor.URL + "/token") })
			r.changeSecret("client", func(s *corev1.Secret) { s.Data["client_id"] = []byte("me") })
			r.later(2 * time.Minute)
			if !test.again {
				r.expect(test.asked, "seed", "after the correction")
				if got := r.says(v1alpha1.ConditionReady, v1alpha1.ReasonAuthorizationRequired); !strings.Contains(got, "of another client_id or token endpoint") {
					t.Errorf("message %q", got)
				}
				return
			}
			r.expect(test.asked+1, "seed", "after the correction")
			if got := r.stored("api").RefreshToken.Reveal(); got != "first" {
				t.Errorf("%q is kept", got)
			}
		})
	}
}

// The seed of a client that was refused is tried again, and then what the vendor gave for it.
func TestASeedThatNobodyTookIsTriedAgain(t *testing.T) {
	r := newSeedRig(t)
	r.vendor.refuses("invalid_client")
	r.reconcile(2)
	if k := r.stored("api"); !k.RefreshToken.IsEmpty() || len(k.Spent) != 0 || k.Intent != nil {
		t.Errorf("after a refusal that proves that it was not spent, %v is kept", texts(k))
	}
	r.vendor.gives("first")
	r.later(7 * time.Hour)
	r.expect(2, "seed", "at the second attempt")
	r.vendor.gives("second")
	r.later(50 * time.Minute)
	r.expect(3, "first", "at the renewal")
}

// A refresh token that may be spent is left alone until the last tenth, also where a seed comes to nothing meanwhile.
func TestASeedThatComesToNothingLeavesTheDoubtAboutTheOneBefore(t *testing.T) {
	for name, test := range map[string]struct {
		seeds func(*rig)
		asked int32 // with it
		spent string
	}{
		"since it is refused": {func(r *rig) {
			r.vendor.refuses("invalid_grant")
			r.holds("refresh_token", "wrong")
			r.later(time.Minute)
		}, 1, "wrong"},
		"since it reaches nobody, and is withdrawn": {func(r *rig) {
			r.changeToken(func(o *v1alpha1.OAuthToken) { o.Spec.Endpoints.TokenURL = "http://" + deserted + "/token" })
			r.holds("refresh_token", "wrong")
			r.later(time.Minute)
			r.changeToken(func(o *v1alpha1.OAuthToken) { o.Spec.Endpoints.TokenURL = v1alpha1.URL(r.vendor.URL + "/token") })
			r.holds("refresh_token", "seed")
			r.later(time.Minute)
		}, 0, "first"},
		"after one that may be spent itself": {func(r *rig) {
			r.holds("refresh_token", "lost")
			r.later(time.Minute)
			r.vendor.refuses("invalid_grant")
			r.holds("refresh_token", "wrong")
			r.later(time.Minute)
		}, 2, "wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSeedRig(t)
			r.reach(deserted)
			r.reconcile(2)
			r.vendor.status.Store(http.StatusBadGateway)
			r.later(45 * time.Minute)
			r.expect(2, "first", "when its answer is lost")
			test.seeds(r)
			asked := 2 + test.asked
			r.expect(asked, test.spent, "with the seed")
			r.vendor.gives("second")
			for r.clock.Now().Before(noon.Add(53 * time.Minute)) {
				r.later(10 * time.Second)
			}
			r.expect(asked, test.spent, "before the last tenth")
			if got := r.says(v1alpha1.ConditionRenewalFailing, v1alpha1.ReasonRefreshInterrupted); got == "" {
				t.Errorf("conditions %+v", r.token().Status.Conditions)
			}
			r.later(2 * time.Minute)
			r.expect(asked+1, "first", "in the last tenth")
			if k := r.stored("api"); k.RefreshToken.Reveal() != "second" || k.Intent != nil || !k.Previous.Value.IsEmpty() {
				t.Errorf("in the end %v is kept", texts(k))
			}
		})
	}
}

// reach lets the manager speak to further hosts, in the clear.
func (r *rig) reach(host string) {
	r.Platform.AllowedHosts = append(r.Platform.AllowedHosts, host)
	r.Platform.InsecureHTTPHosts = append(r.Platform.InsecureHTTPHosts, host)
	r.planner.platform = r.Platform
	r.Vendors = oauth.NewClient(oauth.ClientOptions{AllowLoopback: true, InsecureHTTPHosts: r.Platform.InsecureHTTPHosts, Now: r.clock.Now})
	r.t.Cleanup(r.Vendors.CloseIdleConnections)
}

// lookAt reconciles another OAuthToken of the rig.
func (r *rig) lookAt(name string) {
	r.t.Helper()
	for range 2 {
		_, _ = r.Reconcile(r.t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: someToken().Namespace, Name: name}})
	}
	r.Wait()
}

// share makes another OAuthToken with the same credentials.
func (r *rig) share(name string, created time.Time, change ...func(*v1alpha1.OAuthToken)) {
	r.t.Helper()
	other := someToken(func(o *v1alpha1.OAuthToken) {
		o.Name, o.UID, o.CreationTimestamp = name, types.UID(name), metav1.NewTime(created)
		o.Spec = *r.token().Spec.DeepCopy()
		for _, c := range change {
			c(o)
		}
	})
	if err := r.api.Create(r.t.Context(), other); err != nil {
		r.t.Fatal(err)
	}
}

// removeAll deletes Secrets, and the OAuthToken of that name, as the garbage collector does.
func (r *rig) removeAll(name string, secrets ...string) {
	r.t.Helper()
	if name != "" {
		gone := &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Namespace: someToken().Namespace, Name: name}}
		if err := r.api.Delete(r.t.Context(), gone); err != nil {
			r.t.Fatal(err)
		}
	}
	for _, secret := range secrets {
		if err := r.api.Delete(r.t.Context(), r.secret(secret)); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) reasonOf(name string) string {
	r.t.Helper()
	reason, _ := r.readyOf(name)
	return reason
}

// readyOf is what the condition Ready of an OAuthToken says.
func (r *rig) readyOf(name string) (reason, message string) {
	r.t.Helper()
	token := &v1alpha1.OAuthToken{}
	if err := r.api.Get(r.t.Context(), client.ObjectKey{Namespace: someToken().Namespace, Name: name}, token); err != nil {
		r.t.Fatal(err)
	}
	if c := meta.FindStatusCondition(token.Status.Conditions, v1alpha1.ConditionReady); c != nil {
		return c.Reason, c.Message
	}
	return "", ""
}

func TestAnAssertionIsNotSentAgainWhereTheStateSecretIsLost(t *testing.T) {
	r := newSeedRig(t, asserting)
	r.give("one")
	r.reconcile(2)
	r.removeAll("", "api"+v1alpha1.StateSecretSuffix)
	r.later(2 * time.Hour)
	r.expect(1, "", "without the state Secret")
	if got := r.reasonOf("api"); got != v1alpha1.ReasonAwaitingCredentials {
		t.Errorf("reason %s", got)
	}
	r.give("two")
	r.holds("assertion", "PHNhbWwyPg==")
	r.later(time.Minute)
	r.expect(2, "", "with a fresh one")
}

// Several OAuthTokens may find one assertion in a Secret, or in Secrets of their own.
func TestAnAssertionThatAnotherHasSentIsNotSent(t *testing.T) {
	const sent = "the SAML assertion in the credentials Secret was sent already: put a fresh one under the key assertion"
	t.Run("from the same Secret, when the other is gone", func(t *testing.T) {
		r := newSeedRig(t, asserting)
		r.give("one")
		r.share("second", noon.Add(time.Second))
		r.reconcile(2)
		r.lookAt("second")
		r.removeAll("api", "api", "api"+v1alpha1.StateSecretSuffix)
		r.clock.Step(time.Minute)
		r.lookAt("second")
		r.expect(1, "", "after the older has gone")
		if reason, message := r.readyOf("second"); reason != v1alpha1.ReasonAwaitingCredentials || message != sent {
			t.Errorf("%s: %q", reason, message)
		}
		r.give("two")
		r.holds("assertion", "PHNhbWwyPg==")
		r.lookAt("second")
		r.expect(2, "", "with a fresh one")
	})
	t.Run("from another Secret", func(t *testing.T) {
		r := newSeedRig(t, asserting)
		r.give("one")
		copied := r.secret("client").DeepCopy()
		copied.Name, copied.ResourceVersion = "copy", ""
		if err := r.api.Create(t.Context(), copied); err != nil {
			t.Fatal(err)
		}
		r.share("second", noon.Add(time.Second), func(o *v1alpha1.OAuthToken) { o.Spec.CredentialsSecretRef.Name = "copy" })
		r.reconcile(2)
		r.lookAt("second")
		r.expect(1, "", "after the look at both")
		if reason, message := r.readyOf("second"); reason != v1alpha1.ReasonAwaitingCredentials || message != sent {
			t.Errorf("%s: %q", reason, message)
		}
	})
}

// Who renews with a refresh token has no use for the assertion.
func TestWhoMayNotSendAnAssertionRenewsWithARefreshToken(t *testing.T) {
	r := newSeedRig(t, asserting)
	r.reconcile(2)
	r.share("older", noon.Add(-time.Hour))
	r.holds("assertion", "PHNhbWwyPg==")
	r.vendor.gives("second")
	r.later(time.Minute)
	r.expect(2, "first", "while the older may send the fresh assertion")
}

func TestASeedIsNotSentAgainWhereTheStateSecretIsLost(t *testing.T) {
	for name, also := range map[string]func(*rig){
		"while its token is served": func(*rig) {},
		"and then the target": func(r *rig) {
			r.reconcile(2)
			r.removeAll("", "api")
		},
		"and the target is renamed": func(r *rig) {
			r.changeToken(func(o *v1alpha1.OAuthToken) { o.Spec.Target = &v1alpha1.Target{Name: "elsewhere"} })
		},
	} {
		for grant, begins := range map[string]func(*testing.T) *rig{
			"": func(t *testing.T) *rig { t.Helper(); return newSeedRig(t) }, ", with a person's grant": newConsentSeedRig,
		} {
			t.Run(name+grant, func(t *testing.T) {
				r := begins(t)
				r.reconcile(2)
				r.removeAll("", "api"+v1alpha1.StateSecretSuffix)
				also(r)
				r.vendor.gives("second")
				r.later(2 * time.Hour)
				r.expect(1, "seed", "without the state Secret")
				if got := r.reasonOf("api"); got != v1alpha1.ReasonAuthorizationRequired {
					t.Errorf("reason %s", got)
				}
				r.changeSecret("client", func(s *corev1.Secret) { s.Data["refresh_token"] = []byte("fresh") })
				r.later(time.Minute)
				r.expect(2, "fresh", "with a new one")
			})
		}
	}
}

func TestWhoSharesASeedDoesNotSendItWhenTheOtherIsGone(t *testing.T) {
	all := []string{"api", "api" + v1alpha1.StateSecretSuffix}
	for name, test := range map[string]struct {
		persons bool     // the grant is a person's, whose consent the seed stands for
		secrets []string // that go with it
	}{
		"with its Secrets":       {false, all},
		"and leaves its Secrets": {false, nil},
		"in the place of a person's consent, with its Secrets": {true, all},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSeedRig(t)
			if test.persons {
				r = newConsentSeedRig(t)
			}
			r.share("second", noon.Add(time.Second))
			r.lookAt("second")
			r.expect(0, "", "while the older has not sent it")
			r.reconcile(2)
			r.lookAt("second")
			r.removeAll("api", test.secrets...)
			r.vendor.gives("second")
			r.clock.Step(2 * time.Hour)
			r.lookAt("second")
			if got := r.vendor.asked.Load(); got != 1 {
				t.Errorf("%d requests, want the older's", got)
			}
			if got := r.reasonOf("second"); got != v1alpha1.ReasonAuthorizationRequired {
				t.Errorf("reason %s", got)
			}
		})
	}
}

// A seed that the older could not spend is the younger's once the older is gone.
func TestASeedThatNobodyTookIsLeftToWhoSharesIt(t *testing.T) {
	r := newSeedRig(t)
	r.share("second", noon.Add(time.Second))
	r.vendor.refuses("invalid_client")
	r.reconcile(2)
	r.lookAt("second")
	r.removeAll("api", "api"+v1alpha1.StateSecretSuffix)
	r.vendor.gives("first")
	r.clock.Step(2 * time.Hour)
	r.lookAt("second")
	if got := r.reasonOf("second"); got != v1alpha1.ReasonTokenIssued {
		t.Errorf("reason %s", got)
	}
}

// After a restore, ages say nothing: whoever has sent a seed has what came of it.
func TestWhoHasSentASeedKeepsItWhoeverIsOlder(t *testing.T) {
	for name, lost := range map[string][]string{
		"as its state Secret tells": nil,
		"as its target tells":       {"api" + v1alpha1.StateSecretSuffix},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSeedRig(t)
			r.reconcile(2)
			r.removeAll("", lost...)
			r.share("older", noon.Add(-time.Hour))
			r.clock.Step(10 * time.Minute)
			r.lookAt("older")
			r.expect(1, "seed", "after the look at the older")
			if got := r.reasonOf("older"); got != v1alpha1.ReasonInvalidSpec {
				t.Errorf("the older's reason is %s", got)
			}
			r.vendor.gives("second")
			r.later(40 * time.Minute)
			if lost == nil {
				r.expect(2, "first", "at the renewal")
			} else {
				r.expect(1, "seed", "at the renewal")
			}
		})
	}
}

// sharing are the ways to state what can be sent once.
func sharing() map[string]func(*v1alpha1.OAuthToken, *corev1.Secret) {
	return map[string]func(*v1alpha1.OAuthToken, *corev1.Secret){
		"a first refresh token with the grant stated":              func(*v1alpha1.OAuthToken, *corev1.Secret) {},
		"a first refresh token with the grant that the vendor has": unsaid,
		"a ready assertion": asserting,
	}
}

func TestOfTwoTheOlderSendsWhatCanBeSentOnceWhoeverIsLookedAtFirst(t *testing.T) {
	for name, change := range sharing() {
		t.Run(name, func(t *testing.T) {
			r := newSeedRig(t, change)
			r.share("second", noon.Add(time.Second))
			r.lookAt("second")
			r.expect(0, "", "after the look at the younger")
			if got := r.reasonOf("second"); got != v1alpha1.ReasonInvalidSpec {
				t.Errorf("the younger's reason is %s", got)
			}
			r.reconcile(2)
			if got := r.vendor.asked.Load(); got != 1 {
				t.Errorf("%d requests after the look at the older, want one", got)
			}
			r.lookAt("second")
			if got := r.vendor.asked.Load(); got != 1 {
				t.Errorf("%d requests after another look at the younger, want one", got)
			}
		})
	}
}

func TestAStateSecretCallsThoseWhoShareItsSeed(t *testing.T) {
	for name, change := range sharing() {
		t.Run(name, func(t *testing.T) {
			r := newSeedRig(t, change)
			r.share("second", noon.Add(time.Second))
			r.reconcile(2)
			var called []string
			for _, request := range r.affected(t.Context(), r.secret("api"+v1alpha1.StateSecretSuffix)) {
				called = append(called, request.Name)
			}
			slices.Sort(called)
			if want := []string{"api", "second"}; !slices.Equal(called, want) {
				t.Errorf("called %v, want %v", called, want)
			}
		})
	}
}

// Who shares a seed is called when the OAuthToken goes that has claimed it, which may never have had a Secret.
func TestWhoSharesASeedIsCalledWhenTheOtherGoes(t *testing.T) {
	for name, change := range sharing() {
		t.Run(name, func(t *testing.T) {
			r := newSeedRig(t, change)
			r.share("second", noon.Add(time.Second))
			queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[ctrl.Request]())
			defer queue.ShutDown()
			r.heirs().Delete(t.Context(), event.DeleteEvent{Object: r.token()}, queue)
			if queue.Len() != 1 {
				t.Fatalf("%d are called, want one", queue.Len())
			}
			if called, _ := queue.Get(); called.Name != "second" {
				t.Errorf("called %v", called)
			}
		})
	}
}
