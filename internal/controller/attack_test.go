package controller_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/controller"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// mistake is a spec that is refused before anything is sent.
type mistake struct {
	change         func(*v1alpha1.OAuthToken)
	reason, remedy string
}

func endpoint(address string) func(*v1alpha1.OAuthToken) {
	return func(o *v1alpha1.OAuthToken) { o.Spec.Endpoints = &v1alpha1.Endpoints{TokenURL: v1alpha1.URL(address)} }
}

func vendor(name string, pairs ...string) func(*v1alpha1.OAuthToken) {
	return func(o *v1alpha1.OAuthToken) {
		o.Spec.Vendor, o.Spec.GrantType, o.Spec.Endpoints = name, "", nil
		o.Spec.Parameters = map[string]v1alpha1.ParameterValue{}
		for i := 0; i+1 < len(pairs); i += 2 {
			o.Spec.Parameters[pairs[i]] = v1alpha1.ParameterValue(pairs[i+1])
		}
	}
}

func grant(name string, more ...func(*v1alpha1.OAuthToken)) func(*v1alpha1.OAuthToken) {
	return func(o *v1alpha1.OAuthToken) {
		for _, change := range more {
			change(o)
		}
		o.Spec.GrantType = v1alpha1.GrantType(name)
	}
}

func TestMistakesInASpecAreExplainedAndNothingIsSent(t *testing.T) {
	t.Parallel()
	const spec, endpointRefused = v1alpha1.ReasonInvalidSpec, v1alpha1.ReasonEndpointNotAllowed
	mistakes := map[string]mistake{
		"unknown-vendor":     {vendor("acme-phones"), spec, "use one of abbyy-vantage, bright-pattern, generic, genesys-cloud"},
		"missing-parameter":  {vendor("bright-pattern", "host", "acme.example"), spec, "set spec.parameters.tenant or that key of the credentials Secret"},
		"unknown-parameter":  {vendor("genesys-cloud", "region", "mypurecloud.de", "colour", "red"), spec, `has no parameter "colour"; it has`},
		"unknown-region":     {vendor("genesys-cloud", "region", "mypurecloud.xx"), spec, `"mypurecloud.xx" is not allowed; use one of`},
		"evil-region":        {vendor("genesys-cloud", "region", "evil.example/"), spec, `"evil.example/" is not allowed; use one of`},
		"several-at-once":    {vendor("genesys-cloud", "region", "x", "colour", "red"), spec, `"colour"; it has`},
		"lacking-grant":      {grant("Password", vendor("genesys-cloud", "region", "mypurecloud.de")), spec, "use one of"},
		"authorization-code": {grant("AuthorizationCode", vendor("genesys-cloud", "region", "mypurecloud.de")), spec, "use a grant that needs none"},
		"implicit":           {grant("Implicit", vendor("genesys-cloud", "region", "mypurecloud.de")), spec, "--enable-implicit"},
		"scope-as-parameter": {vendor("genesys-cloud", "region", "mypurecloud.de", "scope", "all"), spec, "use spec.scopes"},
		"no-certificate":     {func(o *v1alpha1.OAuthToken) { o.Spec.CABundle = []byte("hello") }, spec, "put certificates in PEM there"},
		"plain-http":         {endpoint("http://login.acme.example/token"), endpointRefused, "--insecure-http-hosts"},
		"foreign-host":       {endpoint("https://login.acme.example/token"), endpointRefused, "tokensync.dev/allowed-hosts: login.acme.example"},
		"foreign-port":       {endpoint("https://127.0.0.1:1/token"), endpointRefused, "tokensync.dev/allowed-hosts: 127.0.0.1:1"},
		"foreign-issuer": {func(o *v1alpha1.OAuthToken) {
			o.Spec.Endpoints = &v1alpha1.Endpoints{IssuerURL: "https://login.acme.example"}
		}, endpointRefused, "tokensync.dev/allowed-hosts: login.acme.example"},
		"foreign-revocation": {func(o *v1alpha1.OAuthToken) { o.Spec.Endpoints.RevocationURL = "https://login.acme.example/revoke" }, endpointRefused, "revocationURL"},
		"host-by-parameter":  {vendor("bright-pattern", "host", "login.acme.example", "tenant", "t"), endpointRefused, "tokensync.dev/allowed-hosts: login.acme.example"},
	}
	w := newIdleWorld(t)
	restoreEntry(t, w, "bright-pattern.yaml") // whose host is a parameter
	w.start()
	for name, m := range mistakes {
		secret, token := w.generic(name)
		m.change(token)
		w.create(secret, token)
	}
	for name, m := range mistakes {
		refused := w.awaitReady(name, metav1.ConditionFalse, m.reason)
		conforms(t, refused, controller.KStatusFailed)
		if text := message(refused, v1alpha1.ConditionReady); !strings.Contains(text, m.remedy) {
			t.Errorf("%s: the message does not hold %q: %s", name, m.remedy, text)
		}
	}
	w.settled()
	for name, m := range mistakes {
		if got := w.events(name)[m.reason]; got != 1 {
			t.Errorf("%s: %d events of reason %s, want one", name, got, m.reason)
		}
	}
	if got := w.vendor.Count(oauthtest.Match{Endpoint: oauthtest.AnyEndpoint}); got != 0 {
		t.Errorf("%d requests were sent", got)
	}
	w.leaksNothing(genericSecret)
}

// restoreEntry takes back the override of a catalogue entry, so that the embedded one counts.
func restoreEntry(t *testing.T, w *world, file string) {
	t.Helper()
	if err := os.Remove(filepath.Join(w.vendors, file)); err != nil {
		t.Fatal(err)
	}
}

func TestAddressesOfTheManagersOwnAreNeverConnectedTo(t *testing.T) {
	t.Parallel()
	hosts := []string{
		"127.0.0.1", "127.9.9.9", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "[fe80::1]", "0.0.0.0", "[::]", "224.0.0.1",
		"168.63.129.16", "100.100.100.200", "[fd00:ec2::254]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b::7f00:1]",
	}
	w := newIdleWorld(t, withNetwork(func(o *oauth.ClientOptions) { o.AllowLoopback = false }))
	_, port, err := net.SplitHostPort(w.vendor.Host())
	if err != nil {
		t.Fatal(err)
	}
	w.platform = func(p *declaration.Platform) {
		for _, host := range hosts {
			p.AllowedHosts = append(p.AllowedHosts, host+":"+port)
		}
		p.InsecureHTTPHosts = p.AllowedHosts
	}
	w.start()
	for i, host := range hosts {
		secret, token := w.generic(fmt.Sprintf("near-%d", i), endpoint("http://"+host+":"+port+"/generic/oauth2/token"))
		w.create(secret, token)
	}
	for i, host := range hosts {
		refused := w.awaitReady(fmt.Sprintf("near-%d", i), metav1.ConditionFalse, v1alpha1.ReasonEndpointNotAllowed)
		conforms(t, refused, controller.KStatusFailed)
		if text := message(refused, v1alpha1.ConditionReady); !strings.Contains(text, "Correct the endpoint") {
			t.Errorf("%s: %s", host, text)
		}
	}
	w.settled()
	if got := w.vendor.Connections(); got != 0 {
		t.Errorf("%d connections were made", got)
	}
}

// trap is a server that must never hear of a secret.
type trap struct {
	*httptest.Server
	mu    sync.Mutex
	heard []string
}

// newTrap starts a trap whose discovery document names endpoints.
func newTrap(t *testing.T) *trap {
	t.Helper()
	s := &trap{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var all bytes.Buffer
		_ = r.Write(&all)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heard = append(s.heard, all.String())
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *trap) host() string { return strings.TrimPrefix(s.URL, "http://") }

// wantSilence complains about everything that arrived.
func (s *trap) wantSilence(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, request := range s.heard {
		t.Errorf("somebody else's server heard: %s", request)
	}
}

// syncBuffer is where a manager logs to.
type syncBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// attacks are what an author of OAuthTokens who may not read Secrets tries.
func (w *world) attacks(trap string) map[string]func(*v1alpha1.OAuthToken) {
	param := func(name, value string) func(*v1alpha1.OAuthToken) {
		return func(o *v1alpha1.OAuthToken) {
			o.Spec.Parameters = map[string]v1alpha1.ParameterValue{name: v1alpha1.ParameterValue(value)}
		}
	}
	own := w.vendor.TokenURL(oauthtest.Generic)
	target := func(t v1alpha1.Target) func(*v1alpha1.OAuthToken) {
		return func(o *v1alpha1.OAuthToken) { o.Spec.Target = &t }
	}
	template := func(source string) func(*v1alpha1.OAuthToken) {
		return target(v1alpha1.Target{Template: &v1alpha1.TargetTemplate{Data: map[string]v1alpha1.TemplateSource{"x": v1alpha1.TemplateSource(source)}}})
	}
	credentialsOf := func(name string) func(*v1alpha1.OAuthToken) {
		return func(o *v1alpha1.OAuthToken) { o.Spec.CredentialsSecretRef.Name = name }
	}
	return map[string]func(*v1alpha1.OAuthToken){
		"token-url":      endpoint("http://" + trap + "/token"),
		"user-info":      endpoint(strings.Replace(own, "http://", "http://"+trap+"@", 1)),
		"user-info-back": endpoint("http://" + w.vendor.Host() + "@" + trap + "/token"),
		"backslash":      endpoint("http://" + w.vendor.Host() + `\@` + trap + "/token"),
		"fragment":       endpoint("http://" + trap + "#@" + w.vendor.Host() + "/token"),
		"capitals":       endpoint("HTTP://" + trap + "/token"),
		"revocation": func(o *v1alpha1.OAuthToken) {
			o.Spec.Endpoints.RevocationURL, o.Spec.RevokeOnDelete = v1alpha1.URL("http://"+trap+"/revoke"), true
		},
		"issuer": func(o *v1alpha1.OAuthToken) {
			o.Spec.Endpoints = &v1alpha1.Endpoints{IssuerURL: v1alpha1.URL("http://" + trap)}
		},
		"issuer-beside-token-url": func(o *v1alpha1.OAuthToken) { o.Spec.Endpoints.IssuerURL = v1alpha1.URL("http://" + trap) },
		"region":                  vendor("genesys-cloud", "region", trap+"/"),
		"host":                    vendor("bright-pattern", "host", trap, "tenant", "t"),
		"tenant-in-path":          vendor("abbyy-vantage", "region", "eu", "tenant_id", "../../@"+trap+"/"),
		"parameter-redirect":      param("Redirect_Uri", "http://"+trap),
		"parameter-client-id":     param("client.id", "other"),
		"parameter-assertion":     param("client_assertion_type", "x"),
		"parameter-line-break":    param("audience", "x\r\nHost: "+trap),
		"parameter-name-break":    param("x&redirect_uri", trap),
		"scope-injection":         func(o *v1alpha1.OAuthToken) { o.Spec.Scopes = []v1alpha1.Scope{"a&client_id=b"} },
		"public-client":           func(o *v1alpha1.OAuthToken) { o.Spec.ClientAuthentication = v1alpha1.ClientNone },
		"assertion": func(o *v1alpha1.OAuthToken) {
			o.Spec.GrantType = v1alpha1.GrantSAML2Bearer
			o.Spec.Endpoints.TokenURL = v1alpha1.URL("http://" + trap + "/token")
			o.Spec.SAML2Bearer = &v1alpha1.SAML2Bearer{Issuer: "i", Subject: "s", Audience: v1alpha1.SAMLName("http://" + trap), Recipient: v1alpha1.SAMLName("http://" + trap)}
		},
		"template-env":                   template("{{ env `HOME` }}"),
		"template-read":                  template("{{ .ClientSecret }}{{ .Credentials }}"),
		"template-extra":                 template("{{ .Extra | toJson }}"),
		"template-whole":                 template("{{ . | toJson }}"),
		"template-metadata":              target(v1alpha1.Target{Template: &v1alpha1.TargetTemplate{Metadata: &v1alpha1.TemplateMetadata{Labels: map[string]v1alpha1.LabelValue{v1alpha1.RoleLabel: v1alpha1.RoleCredentials}}}}),
		"template-hosts":                 target(v1alpha1.Target{Template: &v1alpha1.TargetTemplate{Metadata: &v1alpha1.TemplateMetadata{Annotations: map[string]v1alpha1.AnnotationValue{v1alpha1.AllowedHostsAnnotation: v1alpha1.AnnotationValue(trap)}}}}),
		"target-is-anothers-secret":      target(v1alpha1.Target{Name: "unlabelled"}),
		"target-is-anothers-credentials": target(v1alpha1.Target{Name: "victim-client"}),
		"target-is-its-credentials": func(o *v1alpha1.OAuthToken) {
			o.Spec.Target = &v1alpha1.Target{Name: o.Spec.CredentialsSecretRef.Name}
		},
		"target-is-a-state":         target(v1alpha1.Target{Name: "other-oauth-state"}),
		"credentials-are-a-target":  credentialsOf("victim"),
		"credentials-are-a-state":   credentialsOf("other-oauth-state"),
		"credentials-have-no-label": credentialsOf("unlabelled"),
		"renewal-request": func(o *v1alpha1.OAuthToken) {
			o.Annotations = map[string]string{v1alpha1.RenewRequestedAtAnnotation: strings.Repeat("é", 100_000)}
		},
	}
}

func TestAnAuthorWithoutAccessToSecretsLearnsNothing(t *testing.T) {
	t.Parallel()
	trap, log := newTrap(t), &syncBuffer{}
	logger := funcr.New(func(prefix, line string) { _, _ = fmt.Fprintln(log, prefix, line) }, funcr.Options{Verbosity: 10})
	w := newIdleWorld(t, withLogger(logger))
	restoreEntry(t, w, "bright-pattern.yaml")
	w.platform = func(p *declaration.Platform) { p.InsecureHTTPHosts = append(p.InsecureHTTPHosts, trap.host()) }
	w.start()

	canaries := []string{genericSecret, "canary-user", "canary-password", "canary-tenant", "canary-refresh", "canary-unlabelled", "canary-state"}
	secrets := func(name string) *corev1.Secret {
		return credentials(name, "client_id", "victim", "client_secret", genericSecret, "username", "canary-user", "password", "canary-password",
			"refresh_token", "canary-refresh", "product_id", "canary-tenant")
	}
	_, victim := w.generic("victim")
	unlabelled, state := credentials("unlabelled", "client_id", "x", "client_secret", "canary-unlabelled"), credentials("other-oauth-state", "refresh_token", "canary-state")
	unlabelled.Labels, state.Labels = nil, map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleState}
	state.Annotations = map[string]string{v1alpha1.OwnerAnnotation: "other"}
	w.create(secrets("victim-client"), victim, unlabelled, state)
	w.awaitReady("victim", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.vendor.Fail(oauthtest.Match{ClientID: "victim"}, oauthtest.EchoSecrets("invalid_scope"), oauthtest.After(12), oauthtest.Times(4))
	untouched := map[string]string{}
	for _, name := range []string{"victim-client", "unlabelled", "other-oauth-state"} {
		untouched[name] = w.secret(name).ResourceVersion
	}

	tried := 0
	for name, change := range w.attacks(trap.host()) {
		_, token := w.generic("victim")
		token.Name = name
		change(token)
		token.Namespace = w.namespace
		if err := w.client.Create(t.Context(), token); err != nil {
			t.Logf("%s: the API server refuses it", name)
			for _, canary := range canaries {
				if strings.Contains(err.Error(), canary) {
					t.Errorf("%s: the refusal quotes a secret: %v", name, err)
				}
			}
			continue
		}
		tried++
		w.eventually(func() string {
			if o := w.oauthToken(name); o.Status.ObservedGeneration == 0 {
				return name + " was not looked at"
			}
			return ""
		})
	}
	if tried < 15 {
		t.Errorf("only %d attacks came past the API server", tried)
	}
	w.settled()
	var list v1alpha1.OAuthTokenList
	if err := w.client.List(t.Context(), &list, client.InNamespace(w.namespace)); err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		o := &list.Items[i]
		if _, complaints := controller.KStatus(o); complaints != nil {
			t.Errorf("%s: %q", o.Name, complaints)
		}
		if o.Name != "victim" { // revocation is tried as well
			w.delete(o)
		}
	}
	w.settled()

	trap.wantSilence(t)
	for name, version := range untouched {
		if w.secret(name).ResourceVersion != version {
			t.Errorf("Secret %s was written", name)
		}
	}
	canaries = append(canaries, w.accessTokens()...)
	if len(canaries) < 8 {
		t.Error("no access token was issued")
	}
	w.leaksNothing(allForms(canaries)...)
	for _, canary := range allForms(canaries) {
		if strings.Contains(log.String(), canary) {
			t.Errorf("the log holds %q", canary)
		}
	}
	if !strings.Contains(log.String(), "Starting workers") {
		t.Error("the log was not caught")
	}
}

// accessTokens are those in the target Secrets of a world.
func (w *world) accessTokens() []string {
	var list corev1.SecretList
	if err := w.client.List(w.t.Context(), &list, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	var tokens []string
	for i := range list.Items {
		if token := list.Items[i].Data["access_token"]; len(token) > 0 {
			tokens = append(tokens, string(token))
		}
	}
	return tokens
}

// allForms are values as they may stand in requests and texts.
func allForms(values []string) []string {
	var forms []string
	for _, value := range values {
		forms = append(forms, value, base64.StdEncoding.EncodeToString([]byte(value)), base64.RawURLEncoding.EncodeToString([]byte(value)), url.QueryEscape(value))
	}
	return append(forms, base64.StdEncoding.EncodeToString([]byte("victim:"+genericSecret)))
}

func TestAnIssuerCantSendCredentialsToAnotherHost(t *testing.T) {
	t.Parallel()
	trap := newTrap(t)
	issuer := &httptest.Server{}
	issuer = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"issuer":%q,"token_endpoint":"%s/token"}`, issuer.URL, trap.URL)
	}))
	t.Cleanup(issuer.Close)
	w := newWorld(t, withPlatform(func(p *declaration.Platform) {
		hosts := []string{strings.TrimPrefix(issuer.URL, "http://")}
		p.AllowedHosts, p.InsecureHTTPHosts = hosts, []string{hosts[0], trap.host()}
	}))
	secret, token := w.generic("led-astray", func(o *v1alpha1.OAuthToken) {
		o.Spec.Endpoints = &v1alpha1.Endpoints{IssuerURL: v1alpha1.URL(issuer.URL)}
	})
	w.create(secret, token)
	refused := w.awaitReady("led-astray", metav1.ConditionFalse, v1alpha1.ReasonEndpointNotAllowed)
	conforms(t, refused, controller.KStatusFailed)
	if text := message(refused, v1alpha1.ConditionReady); !strings.Contains(text, "the discovered tokenURL") {
		t.Errorf("the message is %q", text)
	}
	w.settled()
	trap.wantSilence(t)
}

func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	trap := newTrap(t)
	w := newWorld(t, withPlatform(func(p *declaration.Platform) { // even to a host that is allowed
		p.AllowedHosts, p.InsecureHTTPHosts = append(p.AllowedHosts, trap.host()), append(p.InsecureHTTPHosts, trap.host())
	}))
	for _, status := range []int{301, 302, 303, 307, 308} {
		id := fmt.Sprintf("redirected-%d", status)
		w.vendor.Fail(oauthtest.Match{ClientID: id}, oauthtest.Redirect(status, trap.URL+"/token"))
		secret, token := w.generic(id)
		w.create(secret, token)
		w.awaitReady(id, metav1.ConditionFalse, v1alpha1.ReasonMalformedResponse)
	}
	trap.wantSilence(t)
}

func TestLifetimesOfEveryKindAreUnderstood(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		raw     string
		want    time.Duration
		unknown bool // and an event says what is assumed
	}{
		"number":   {`1800`, 30 * time.Minute, false},
		"text":     {`"1800"`, 30 * time.Minute, false},
		"spaces":   {`" 1800 "`, 30 * time.Minute, false},
		"fraction": {`1800.7`, 30 * time.Minute, false},
		"exponent": {`1.8e3`, 30 * time.Minute, false},
		"zero":     {`0`, time.Hour, true},
		"null":     {`null`, time.Hour, true},
		"word":     {`"soon"`, time.Hour, true},
		"object":   {`{}`, time.Hour, true},
	}
	w, _ := newStillWorld(t)
	for name, test := range tests {
		secret, token := w.generic(name)
		w.vendor.Fail(oauthtest.Match{ClientID: name}, oauthtest.Member("expires_in", test.raw))
		w.create(secret, token)
	}
	for name, test := range tests {
		o := w.awaitReady(name, metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
		if got := o.Status.ExpiresAt.Sub(o.Status.IssuedAt.Time); got != test.want {
			t.Errorf("expires_in %s is read as %s, want %s", test.raw, got, test.want)
		}
	}
	w.settled()
	for name, test := range tests {
		if got := w.events(name)[v1alpha1.EventLifetimeUnknown] == 1; got != test.unknown {
			t.Errorf("expires_in %s: an event says that the life is assumed: %t", test.raw, got)
		}
	}
	w.wantAsked("", len(tests))
}

func TestScopesThatNoStatusCanHoldBreakNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, token := w.generic("talkative")
	scopes := strings.Repeat("s", 3000) + strings.Repeat(" scope", 500)
	w.vendor.Fail(oauthtest.Match{ClientID: "talkative"}, oauthtest.Member("scope", `"`+scopes+`"`))
	w.create(secret, token)
	w.awaitReady("talkative", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	if got := string(w.secret("talkative").Data["scope"]); got != scopes {
		t.Errorf("the target holds a scope of %d bytes, the vendor gave %d", len(got), len(scopes))
	}
	w.wantAsked("talkative", 1)
}
