package controller_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/controller"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/kubetest"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// patience is how long a test waits for something that should be there within seconds, on a busy machine.
const patience = 60 * time.Second

// controlPlane starts one API server for the whole package, when it is first asked for.
var controlPlane struct {
	once   sync.Once
	config *rest.Config
	stop   func()
}

func TestMain(m *testing.M) {
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

// world is a namespace of its own with a scripted vendor and a manager that serves just that namespace.
type world struct {
	t         *testing.T
	client    client.Client // a user's, without a cache
	vendor    *oauthtest.Server
	namespace string
	others    []string // further namespaces that the manager serves
	api       *traffic
	cached    client.Client // the manager's
	clock     clock.Clock
	platform  func(*declaration.Platform)
	workers   int
	hashKey   []byte
	vendors   string // folder of catalogue entries
	network   func(*oauth.ClientOptions)
	tls       []string // the vendor's names; nil: it speaks plain http
	vendorsBy *oauth.Client
	browser   http.RoundTripper // nil: the default one
	logger    logr.Logger
	transport func(http.RoundTripper) http.RoundTripper
	stop      func()
}

type worldOption func(*world)

func withClock(c clock.Clock) worldOption { return func(w *world) { w.clock = c } }

func withPlatform(change func(*declaration.Platform)) worldOption {
	return func(w *world) { w.platform = change }
}

// withNetwork changes how the manager reaches vendors.
func withNetwork(change func(*oauth.ClientOptions)) worldOption {
	return func(w *world) { w.network = change }
}

// withLogger takes what the manager logs, at every level. The default is nowhere.
func withLogger(logger logr.Logger) worldOption { return func(w *world) { w.logger = logger } }

// withTransport changes how the manager reaches the API server.
func withTransport(wrap func(http.RoundTripper) http.RoundTripper) worldOption {
	return func(w *world) { w.transport = wrap }
}

// newWorld makes a world whose manager runs until the test ends.
func newWorld(t *testing.T, options ...worldOption) *world {
	t.Helper()
	w := newIdleWorld(t, options...)
	w.start()
	return w
}

// newIdleWorld makes a world whose manager does not run yet.
func newIdleWorld(t *testing.T, options ...worldOption) *world {
	t.Helper()
	w := &world{t: t, clock: clock.RealClock{}, workers: 20, hashKey: []byte(strings.Repeat("k", controller.HashKeySize)), stop: func() {}, logger: logr.Discard()}
	for _, option := range options {
		option(w)
	}
	w.vendor = oauthtest.New(oauthtest.WithClock(w.clock.Now), oauthtest.WithHosts(w.tls...))
	listen := w.vendor.Start
	if w.tls != nil {
		listen = w.vendor.StartTLS
	}
	if err := listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.vendor.Close)
	w.vendors = overrides(t, w.vendor)
	c, err := client.New(apiServer(t), client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	w.client = c
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	w.create(namespace)
	w.namespace = namespace.Name
	t.Cleanup(func() { w.stop() })
	return w
}

// overrides writes catalogue entries that point the vendors at the scripted one.
func overrides(t *testing.T, vendor *oauthtest.Server) string {
	t.Helper()
	entries, err := vendor.Overrides(os.DirFS(filepath.Join(kubetest.Root(), "internal", "oauth", "vendors")))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, content := range entries {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// start runs a manager; restart it with stop and start.
func (w *world) start() {
	w.t.Helper()
	w.api = &traffic{}
	cluster := rest.CopyConfig(apiServer(w.t))
	cluster.Wrap(w.api.wrap)
	if w.transport != nil {
		cluster.Wrap(w.transport)
	}
	consistent := true
	off := metricsserver.Options{BindAddress: "0"}
	m, err := ctrl.NewManager(cluster, ctrl.Options{
		Scheme: scheme(w.t), Cache: controller.CacheOptions(append(w.others, w.namespace)), Metrics: off,
		Client:     client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: &consistent}},
		Controller: ctrlConfig(), HealthProbeBindAddress: "0", Logger: w.logger,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.cached = m.GetClient()
	reconciler := w.reconciler(m)
	ctx, cancel := context.WithCancel(context.Background())
	if err := reconciler.SetupWithManager(ctx, m); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("the manager failed: %v", err)
		}
		reconciler.Wait()
	})
	if !m.GetCache().WaitForCacheSync(ctx) {
		w.t.Fatal("the cache does not fill")
	}
}

func (w *world) reconciler(m ctrl.Manager) *controller.Reconciler {
	w.t.Helper()
	catalogue, err := oauth.LoadCatalogue(w.vendors)
	if err != nil {
		w.t.Fatal(err)
	}
	platform := declaration.Platform{
		Catalogue: catalogue, AllowedHosts: []string{w.vendor.Host()}, InsecureHTTPHosts: []string{w.vendor.Host()},
	}
	if w.platform != nil {
		w.platform(&platform)
	}
	network := oauth.ClientOptions{AllowLoopback: true, InsecureHTTPHosts: platform.InsecureHTTPHosts, Now: w.clock.Now}
	if w.network != nil {
		w.network(&network)
	}
	w.vendorsBy = oauth.NewClient(network)
	return &controller.Reconciler{
		Client: m.GetClient(), Live: m.GetAPIReader(), HashKey: w.hashKey, Clock: w.clock, Platform: platform,
		Recorder: m.GetEventRecorder("tokensync"), MaxConcurrentReconciles: w.workers,
		Vendors: w.vendorsBy,
	}
}

func ctrlConfig() config.Controller {
	skip := true
	return config.Controller{SkipNameValidation: &skip}
}

// create makes an object, in the world's namespace where it has none.
func (w *world) create(objects ...client.Object) {
	w.t.Helper()
	for _, object := range objects {
		if object.GetNamespace() == "" && w.namespace != "" {
			object.SetNamespace(w.namespace)
		}
		if err := w.client.Create(context.Background(), object); err != nil {
			w.t.Fatalf("create %T %s: %v", object, object.GetName(), err)
		}
	}
}

// edit changes an object until it succeeds.
func edit[O client.Object](w *world, object O, change func(O)) {
	w.t.Helper()
	for {
		w.get(object)
		change(object)
		err := w.client.Update(context.Background(), object)
		if err == nil {
			return
		}
		if !apierrors.IsConflict(err) {
			w.t.Fatalf("edit %s: %v", object.GetName(), err)
		}
	}
}

func (w *world) get(object client.Object) {
	w.t.Helper()
	object.SetNamespace(w.namespace)
	if err := w.client.Get(context.Background(), client.ObjectKeyFromObject(object), object); err != nil {
		w.t.Fatalf("get %T %s: %v", object, object.GetName(), err)
	}
}

// delete removes an object.
func (w *world) delete(object client.Object) {
	w.t.Helper()
	object.SetNamespace(w.namespace)
	if err := w.client.Delete(context.Background(), object); err != nil {
		w.t.Fatalf("delete %T %s: %v", object, object.GetName(), err)
	}
}

func (w *world) oauthToken(name string) *v1alpha1.OAuthToken {
	w.t.Helper()
	token := &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: name}}
	w.get(token)
	return token
}

func (w *world) secret(name string) *corev1.Secret {
	w.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}
	w.get(secret)
	return secret
}

// exists tells whether there is a Secret of this name.
func (w *world) exists(name string) bool {
	w.t.Helper()
	err := w.client.Get(context.Background(), client.ObjectKey{Namespace: w.namespace, Name: name}, &corev1.Secret{})
	if client.IgnoreNotFound(err) != nil {
		w.t.Fatal(err)
	}
	return err == nil
}

// eventually waits until a check returns "", and says what it returned last otherwise.
func (w *world) eventually(check func() string) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		complaint := check()
		if complaint == "" {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("after %s: %s", patience, complaint)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// awaitReady waits until an OAuthToken is Ready with the given status and reason, and returns it.
func (w *world) awaitReady(name string, status metav1.ConditionStatus, reason string) *v1alpha1.OAuthToken {
	w.t.Helper()
	return w.awaitCondition(name, v1alpha1.ConditionReady, status, reason)
}

func (w *world) awaitCondition(name, kind string, status metav1.ConditionStatus, reason string) *v1alpha1.OAuthToken {
	w.t.Helper()
	var token *v1alpha1.OAuthToken
	w.eventually(func() string {
		token = w.oauthToken(name)
		c := meta.FindStatusCondition(token.Status.Conditions, kind)
		if c != nil && c.Status == status && c.Reason == reason && token.Status.ObservedGeneration == token.Generation {
			return ""
		}
		return fmt.Sprintf("want %s=%s (%s), have %+v, generation %d", kind, status, reason, token.Status.Conditions, token.Generation)
	})
	return token
}

// message is that of a condition.
func message(token *v1alpha1.OAuthToken, kind string) string {
	if c := meta.FindStatusCondition(token.Status.Conditions, kind); c != nil {
		return c.Message
	}
	return ""
}

// events are the reasons of the events about an object, in no order, with how often each happened.
func (w *world) events(name string) map[string]int {
	w.t.Helper()
	var list eventsv1.EventList
	if err := w.client.List(context.Background(), &list, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	reasons := map[string]int{}
	for i := range list.Items {
		if e := &list.Items[i]; e.Regarding.Name == name {
			reasons[e.Reason]++
			if e.Series != nil {
				reasons[e.Reason] += int(e.Series.Count) - 1
			}
		}
	}
	return reasons
}

// settled waits until a world has been quiet, in API and vendor requests, for a moment.
func (w *world) settled() {
	w.t.Helper()
	last, since := "", time.Now()
	w.eventually(func() string {
		now := fmt.Sprint(w.api.counts(), w.vendor.Count(oauthtest.Match{}))
		if now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) > 700*time.Millisecond {
			return ""
		}
		return "still busy: " + now
	})
}

// traffic counts a manager's requests to the API server.
type traffic struct {
	mu    sync.Mutex
	seen  map[string]int
	fault func(*http.Request) *http.Response
}

func (c *traffic) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		c.mu.Lock()
		if c.seen == nil {
			c.seen = map[string]int{}
		}
		if kind := kindOf(request); kind != "" {
			c.seen[kind]++
		}
		fault := c.fault
		c.mu.Unlock()
		if fault != nil {
			if response := fault(request); response != nil {
				return response, nil
			}
		}
		return next.RoundTrip(request)
	})
}

// kindOf is verb and resource of a request that counts: discovery, watches and the lists before them do not.
func kindOf(request *http.Request) string {
	parts := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	resource, named := "", false
	for i, part := range parts {
		if part == "namespaces" && i+2 < len(parts) {
			resource, named = strings.Join(parts[i+2:i+3], ""), i+3 < len(parts)
			if i+4 < len(parts) {
				resource += "/" + parts[i+4]
			}
		}
	}
	if resource == "" || request.Method == http.MethodGet && !named {
		return ""
	}
	kind := request.Method + " " + resource
	if strings.Contains(request.URL.RawQuery, "dryRun") {
		kind += " (dry run)"
	}
	return kind
}

// counts is what was seen since the last reset.
func (c *traffic) counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	copied := map[string]int{}
	maps.Copy(copied, c.seen)
	return copied
}

func (c *traffic) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = nil
}

// fail lets a function answer requests in place of the API server; nil ends that.
func (c *traffic) fail(fault func(*http.Request) *http.Response) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = fault
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// credentials is a labelled Secret for an example client.
func credentials(name string, pairs ...string) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleCredentials}},
		StringData: map[string]string{},
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		secret.StringData[pairs[i]] = pairs[i+1]
	}
	return secret
}

// genesysClient are the credentials of the example's client.
func genesysClient(name string) *corev1.Secret {
	return credentials(name, "client_id", "6a6ee7a1-3a4c-4b6d-9a3f-0e8a1b2c3d4e", "client_secret", "change-me")
}

// genesys is an OAuthToken for the example's client.
func genesys(name, credentials string) *v1alpha1.OAuthToken {
	return &v1alpha1.OAuthToken{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.OAuthTokenSpec{
			Vendor: "genesys-cloud", Parameters: map[string]v1alpha1.ParameterValue{"region": "mypurecloud.de"},
			CredentialsSecretRef: v1alpha1.SecretReference{Name: credentials},
		},
	}
}
