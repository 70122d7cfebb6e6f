package portal_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/kubetest"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/portal"
)

var controlPlane struct {
	once   sync.Once
	config *rest.Config
	stop   func()
}

// logged is all that was, at every verbosity.
var logged struct {
	sync.Mutex
	strings.Builder
}

func TestMain(m *testing.M) {
	ctrl.SetLogger(funcr.New(func(prefix, text string) {
		logged.Lock()
		defer logged.Unlock()
		logged.WriteString(prefix + text + "\n")
	}, funcr.Options{Verbosity: 10}))
	code := m.Run()
	if controlPlane.stop != nil {
		controlPlane.stop()
	}
	os.Exit(code)
}

func apiServer(t *testing.T) *rest.Config {
	t.Helper()
	controlPlane.once.Do(func() { controlPlane.config, controlPlane.stop = kubetest.StartShared(t) })
	if controlPlane.config == nil {
		t.Fatal("the control plane did not start")
	}
	return controlPlane.config
}

// vendorURL is where browsers are sent. Nobody is there: the tests play the vendor.
const vendorURL = "https://vendor.example/authorize?client_id=shop&response_type=code"

// fixture is a portal for a namespace of its own.
type fixture struct {
	t         *testing.T
	client    client.Client // a user's, without a cache
	portal    *portal.Portal
	handler   http.Handler
	server    *httptest.Server
	clock     *clocktesting.FakeClock
	namespace string
	events    *events.FakeRecorder
	counted   *[]string
	faults    *interceptor.Funcs // of the portal's own client
}

// newFixture serves a portal that browsers see at an address; empty: the test server's own.
func newFixture(t *testing.T, address string) *fixture {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	f := &fixture{
		t: t, clock: clocktesting.NewFakeClock(time.Now().Truncate(time.Second)), events: events.NewFakeRecorder(100), counted: &[]string{},
		faults: &interceptor.Funcs{},
	}
	direct, err := client.New(apiServer(t), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	f.client = direct
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "portal-"}}
	if err := direct.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	f.namespace = namespace.Name
	m, err := ctrl.NewManager(apiServer(t), ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0", Logger: logr.Discard(),
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{f.namespace: {}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.handler.ServeHTTP(w, r) }))
	t.Cleanup(f.server.Close)
	if address == "" {
		address = f.server.URL
	}
	f.serve(m, address)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the manager fails: %v", err)
		}
	})
	if !m.GetCache().WaitForCacheSync(ctx) {
		t.Fatal("the cache does not fill")
	}
	return f
}

// serve makes the portal. The client that it writes with can be made to fail.
func (f *fixture) serve(m ctrl.Manager, address string) {
	f.t.Helper()
	parsed, err := portal.ParseURL(address)
	if err != nil {
		f.t.Fatal(err)
	}
	watched, err := client.NewWithWatch(apiServer(f.t), client.Options{Scheme: m.GetScheme()})
	if err != nil {
		f.t.Fatal(err)
	}
	writes := interceptor.NewClient(watched, interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			if f.faults.Update != nil {
				return f.faults.Update(ctx, c, object, options...)
			}
			return c.Update(ctx, object, options...)
		},
		Get: func(ctx context.Context, _ client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			return m.GetClient().Get(ctx, key, object, options...) // as the manager's client, from the cache
		},
		List: func(ctx context.Context, _ client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			return m.GetClient().List(ctx, list, options...)
		},
	})
	f.portal = &portal.Portal{
		Client: writes, Live: m.GetAPIReader(), URL: parsed, Clock: f.clock, Recorder: f.events, Implicit: true,
		Observe: func(vendor, result string) { *f.counted = append(*f.counted, vendor+" "+result) },
	}
	if err := f.portal.SetupWithManager(f.t.Context(), m, "127.0.0.1:0"); err != nil {
		f.t.Fatal(err)
	}
	f.handler = f.portal.Handler()
}

// someOffer is what a person is asked.
func (f *fixture) someOffer(change ...func(*consent.Offer)) consent.Offer {
	offer := consent.Offer{
		Vendor: "shop", Title: "Example Shop", Scopes: []string{"orders", "users"},
		Request: oauth.AuthorizationRequest{URL: vendorURL, RedirectURI: f.portal.URL.String() + "/callback", PKCE: true},
	}
	for _, c := range change {
		c(&offer)
	}
	return offer
}

// invite makes an OAuthToken with a link, and returns its ticket.
func (f *fixture) invite(name string, change ...func(*consent.Offer)) string {
	f.t.Helper()
	token := &v1alpha1.OAuthToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: name},
		Spec: v1alpha1.OAuthTokenSpec{
			Vendor: "genesys-cloud", GrantType: v1alpha1.GrantAuthorizationCode, CredentialsSecretRef: v1alpha1.SecretReference{Name: "client"},
		},
	}
	ticket := consent.NewSecret()
	state := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: f.namespace, Name: name + v1alpha1.StateSecretSuffix, Labels: map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleState},
			Annotations: map[string]string{v1alpha1.OwnerAnnotation: name, "example.com/kept": "as it is"},
		},
		Data: map[string][]byte{
			consent.Key:     consent.Record{}.Invite(f.clock.Now(), ticket, f.someOffer(change...)).Encode(),
			"refresh_token": []byte("the refresh token"),
		},
	}
	for _, object := range []client.Object{token, state} {
		if err := f.client.Create(f.t.Context(), object); err != nil {
			f.t.Fatal(err)
		}
	}
	f.eventually(func() string {
		cached := &corev1.Secret{}
		key := client.ObjectKeyFromObject(state)
		if f.portal.Client.Get(f.t.Context(), key, cached) != nil || f.portal.Client.Get(f.t.Context(), client.ObjectKeyFromObject(token), &v1alpha1.OAuthToken{}) != nil {
			return "the cache does not see them"
		}
		return ""
	})
	return ticket.Reveal()
}

func (f *fixture) state(name string) *corev1.Secret {
	f.t.Helper()
	secret := &corev1.Secret{}
	if err := f.client.Get(f.t.Context(), client.ObjectKey{Namespace: f.namespace, Name: name + v1alpha1.StateSecretSuffix}, secret); err != nil {
		f.t.Fatal(err)
	}
	return secret
}

func (f *fixture) record(name string) consent.Record {
	f.t.Helper()
	return consent.Parse(f.state(name).Data[consent.Key])
}

// settle changes the record as the controller does.
func (f *fixture) settle(name string, change func(consent.Record) consent.Record) {
	f.t.Helper()
	secret := f.state(name)
	secret.Data[consent.Key] = change(consent.Parse(secret.Data[consent.Key])).Encode()
	if err := f.client.Update(f.t.Context(), secret); err != nil {
		f.t.Fatal(err)
	}
	f.eventually(func() string {
		cached := &corev1.Secret{}
		if err := f.portal.Client.Get(f.t.Context(), client.ObjectKeyFromObject(secret), cached); err != nil || cached.ResourceVersion != secret.ResourceVersion {
			return "the cache is behind"
		}
		return ""
	})
}

func (f *fixture) eventually(check func() string) {
	f.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		complaint := check()
		if complaint == "" {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatal(complaint)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// browser follows no redirect by itself.
type browser struct {
	f    *fixture
	http *http.Client
}

func (f *fixture) newBrowser() *browser {
	f.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return &browser{f, &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// seen is an answer that was read.
type seen struct {
	*http.Response

	body string
}

// send makes a request to a path of the test server. Headers are names and values.
func (b *browser) send(method, path string, form url.Values, headers ...string) seen {
	b.f.t.Helper()
	request, err := http.NewRequestWithContext(b.f.t.Context(), method, b.f.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.f.t.Fatal(err)
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			request.Host = headers[i+1] // the client does not send the header
		}
	}
	response, err := b.http.Do(request)
	if err != nil {
		b.f.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.f.t.Fatal(err)
	}
	return seen{response, string(body)}
}

func (b *browser) get(path string, headers ...string) seen {
	b.f.t.Helper()
	return b.send(http.MethodGet, path, nil, headers...)
}

// formToken is the hidden field of a page.
func (s seen) formToken() string {
	_, after, _ := strings.Cut(s.body, `name="form" value="`)
	token, _, _ := strings.Cut(after, `"`)
	return token
}

// press opens the page of a ticket and presses its button.
func (b *browser) press(ticket string, headers ...string) seen {
	b.f.t.Helper()
	page := b.get("/authorize/" + ticket)
	return b.send(http.MethodPost, "/authorize/"+ticket, url.Values{"form": {page.formToken()}}, headers...)
}

// setOut presses the button, and returns what the vendor is sent.
func (b *browser) setOut(ticket string) url.Values {
	b.f.t.Helper()
	left := b.press(ticket)
	target, err := left.Location()
	if err != nil || left.StatusCode != http.StatusSeeOther || !strings.HasPrefix(target.String(), "https://vendor.example/authorize?") {
		b.f.t.Fatalf("status %d, to %v: the browser is not sent to the vendor", left.StatusCode, target)
	}
	return target.Query()
}

// comeBack is the vendor's answer.
func (b *browser) comeBack(values ...string) seen {
	b.f.t.Helper()
	query := url.Values{}
	for i := 0; i+1 < len(values); i += 2 {
		query.Add(values[i], values[i+1])
	}
	back := b.get("/callback?" + query.Encode())
	if back.StatusCode == http.StatusSeeOther {
		b.f.catchUp()
	}
	return back
}

// catchUp waits until the cache has all Secrets as the API server has them. A page would wait for that by the clock, which stands still.
func (f *fixture) catchUp() {
	f.t.Helper()
	var live, cached corev1.SecretList
	f.eventually(func() string {
		if err := f.client.List(f.t.Context(), &live, client.InNamespace(f.namespace)); err != nil {
			return err.Error()
		}
		for i := range live.Items {
			if live.Items[i].Labels[v1alpha1.RoleLabel] != v1alpha1.RoleState {
				continue
			}
			if err := f.portal.Client.List(f.t.Context(), &cached, client.InNamespace(f.namespace)); err != nil {
				return err.Error()
			}
			if !slices.ContainsFunc(cached.Items, func(s corev1.Secret) bool {
				return s.Name == live.Items[i].Name && s.ResourceVersion == live.Items[i].ResourceVersion
			}) {
				return "the cache is behind"
			}
		}
		return ""
	})
}

// received are the answers that the state Secret holds.
func (f *fixture) received(name string) []string {
	f.t.Helper()
	var answers []string
	for _, a := range f.record(name).Attempts {
		if !a.Answer.IsEmpty() {
			answers = append(answers, a.Answer.Reveal())
		}
	}
	return answers
}

// refused fails a test where an answer was taken, or the browser was not told.
func (f *fixture) refused(name string, got seen, want ...int) {
	f.t.Helper()
	if !slices.Contains(want, got.StatusCode) {
		f.t.Errorf("status %d, want %v", got.StatusCode, want)
	}
	if answers := f.received(name); len(answers) > 0 {
		f.t.Errorf("%d answers were taken", len(answers))
	}
}
