package portal

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

// FuzzCallback brings whatever strangers may bring. Nothing makes the portal fail, and nothing is written: there is no attempt to answer.
func FuzzCallback(f *testing.F) {
	for _, seed := range [][2]string{
		{"state=a&code=b", "tokensync-x=ns/name/key"},
		{"", ""},
		{"state=%ff&code=%00", "tokensync-=//"},
		{"error=access_denied&state=x", ";;="},
		{"state=a&state=b", "__Host-tokensync-ungWv48Bz-pBQUDe=ns/name/key"},
		{"state=a", "__Host-tokensync-ypeBEsobvcr6wjGz=ns/name/key"}, // the cookie of this state
		{"state=a", "__Host-tokensync-ypeBEsobvcr6wjGz=../%2f/"},
		{"state=a;b&code", "a=b"},
	} {
		f.Add(seed[0], seed[1])
	}
	address, err := ParseURL("https://tokens.example.com/prefix")
	if err != nil {
		f.Fatal(err)
	}
	nothing, clock := fake.NewClientBuilder().Build(), clocktesting.NewFakeClock(time.Unix(0, 0))
	handler := (&Portal{
		Client: nothing, Live: nothing, URL: address, Clock: clock, Recorder: events.NewFakeRecorder(10), Implicit: true,
	}).Handler()
	f.Fuzz(func(t *testing.T, query, cookie string) {
		clock.Step(guesses * time.Second) // what was wrong before is forgotten
		for _, path := range []string{"/callback", "/prefix/callback", "/outcome/" + cookie} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.URL.Path, r.URL.RawQuery = path, query
			r.Header.Set("Cookie", cookie)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code >= http.StatusInternalServerError || w.Code == http.StatusTooManyRequests || w.Header().Get("Location") != "" {
				t.Errorf("%s?%q with cookie %q: status %d", path, query, cookie, w.Code)
			}
		}
	})
}

// FuzzAnswer brings answers to an attempt, in the browser that began it: each is taken, is refused, or ends the attempt, and leads to the
// outcome alone.
func FuzzAnswer(f *testing.F) {
	for _, query := range []string{
		"code=x", "error=access_denied&error_description=No%2C%20thanks", "code=x&code=y", "code=%00", "code=&error=", "code=x&iss=https%3A%2F%2Fvendor.example",
		"access_token=x&token_type=Bearer&expires_in=3600", "access_token=x&token_type=mac", "state=another", "error=%3Cscript%3E", "code=%ff%fe", "iss=%", "&&=",
		"access_token=x&token_type=bearer&expires_in=99999999999999999999", "error=x&error_description=the-verifier-of-nobody",
	} {
		f.Add(query, false)
		f.Add(query, true)
	}
	f.Fuzz(func(t *testing.T, query string, implicit bool) {
		a := newAnswered(t, implicit)
		w := a.bring(query)
		attempt := a.attempt(t)
		switch w.Code {
		case http.StatusSeeOther:
			if want := "https://tokens.example.com/outcome/" + attemptName(a.state); w.Header().Get("Location") != want {
				t.Errorf("%q leads to %s", query, w.Header().Get("Location"))
			}
			if attempt.ReceivedAt.IsZero() || attempt.Answer.IsEmpty() == (attempt.Outcome == nil) {
				t.Errorf("%q leads on, and leaves %+v", query, attempt)
			}
		case http.StatusNotFound, http.StatusForbidden:
			if !attempt.Waits() || !attempt.Answer.IsEmpty() || w.Header().Get("Location") != "" {
				t.Errorf("%q is refused, and leaves %+v", query, attempt)
			}
		default:
			t.Errorf("%q: status %d", query, w.Code)
		}
		if sent, err := url.ParseQuery(query); err == nil && !attempt.Answer.IsEmpty() && !implicit && sent.Get("code") != attempt.Answer.Reveal() {
			t.Errorf("%q: another code is kept", query)
		}
		if o := attempt.Outcome; o != nil && (len(o.Code)+len(o.Detail) > 500 || strings.ContainsFunc(o.Code+o.Detail, isControl)) {
			t.Errorf("%q: the outcome is %+v", query, o)
		}
	})
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// answered is a portal with one attempt that waits.
type answered struct {
	client   client.Client
	handler  http.Handler
	state    oauth.Sensitive
	key      oauth.Sensitive
	implicit bool
}

func newAnswered(t *testing.T, implicit bool) *answered {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	address, err := ParseURL("https://tokens.example.com")
	if err != nil {
		t.Fatal(err)
	}
	a := &answered{state: consent.NewSecret(), key: consent.NewSecret(), implicit: implicit}
	now, ticket := time.Unix(1_000_000, 0), consent.NewSecret()
	record, err := consent.Record{}.Invite(now, ticket, consent.Offer{Vendor: "shop", Title: "Example Shop", Request: oauth.AuthorizationRequest{
		URL: "https://vendor.example/authorize?client_id=c", RedirectURI: "https://tokens.example.com/callback", PKCE: !implicit, Implicit: implicit,
	}}).Begin(now, ticket, consent.Attempt{State: consent.Hash(a.state), Browser: consent.Hash(a.key), Verifier: oauth.NewVerifier()})
	if err != nil {
		t.Fatal(err)
	}
	a.client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		&v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "orders"}},
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "ns", Name: "orders" + v1alpha1.StateSecretSuffix, Labels: map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleState},
				Annotations: map[string]string{v1alpha1.OwnerAnnotation: "orders"},
			},
			Data: map[string][]byte{consent.Key: record.Encode()},
		},
	).Build()
	a.handler = (&Portal{
		Client: a.client, Live: a.client, URL: address, Clock: clocktesting.NewFakeClock(now), Recorder: events.NewFakeRecorder(10), Implicit: true,
	}).Handler()
	return a
}

// bring has the browser come back, with the state before all else.
func (a *answered) bring(query string) *httptest.ResponseRecorder {
	query = "state=" + a.state.Reveal() + "&" + query
	r := httptest.NewRequest(http.MethodGet, "/callback", nil)
	if a.implicit {
		r = httptest.NewRequest(http.MethodPost, "/callback", strings.NewReader(query))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		r.URL.RawQuery = query
	}
	r.Header.Set("Cookie", "__Host-tokensync-"+attemptName(a.state)+"=ns/orders/"+a.key.Reveal())
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	return w
}

func (a *answered) attempt(t *testing.T) consent.Attempt {
	t.Helper()
	secret := &corev1.Secret{}
	if err := a.client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "orders" + v1alpha1.StateSecretSuffix}, secret); err != nil {
		t.Fatal(err)
	}
	return consent.Parse(secret.Data[consent.Key]).Attempts[0]
}
