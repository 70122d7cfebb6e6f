package controller_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/controller"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

func TestARenewalCostsOneOfEach(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	w.createPlain("api", oauthtest.Client{})
	served := w.awaitServed("api", "")
	for round := range 3 {
		w.settled()
		w.api.reset()
		w.pass(clock, 45*time.Minute, "api")
		served = w.awaitServed("api", served)
		w.settled()
		got := w.api.counts()
		events := got["POST events"] + got["PATCH events"]
		delete(got, "POST events")
		delete(got, "PATCH events")
		if diff := cmp.Diff(map[string]int{"PATCH secrets": 1, "PATCH oauthtokens/status": 1}, got); diff != "" || events > 1 {
			t.Errorf("renewal %d: %d events, requests to the API server (-want +got):\n%s", round, events, diff)
		}
		w.expect("api", round+2, fmt.Sprintf("after renewal %d", round))
	}
}

func TestANewStartCostsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.createPlain("plain", oauthtest.Client{})
	w.createSeeded("seeded", rotating())
	vantage := vantageToken("vantage")
	w.create(vantageClient("vantage-client"), vantage)
	names := []string{"plain", "seeded", "vantage"}
	served := map[string]string{}
	for _, name := range names {
		served[name] = w.awaitServed(name, "")
	}
	w.settled()
	for name, test := range map[string]struct {
		between func()
		want    map[string]int // requests to the API server
	}{
		"a restart":         {func() {}, map[string]int{}},
		"another catalogue": {func() { w.changeCatalogue("abbyy-vantage.yaml") }, map[string]int{}},
		"a lost hash key": {
			func() { w.hashKey = []byte(strings.Repeat("n", controller.HashKeySize)) }, // each target is read and stamped anew, and so are the hashes in a state Secret
			map[string]int{"GET secrets": 3, "PATCH secrets": 6, "PUT secrets": 1},
		},
	} {
		w.stop()
		test.between()
		w.start()
		w.settled()
		for _, name := range names {
			w.nudge(name)
		}
		w.settled()
		if diff := cmp.Diff(test.want, w.api.counts()); diff != "" {
			t.Errorf("%s: requests to the API server (-want +got):\n%s", name, diff)
		}
		for _, name := range names {
			if w.served(name) != served[name] {
				t.Errorf("%s: OAuthToken %s has another token", name, name)
			}
		}
	}
	if got := w.vendor.Count(oauthtest.Match{}); got != len(names) {
		t.Errorf("%d requests to the vendors, want the first ones", got)
	}
}

// vantageToken is an OAuthToken whose scopes are the catalogue's.
func vantageToken(name string) *v1alpha1.OAuthToken {
	return &v1alpha1.OAuthToken{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.OAuthTokenSpec{
			Vendor: "abbyy-vantage", Parameters: map[string]v1alpha1.ParameterValue{"region": "eu"},
			CredentialsSecretRef: v1alpha1.SecretReference{Name: name + "-client"},
		},
	}
}

func vantageClient(name string) *corev1.Secret {
	return credentials(name, "client_id", "vantage-integration", "client_secret", "change-me")
}

// changeCatalogue gives an entry another title, other scopes and another life of refresh tokens, as a new version might.
func (w *world) changeCatalogue(file string) {
	w.t.Helper()
	path := filepath.Join(w.vendors, file)
	entry, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	changed := strings.NewReplacer(
		"title: ABBYY Vantage", "title: Vantage", "[openid, permissions, global.wildcard]", "[openid, permissions]", "720h", "360h",
	).Replace(string(entry))
	if changed == string(entry) {
		w.t.Fatal("nothing to change")
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func TestAGoodTokenIsTakenAsItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.createPlain("api", oauthtest.Client{}, func(o *v1alpha1.OAuthToken) {
		o.Spec.Endpoints.RevocationURL = v1alpha1.URL(w.vendor.RevocationURL(oauthtest.Generic))
	})
	served := w.awaitServed("api", "")
	target := "api"
	spec := func(change func(*v1alpha1.OAuthToken)) func() { return func() { edit(w, named("api"), change) } }
	credential := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api-client"}}
	for _, test := range []struct {
		name   string
		change func()
	}{
		{"labels and annotations are edited", spec(func(o *v1alpha1.OAuthToken) {
			o.Labels, o.Annotations = map[string]string{"team": "payments"}, map[string]string{"example.com/a": "b"}
		})},
		{"the status is wiped", func() {
			wiped := w.oauthToken("api")
			wiped.Status = v1alpha1.OAuthTokenStatus{}
			if err := w.client.Status().Update(context.Background(), wiped); err != nil {
				t.Fatal(err)
			}
		}},
		{"the template changes", spec(func(o *v1alpha1.OAuthToken) {
			o.Spec.Target = &v1alpha1.Target{Template: &v1alpha1.TargetTemplate{
				Data: map[string]v1alpha1.TemplateSource{"header": "Authorization: {{ .Authorization }}"},
			}}
		})},
		{"the target is renamed", spec(func(o *v1alpha1.OAuthToken) { o.Spec.Target.Name, target = "renamed", "renamed" })},
		{"the schedule changes", spec(func(o *v1alpha1.OAuthToken) {
			o.Spec.Renewal = &v1alpha1.Renewal{RenewBefore: new(v1alpha1.Duration("10m"))}
		})},
		{"metadata of the credentials are edited", func() {
			edit(w, credential, func(s *corev1.Secret) { s.Annotations = map[string]string{"example.com/a": "b"} })
		}},
		{"a value is added to the credentials that no request uses", func() {
			edit(w, credential, func(s *corev1.Secret) { s.Data["username"] = []byte("nobody") })
		}},
		{"the finalizer comes", spec(func(o *v1alpha1.OAuthToken) { o.Spec.RevokeOnDelete = true })},
		{"it is suspended", spec(func(o *v1alpha1.OAuthToken) { o.Spec.Suspend = true })},
		{"it goes on", spec(func(o *v1alpha1.OAuthToken) { o.Spec.Suspend = false })},
	} {
		test.change()
		w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
		w.settled()
		if got := w.requests("api"); got != 1 || w.served(target) != served {
			t.Fatalf("%s: %d requests, want the first one, and its token", test.name, got)
		}
	}
	if w.exists("api") {
		t.Error("the target under its former name is still there")
	}
	if got, want := string(w.secret("renamed").Data["header"]), "Authorization: Bearer "+served; got != want {
		t.Error("the template was not rendered")
	}
}

func TestANewLeaderLeavesARefreshUnderWayAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := make(chan struct{})
	w.vendor.Fail(oauthtest.Match{ClientID: "api"}, oauthtest.AfterActing(oauthtest.Held(release)), oauthtest.Times(1))
	seed := w.createSeeded("api", rotating())
	w.eventually(func() string {
		if w.vendor.Count(oauthtest.Match{ClientID: "api", Outcome: oauthtest.Pending}) == 1 {
			return ""
		}
		return "no request under way"
	})
	former := make(chan struct{})
	go func(stop func()) {
		stop()
		close(former)
	}(w.stop)
	w.start()
	w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonRefreshInterrupted)
	w.nudge("api")
	w.settled()
	close(release)
	<-former
	w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.settled()
	if !w.vendor.FamilyAlive(seed) || !w.vendor.RefreshTokenIsLive(w.stored("api")) {
		t.Error("the refresh token is lost")
	}
	if got := w.vendor.Count(oauthtest.Match{ClientID: "api", Outcome: oauthtest.Issued}); got != w.requests("api") {
		t.Errorf("%d requests, %d of them good", w.requests("api"), got)
	}
}

func TestNeighboursOfOneNameNeverGetEachOthersTokens(t *testing.T) {
	t.Parallel()
	const each, rounds = 20, 3
	clock := fakeTime()
	w := newIdleWorld(t, withClock(clock))
	home := w.namespace
	w.namespace = ""
	away := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	w.create(away)
	w.namespace, w.others = home, []string{away.Name}
	w.start()
	inBoth := func(do func(name, clientID string)) {
		for _, namespace := range []string{home, away.Name} {
			w.namespace = namespace
			for i := range each {
				name := fmt.Sprint("api", i)
				do(name, namespace+"-"+name)
			}
		}
		w.namespace = home
	}
	inBoth(func(name, clientID string) {
		w.vendor.Register(oauthtest.Client{Vendor: oauthtest.Generic, ID: clientID, Secret: "change-me", Grants: []string{oauthtest.ClientCredentials}})
		w.create(credentials(name+"-client", "client_id", clientID, "client_secret", "change-me"), genericToken(w, name, v1alpha1.GrantClientCredentials))
	})
	served := map[string]string{}
	for round := range rounds {
		inBoth(func(name, clientID string) {
			served[clientID] = w.awaitServed(name, served[clientID])
			if _, owner := w.vendor.OwnerOf(served[clientID]); owner != clientID {
				t.Errorf("%s/%s holds the token of %s", w.namespace, name, owner)
			}
		})
		w.settled()
		inBoth(func(_, clientID string) {
			if got := w.requests(clientID); got != round+1 {
				t.Errorf("%s: %d requests after round %d", clientID, got, round)
			}
		})
		clock.Step(45 * time.Minute)
		inBoth(func(name, _ string) { w.nudge(name) })
	}
	if got := w.vendor.MostInFlight(oauthtest.Generic); got > 10 {
		t.Errorf("%d requests in flight, want at most 10", got)
	}
}

// backlog holds back what the watch of Secrets tells.
type backlog struct {
	mu   sync.Mutex
	held chan struct{} // closed: nothing is held
}

func (b *backlog) hold() (release func()) {
	held := make(chan struct{})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = held
	return sync.OnceFunc(func() { close(held) })
}

func (b *backlog) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err == nil && strings.HasSuffix(r.URL.Path, "/secrets") && r.URL.Query().Get("watch") != "" {
			response.Body = &heldBody{response.Body, b}
		}
		return response, err
	})
}

type heldBody struct {
	io.ReadCloser
	backlog *backlog
}

func (h *heldBody) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	h.backlog.mu.Lock()
	held := h.backlog.held
	h.backlog.mu.Unlock()
	if held != nil {
		<-held
	}
	return n, err
}

func TestACacheThatIsBehindCostsNoSecondRequest(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	var watch backlog
	w := newWorld(t, withClock(clock), withTransport(watch.wrap))
	w.createPlain("plain", oauthtest.Client{})
	w.createSeeded("seeded", rotating())
	served := map[string]string{"plain": w.awaitServed("plain", ""), "seeded": w.awaitServed("seeded", "")}
	w.settled()
	release := watch.hold()
	defer release()
	w.pass(clock, 45*time.Minute, "plain", "seeded")
	for name, before := range served {
		w.awaitRequests(name, 2)
		w.awaitServed(name, before)
	}
	for range 3 {
		w.pass(clock, 10*time.Second, "plain", "seeded")
		w.settled()
	}
	release()
	for name := range served {
		w.expect(name, 2, name+", of whose renewal the cache did not know yet")
		w.awaitReady(name, metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	}
}

func TestConnectionsToAVendorAreReused(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	w.createPlain("api", oauthtest.Client{}, revoking(w), discovering(w, ""))
	served := ""
	for range 5 {
		served = w.awaitServed("api", served)
		w.settled()
		w.pass(clock, 45*time.Minute, "api")
	}
	if got := w.vendor.Connections(); got != 1 {
		t.Errorf("%d connections for %d requests one after the other, want 1", got, w.vendor.Count(oauthtest.Match{Endpoint: oauthtest.AnyEndpoint}))
	}
}

func TestTheCacheHoldsNoMoreThanItMust(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "somebodys"}, StringData: map[string]string{"password": "x"}})
	w.createPlain("api", oauthtest.Client{})
	served := w.awaitServed("api", "")
	cached := func(name string) (*corev1.Secret, error) {
		secret := &corev1.Secret{}
		return secret, w.cached.Get(context.Background(), client.ObjectKey{Namespace: w.namespace, Name: name}, secret)
	}
	if _, err := cached("somebodys"); !apierrors.IsNotFound(err) {
		t.Errorf("a Secret without our label is in the cache: %v", err)
	}
	for range 2 { // the second time with what a start finds
		w.eventually(func() string {
			target, err := cached("api")
			switch {
			case err != nil:
				return err.Error()
			case len(target.Data["access_token"]) != 16 || len(target.Data) != 4 || len(target.ManagedFields) > 0:
				t.Errorf("the cache holds %d keys and %d managed fields", len(target.Data), len(target.ManagedFields))
			}
			for key, value := range target.Data {
				if strings.Contains(string(value), served) {
					t.Errorf("the cache holds the token itself under %s", key)
				}
			}
			return ""
		})
		w.stop()
		w.start()
	}
}

func TestATokenIsGoodAllDayWhileOneRequestInTenFails(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	for _, fault := range []oauthtest.Fault{oauthtest.Status(502, "text/html", "<html>"), oauthtest.Drop()} {
		w.vendor.Fail(oauthtest.Match{ClientID: "api"}, fault, oauthtest.Probability(0.05))
	}
	w.createPlain("api", oauthtest.Client{Lifetime: 20 * time.Minute})
	w.awaitServed("api", "")
	end := clock.Now().Add(24 * time.Hour)
	for clock.Now().Before(end) {
		var due time.Time
		w.eventually(func() string {
			if due = nextRequest(w.oauthToken("api")); due.After(clock.Now()) {
				return ""
			}
			return "no further request is planned"
		})
		clock.Step(due.Sub(clock.Now()))
		if !w.vendor.IsLive(w.served("api")) {
			t.Fatalf("an expired token was served, %s before the end of the day", end.Sub(clock.Now()))
		}
		w.nudge("api")
	}
	good := w.vendor.Count(oauthtest.Match{ClientID: "api", Outcome: oauthtest.Issued})
	if bad := w.requests("api") - good; good < 24*3 || good > 24*6 || bad == 0 {
		t.Errorf("%d tokens of 20 minutes in a day, and %d failures", good, bad)
	}
}

// nextRequest is when status says that a token will be requested.
func nextRequest(token *v1alpha1.OAuthToken) time.Time {
	if f := token.Status.Failures; f != nil {
		return f.NextAttempt.Time
	}
	if token.Status.RenewalTime == nil {
		return time.Time{}
	}
	return token.Status.RenewalTime.Time
}
