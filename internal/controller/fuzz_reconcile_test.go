package controller

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
)

// rig is a reconciler in front of objects in memory and a vendor that answers as it is told.
type rig struct {
	Reconciler
	t      *testing.T
	api    client.WithWatch
	clock  *clocktesting.FakeClock
	vendor *answering
	told   strings.Builder // the events
}

// answering is a token endpoint.
type answering struct {
	*httptest.Server
	asked  atomic.Int32 // for tokens
	read   atomic.Int32 // the metadata
	status atomic.Int32
	body   atomic.Value
	spent  atomic.Value // the refresh token that was sent last
}

func newAnswering(tb testing.TB) *answering {
	tb.Helper()
	a := &answering{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodGet {
			a.read.Add(1)
		} else {
			a.asked.Add(1)
			sent, _ := io.ReadAll(request.Body)
			form, _ := url.ParseQuery(string(sent))
			a.spent.Store(form.Get("refresh_token"))
			request.Body = io.NopCloser(bytes.NewReader(sent))
		}
		w.WriteHeader(int(a.status.Load()))
		_, _ = io.WriteString(w, a.reply(request))
	}))
	tb.Cleanup(a.Close)
	return a
}

// reply is the body. An error repeats of the secrets in it those that were sent, since a vendor knows no others.
func (a *answering) reply(request *http.Request) string {
	body, _ := a.body.Load().(string)
	if !strings.Contains(body, "error_description") {
		return body
	}
	sent, _ := io.ReadAll(request.Body)
	_, password, _ := request.BasicAuth()
	for _, canary := range canaries() {
		if !strings.Contains(string(sent)+password, canary) {
			body = strings.ReplaceAll(body, canary, "unknown")
		}
	}
	return body
}

func (a *answering) host() string { return strings.TrimPrefix(a.URL, "http://") }

// platform lets the vendor be asked, and persons be invited.
func (a *answering) platform(catalogue *oauth.Catalogue) declaration.Platform {
	hosts := []string{a.host()}
	return declaration.Platform{Catalogue: catalogue, AllowedHosts: hosts, InsecureHTTPHosts: hosts, PortalURL: "https://tokens.example", EnableImplicit: true}
}

// Eventf implements events.EventRecorder.
func (r *rig) Eventf(_, _ runtime.Object, _, reason, _, note string, args ...any) {
	_, _ = fmt.Fprintf(&r.told, reason+": "+note+"\n", args...)
}

// indexed takes indices for a client in memory.
type indexed struct{ *fake.ClientBuilder }

// IndexField implements client.FieldIndexer.
func (i indexed) IndexField(_ context.Context, object client.Object, field string, extract client.IndexerFunc) error {
	i.WithIndex(object, field, extract)
	return nil
}

// asCached shows Secrets as the manager's cache does: those with a role, targets with hashes for values.
func asCached() interceptor.Funcs {
	return interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
			if err := c.Get(ctx, key, object, opts...); err != nil {
				return err
			}
			secret, ok := object.(*corev1.Secret)
			if !ok {
				return nil
			}
			if secret.Labels[v1alpha1.RoleLabel] == "" {
				return c.Get(ctx, client.ObjectKey{Namespace: key.Namespace, Name: "not-in-the-cache"}, secret)
			}
			*secret = *slimmed(secret)
			return nil
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			err := c.List(ctx, list, opts...)
			if secrets, ok := list.(*corev1.SecretList); ok {
				for i := range secrets.Items {
					secrets.Items[i] = *slimmed(&secrets.Items[i])
				}
			}
			return err
		},
	}
}

// loadCatalogue is the catalogue with the entries of a folder; empty: the embedded ones alone.
func loadCatalogue(tb testing.TB, folder string) *oauth.Catalogue {
	tb.Helper()
	catalogue, err := oauth.LoadCatalogue(folder)
	if err != nil {
		tb.Fatal(err)
	}
	return catalogue
}

func newRig(t *testing.T, vendor *answering, catalogue *oauth.Catalogue, objects ...client.Object) *rig {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.OAuthToken{}).WithObjects(objects...)
	if err := index(t.Context(), indexed{builder}, catalogue); err != nil {
		t.Fatal(err)
	}
	return newRigOn(t, vendor, catalogue, builder.Build(), clocktesting.NewFakeClock(noon))
}

// newRigOn is a rig in front of objects that another one may have in front of it too.
func newRigOn(t *testing.T, vendor *answering, catalogue *oauth.Catalogue, api client.WithWatch, clock *clocktesting.FakeClock) *rig {
	t.Helper()
	hosts := []string{vendor.host()}
	r := &rig{t: t, api: api, clock: clock, vendor: vendor}
	r.Client, r.Live, r.Clock, r.Recorder = interceptor.NewClient(api, asCached()), api, r.clock, r
	r.Platform = vendor.platform(catalogue)
	r.Vendors = oauth.NewClient(oauth.ClientOptions{AllowLoopback: true, InsecureHTTPHosts: hosts, Now: r.clock.Now})
	t.Cleanup(r.Vendors.CloseIdleConnections)
	r.hasher = testHasher()
	r.planner = planner{platform: r.Platform, hasher: r.hasher}
	r.called = make(chan event.TypedGenericEvent[client.ObjectKey], callBuffer)
	r.gate.call, r.aside.call = r.call, r.call
	r.saver = saver{client: r.Client, live: r.Live, clock: r.Clock, done: r.call}
	r.metrics = newMetrics()
	return r
}

// reconcile looks at the OAuthToken that often. The API server's refusals are no failure of a reconcile.
func (r *rig) reconcile(times int) {
	r.t.Helper()
	for range times {
		_, _ = r.Reconcile(r.t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(someToken())})
	}
	r.Wait()
}

// secret is what there is of a Secret; nil: none.
func (r *rig) secret(name string) *corev1.Secret {
	r.t.Helper()
	secret, err := secretOrNil(r.t.Context(), r.api, client.ObjectKey{Namespace: someToken().Namespace, Name: name})
	if err != nil {
		r.t.Fatal(err)
	}
	return secret
}

// FuzzReconcile reconciles arbitrary states of all objects. Nothing panics, nothing is asked while it is suspended or while what is served is
// good, a Secret of others is never written, and no secret is shown.
func FuzzReconcile(f *testing.F) {
	for _, seed := range []string{
		"", "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01", strings.Repeat("\x02", 40), strings.Repeat("\x03\x00\x01", 20), strings.Repeat("\x00\x05", 30),
		"\x00\x00\x00\x00\x01\x01\x01\x01\x02\x02\x02\x02\x03\x03\x03\x03\x04\x04\x04\x04", strings.Repeat("\x07\x06\x05\x04\x03\x02\x01", 8),
	} {
		f.Add([]byte(seed))
	}
	catalogue := loadCatalogue(f, "")
	vendor := newAnswering(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		d := &dice{left: data}
		vendor.asked.Store(0)
		vendor.status.Store(int32(drawn(d, 200, 400, 401, 403, 404, 429, 500, 503)))
		vendor.body.Store(drawn(d, answers200()...))
		deal := d.deal(vendor.URL+"/token", planner{platform: vendor.platform(catalogue), hasher: testHasher()})
		r := newRig(t, vendor, catalogue, deal.objects()...)
		before := map[string]*corev1.Secret{}
		for _, name := range []string{"client", deal.target, "api" + v1alpha1.StateSecretSuffix} {
			before[name] = r.secret(name)
		}
		good := deal.good()
		r.reconcile(1 + d.number(3))
		asked := int(vendor.asked.Load())
		if asked > 0 && (deal.token.Spec.Suspend || good || !deal.token.DeletionTimestamp.IsZero()) {
			t.Errorf("%d requests: suspended %t, good %t, deletion %v", asked, deal.token.Spec.Suspend, good, deal.token.DeletionTimestamp)
		}
		if asked > 1 { // the clock stands still
			t.Errorf("%d requests at one time", asked)
		}
		for name, secret := range before {
			if secret == nil || !deal.foreign(name, secret) {
				continue
			}
			if diff := cmp.Diff(secret, r.secret(name)); diff != "" {
				t.Errorf("Secret %s, which is not Tokensync's, was written (-before +after):\n%s", name, diff)
			}
		}
		r.showsNoSecret()
		r.comesToRest()
	})
}

// comesToRest looks at the OAuthToken until nothing more should be to do, and then finds that nothing is done: a manager whose own writes made it
// write again would never rest.
func (r *rig) comesToRest() {
	r.t.Helper()
	const enough = 8
	r.reconcile(enough)
	before, asked := r.versions(), r.vendor.asked.Load()+r.vendor.read.Load()
	r.reconcile(2)
	if diff := cmp.Diff(before, r.versions()); diff != "" {
		r.t.Errorf("after %d looks at one time, objects are still written (-before +after):\n%s", enough, diff)
	}
	if r.vendor.asked.Load()+r.vendor.read.Load() != asked {
		r.t.Errorf("after %d looks at one time, the vendor is still asked", enough)
	}
}

// versions are the resource versions of what there is.
func (r *rig) versions() map[string]string {
	r.t.Helper()
	var tokens v1alpha1.OAuthTokenList
	var secrets corev1.SecretList
	for _, list := range []client.ObjectList{&tokens, &secrets} {
		if err := r.api.List(r.t.Context(), list); err != nil {
			r.t.Fatal(err)
		}
	}
	versions := map[string]string{}
	for i := range tokens.Items {
		versions["OAuthToken "+tokens.Items[i].Name] = tokens.Items[i].ResourceVersion
	}
	for i := range secrets.Items {
		versions["Secret "+secrets.Items[i].Name] = secrets.Items[i].ResourceVersion
	}
	return versions
}

// showsNoSecret looks for what nobody may see in what everybody may see.
func (r *rig) showsNoSecret() {
	r.t.Helper()
	token := &v1alpha1.OAuthToken{}
	shown := r.told.String()
	if r.api.Get(r.t.Context(), client.ObjectKeyFromObject(someToken()), token) == nil {
		shown += fmt.Sprintf("%+v", token.Status)
	}
	for _, canary := range canaries() {
		if strings.Contains(shown, canary) {
			r.t.Errorf("%s is shown: %s", canary, shown)
		}
	}
}

func canaries() []string {
	return []string{"canary-secret", "canary-refresh", "canary-access", "canary-seed", "canary-password"}
}

func answers200() []string {
	return []string{
		`{"access_token":"canary-access-1","token_type":"Bearer","expires_in":3600}`,
		`{"access_token":"canary-access-2","token_type":"Bearer","expires_in":1,"refresh_token":"canary-refresh-2","scope":"a b"}`,
		`{"access_token":"canary-access-3","refresh_token":"canary-refresh-3","refresh_expires_in":5}`,
		`{"error":"invalid_grant","error_description":"canary-secret canary-refresh canary-password"}`,
		`{"error":"invalid_client"}`, "<html>canary-secret</html>", "", `{"access_token":"canary-access-4","expires_in":99999999999}`,
	}
}

// hours is a span of some hours in quarters.
func hours(d *dice) time.Duration { return time.Duration(d.number(40)-20) * 15 * time.Minute }
