package leaks

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
	"tokensync.dev/tokensync/internal/portal/portaltest"
	"tokensync.dev/tokensync/test/harness"
)

// Stage is a world with one manager, a vendor, and witnesses of all that the manager sends out.
type Stage struct {
	*harness.World

	Canaries *Canaries
	Vendor   *Vendor
	Manager  *harness.Member
	Metrics  string // address

	signer signer
	api    witness // requests to the API server
	pages  witness // answers of the portal
}

// SetStage starts a manager with more flags, and all that it needs.
func SetStage(tb testing.TB, flags ...string) *Stage {
	tb.Helper()
	canaries := NewCanaries()
	s := &Stage{World: harness.NewWorld(tb, nil, "--leader-elect=false"), Canaries: canaries, Vendor: StartVendor(tb, canaries), Metrics: harness.FreeAddress(tb)}
	s.signer = newSigner(tb, canaries)
	s.Vendor.Trust(oauthtest.IdentityProvider{
		Vendor: oauthtest.Generic, Issuer: issuer, Audience: audience, Recipient: audience, Certificates: s.signer.certificates,
	})
	s.Vendor.ConsentBy(oauthtest.Generic, &oauthtest.Consent{})
	portal := harness.FreeAddress(tb)
	s.showPortal(portal)
	s.Manager = s.Join()
	s.Manager.API.Strike(s.watch)
	s.Manager.Flags = append([]string{
		"--metrics-bind-address=" + s.Metrics, "--metrics-authorization=false", "--portal-bind-address=" + portal, "--max-concurrent-reconciles=20",
	}, flags...)
	s.Manager.Start()
	return s
}

// Consent lets a person follow the link of an OAuthToken.
func (s *Stage) Consent(name string) {
	s.TB.Helper()
	person, err := portaltest.New(s.Vendor.CA, nil)
	if err != nil {
		s.TB.Fatal(err)
	}
	if _, err := person.Authorize(s.TB.Context(), s.Link(name)); err != nil {
		s.TB.Logf("%s: %v", name, err)
	}
}

// Until waits until a check of each OAuthToken returns "".
func (s *Stage) Until(names []string, check func(*v1alpha1.OAuthToken) string) {
	s.TB.Helper()
	harness.Within(s.TB, 2*harness.Patience, harness.Patience/300, func() string {
		all := s.tokens()
		var open []string
		for _, name := range names {
			if complaint := check(all[name]); complaint != "" {
				open = append(open, name+" "+complaint)
			}
		}
		return strings.Join(open, "\n")
	})
}

// watch keeps what is sent to the API server. The bodies of Secrets are left to what becomes of them, which is looked at in the end.
func (s *Stage) watch(r *http.Request) *harness.Stroke {
	body := []byte{}
	if r.Body != nil {
		read, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil // the API server finds it cut, too
		}
		body = read
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	line := r.Method + " " + r.URL.RequestURI()
	where := "request to the API server: " + line
	if strings.Contains(r.URL.Path, "/secrets") {
		s.api.saw(where, []byte(line))
		return quoting(r, body)
	}
	var meant []Kind
	if strings.Contains(r.URL.Path, "/oauthtokens/") && strings.HasSuffix(r.URL.Path, "/status") {
		meant = []Kind{Ticket}
	}
	s.api.saw(where, append([]byte(line+"\n"), body...), meant...)
	return nil
}

// showPortal serves the portal to browsers, and keeps its answers.
func (s *Stage) showPortal(at string) {
	s.TB.Helper()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: at})
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	proxy.ModifyResponse = func(answer *http.Response) error {
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		answer.Body = io.NopCloser(bytes.NewReader(body))
		s.pages.saw("the portal: page "+answer.Request.Method, body, Ticket)
		for name, values := range answer.Header {
			s.pages.saw("the portal: header "+name, []byte(strings.Join(values, "\n")), s.meantIn(name, values)...)
		}
		return nil
	}
	listener, err := net.Listen("tcp", s.Portal)
	if err != nil {
		s.TB.Fatal(err)
	}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: harness.Patience}
	go func() { _ = server.Serve(listener) }()
	s.TB.Cleanup(func() { _ = server.Close() })
}

// meantIn are the secrets that a header of the portal's may hold: the state where it sends a browser to the vendor, which is what a state is for,
// and the ticket where it sends the browser on within its pages.
func (s *Stage) meantIn(name string, values []string) []Kind {
	if name != "Location" {
		return nil
	}
	if strings.HasPrefix(values[0], "https://"+s.Vendor.Address+"/") {
		return []Kind{State, ClientID}
	}
	return []Kind{Ticket}
}

// tokens are the OAuthTokens. The tickets in them become canaries.
func (s *Stage) tokens() map[string]*v1alpha1.OAuthToken {
	s.TB.Helper()
	list := &v1alpha1.OAuthTokenList{}
	if err := s.Client.List(s.TB.Context(), list, client.InNamespace(s.Namespace)); err != nil {
		s.TB.Fatal(err)
	}
	all := map[string]*v1alpha1.OAuthToken{}
	for i := range list.Items {
		token := &list.Items[i]
		all[token.Name] = token
		if a := token.Status.Authorization; a != nil {
			s.Canaries.Add(Ticket, token.Name, a.URL[strings.LastIndex(a.URL, "/")+1:])
		}
	}
	return all
}

// replaceAssertion gives a credentials Secret another assertion.
func (s *Stage) replaceAssertion(name string) {
	s.TB.Helper()
	secret := &corev1.Secret{}
	if err := s.Client.Get(s.TB.Context(), client.ObjectKey{Namespace: s.Namespace, Name: name + "-client"}, secret); err != nil {
		s.TB.Fatal(err)
	}
	for key := range secret.Data {
		if strings.HasSuffix(strings.ToLower(key), "assertion") {
			secret.Data[key] = []byte(someAssertion())
			s.Canaries.Add(Assertion, name, string(secret.Data[key]))
		}
	}
	if err := s.Client.Update(s.TB.Context(), secret); err != nil {
		s.TB.Fatal(err)
	}
}

// remove deletes an OAuthToken.
func (s *Stage) remove(name string) {
	s.TB.Helper()
	if err := s.Client.Delete(s.TB.Context(), &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: name}}); err != nil {
		s.TB.Fatal(err)
	}
}

func (s *Stage) create(objects ...client.Object) {
	s.TB.Helper()
	for _, object := range objects {
		object.SetNamespace(s.Namespace)
		if err := s.Client.Create(s.TB.Context(), object); err != nil {
			s.TB.Fatal(err)
		}
	}
}

// quoting is a refusal of an admission webhook that quotes the Secret which it refuses, where the Secret's name asks for one.
func quoting(r *http.Request, body []byte) *harness.Stroke {
	if r.Method == http.MethodGet || !bytes.Contains(append([]byte(r.URL.Path), body...), []byte("-refused")) {
		return nil
	}
	return &harness.Stroke{Instead: &harness.Answer{Status: http.StatusForbidden, Body: `{"kind":"Status","apiVersion":"v1","status":"Failure","code":403,` +
		`"reason":"Forbidden","message":` + quoted("admission webhook denied the request: "+string(body)) + `}`}}
}

func secretNamed(name string, data map[string]string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleCredentials}},
		StringData: data,
	}
}

// witness keeps what it saw.
type witness struct {
	mu   sync.Mutex
	seen []sight
}

type sight struct {
	where string
	text  []byte
	meant []Kind // what may be seen there
}

func (w *witness) saw(where string, text []byte, meant ...Kind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, sight{where, text, meant})
}

func (w *witness) all() []sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}
