package controller_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/dnstest"
	"tokensync.dev/tokensync/internal/oauth"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// grid is a world with one OAuthToken for each mishap, each with a vendor entry, a host name and a client of its own.
type grid struct {
	*world
	route  string
	hands  *clocktesting.FakeClock
	port   string
	mu     sync.Mutex
	away   map[string]string // hosts that are not found where they are: refused, tls, or dns
	before map[string]*corev1.Secret
	ready  map[string][]byte // an assertion for each OAuthToken, where it gets a ready one
}

func dashed(name string) string { return strings.ReplaceAll(name, "_", "-") }

// vendorOf is the catalogue name of a mishap's vendor.
func (g *grid) vendorOf(name string) string { return "matrix-" + g.route + "-" + name }

// newGrid makes a grid whose manager runs, and nothing in it yet.
func newGrid(t *testing.T, route string) *grid {
	t.Helper()
	g := &grid{route: route, hands: clocktesting.NewFakeClock(time.Now().Truncate(time.Second)), away: map[string]string{}, before: map[string]*corev1.Secret{}, ready: map[string][]byte{}}
	g.world = newIdleWorld(t, withClock(g.hands), withPlatform(func(p *declaration.Platform) {
		withPortal(p)
		p.AllowedHosts = append(p.AllowedHosts, "*.example.com")
	}), withNetwork(func(o *oauth.ClientOptions) { o.Resolver = dnstest.Resolver(g.addresses) }), func(w *world) { w.tls = []string{"*.example.com"} })
	_, g.port, _ = net.SplitHostPort(g.vendor.Host())
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(g.vendor.CABundle())
	g.browser = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	stranger := oauthtest.New(oauthtest.WithAddress("127.0.0.2:"+g.port), oauthtest.WithHosts("*.example.com"))
	if err := stranger.StartTLS(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stranger.Close)
	for name := range mishaps() {
		entry := fmt.Sprintf("name: %s\ntitle: Matrix\ndocumentation: https://docs.acme.example\nendpoints:\n  tokenURL: https://%s.example.com:%s/generic/oauth2/token\n"+
			"  authorizationURL: %s/generic/oauth2/authorize\nclientAuthentication: ClientSecretBasic\nrefreshTokenRotation: Unknown\ngrants:\n"+
			"  ClientCredentials: {}\n  Password: {}\n  AuthorizationCode: {}\n  SAML2Bearer: {}\n  RefreshToken: {}\n",
			g.vendorOf(name), name, g.port, g.vendor.URL())
		if err := os.WriteFile(filepath.Join(g.vendors, g.vendorOf(name)+".yaml"), []byte(entry), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g.vendor.ConsentBy(oauthtest.Generic, &oauthtest.Consent{})
	g.start()
	return g
}

// addresses answers for DNS: the vendor, a stranger with a certificate that nobody trusts, a machine that refuses, or nothing.
func (g *grid) addresses(host string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch g.away[strings.TrimSuffix(host, ".example.com")] {
	case "":
		return []string{"127.0.0.1"}
	case "tls":
		return []string{"127.0.0.2"}
	case "refused":
		return []string{"127.0.0.3"}
	}
	return nil
}

// plant makes the OAuthToken of a mishap.
func (g *grid) plant(r route, name string) {
	g.t.Helper()
	client := oauthtest.Client{RefreshTokens: r.refreshes || r.code, Rotation: oauthtest.Rotate}
	secret := g.register(name, client)
	g.reregister(name, func(c *oauthtest.Client) {
		c.Grants = append(c.Grants, oauthtest.AuthorizationCode)
		c.RedirectURIs = []string{portalURL + "/callback"}
	})
	token := genericToken(g.world, name, r.grant, func(o *v1alpha1.OAuthToken) {
		o.Spec.Vendor, o.Spec.Endpoints, o.Spec.CABundle = g.vendorOf(name), nil, g.vendor.CABundle()
	})
	if r.grant == v1alpha1.GrantRefreshToken {
		secret.StringData["refresh_token"] = g.vendor.NewRefreshToken(oauthtest.Generic, name, "")
	}
	if r.grant == v1alpha1.GrantSAML2Bearer {
		token.Spec.SAML2Bearer = samlToken("").Spec.SAML2Bearer
		secret.Data = g.signingKey()
	}
	if r.assertion {
		token.Spec.SAML2Bearer = nil
		secret.Data = map[string][]byte{"assertion": g.ready[name]}
	}
	g.create(secret, token)
}

// signAssertions has the operator sign an assertion for each mishap, and keeps the vendor from taking note of them.
func (g *grid) signAssertions(names []string) {
	g.t.Helper()
	for _, name := range names {
		signer := "sign-" + name
		secret := g.register(signer, oauthtest.Client{})
		secret.Data = g.signingKey()
		g.vendor.Fail(oauthtest.Match{ClientID: signer}, oauthtest.Status(500, "text/plain", ""))
		g.create(secret, genericToken(g.world, signer, v1alpha1.GrantSAML2Bearer, func(o *v1alpha1.OAuthToken) {
			o.Spec.SAML2Bearer, o.Spec.CABundle = samlToken("").Spec.SAML2Bearer, g.vendor.CABundle()
		}))
	}
	for _, name := range names {
		signer := "sign-" + name
		g.awaitReady(signer, metav1.ConditionFalse, v1alpha1.ReasonVendorUnavailable)
		g.delete(&v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: signer}})
		g.delete(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: signer + "-client"}})
	}
	for _, request := range g.vendor.Requests() {
		if name, isSigner := strings.CutPrefix(request.ClientID, "sign-"); isSigner {
			g.ready[name] = []byte(request.Form().Get("assertion"))
		}
	}
}

// signingKey makes the vendor trust a key, once for the world.
func (g *grid) signingKey() map[string][]byte {
	g.t.Helper()
	if g.before["key"] == nil {
		key, certificate := keyPair(g.t, g.hands.Now())
		provider, err := oauthtest.ExampleIdentityProvider(certificate)
		if err != nil {
			g.t.Fatal(err)
		}
		provider.Vendor, provider.OrgName = oauthtest.Generic, ""
		g.vendor.Trust(provider)
		g.before["key"] = &corev1.Secret{Data: map[string][]byte{"saml_signing_key": key, "saml_signing_certificate": certificate}}
	}
	return maps.Clone(g.before["key"].Data)
}

// strike lets a mishap come over the next token request.
func (g *grid) strike(name string, m mishap) {
	g.mu.Lock()
	g.away[name] = m.network
	g.mu.Unlock()
	if m.sent() {
		g.vendor.Fail(oauthtest.Match{Endpoint: oauthtest.TokenEndpoint, ClientID: name}, m.fault, oauthtest.Times(1))
	}
}

// tokens counts the token requests that have reached the vendor, those that hang included.
func (g *grid) tokens(name string) int {
	return g.vendor.Count(oauthtest.Match{Endpoint: oauthtest.TokenEndpoint, ClientID: name})
}

// bring lets every OAuthToken come to the request that fails.
func (g *grid) bring(r route, all map[string]mishap) {
	g.t.Helper()
	names := slices.Sorted(maps.Keys(all))
	if r.assertion {
		g.signAssertions(names)
	}
	if !r.served {
		for _, name := range names {
			g.strike(name, all[name])
		}
	}
	for _, name := range names {
		g.plant(r, name)
	}
	if r.grant == v1alpha1.GrantAuthorizationCode {
		for _, name := range names {
			g.authorize(name)
		}
	}
	if !r.served {
		return
	}
	for _, name := range names {
		g.awaitReady(name, metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
		g.before[name] = g.secret(name)
	}
	g.settled()
	g.vendorsBy.CloseIdleConnections()
	for _, name := range names {
		g.strike(name, all[name])
	}
	g.pass(g.hands, 45*time.Minute, names...)
	if !r.assertion {
		return
	}
	for _, name := range names {
		g.awaitCondition(name, v1alpha1.ConditionRenewalFailing, metav1.ConditionTrue, v1alpha1.ReasonAwaitingCredentials)
	}
	g.signAssertions(names)
	for _, name := range names {
		edit(g.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name + "-client"}}, func(s *corev1.Secret) { s.Data["assertion"] = g.ready[name] })
	}
}

func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	for name, r := range routes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGrid(t, name)
			all := mishaps()
			g.bring(r, all)
			struck := g.hands.Now()
			g.awaitStruck(r, all)
			for name, m := range all {
				g.checkTold(r, name, r.after(m))
			}
			g.settled()
			requests := map[string]int{}
			for name, m := range all {
				g.checkCounted(r, name, m)
				requests[name] = g.tokens(name)
			}
			g.mu.Lock()
			clear(g.away)
			g.mu.Unlock()
			g.liveOn(r, all, struck, requests)
		})
	}
}

// awaitStruck waits until the vendor has seen every request that reaches it: who has to be asked again may look as before.
func (g *grid) awaitStruck(r route, all map[string]mishap) {
	g.t.Helper()
	for name, m := range all {
		switch {
		case m.sent() && r.served:
			g.awaitRequests(name, 2)
		case m.sent():
			g.awaitRequests(name, 1)
		}
	}
}

// checkTold waits until an OAuthToken says what its fate is.
func (g *grid) checkTold(r route, name string, want fate) {
	g.t.Helper()
	g.eventually(func() string {
		token := g.oauthToken(name)
		var standing []string
		reason := ""
		for _, c := range token.Status.Conditions {
			isReady := c.Type == v1alpha1.ConditionReady
			if isReady && (c.Status == metav1.ConditionTrue) != r.served {
				return fmt.Sprintf("%s: Ready is %s (%s): %s", name, c.Status, c.Reason, c.Message)
			}
			if !isReady && c.Status == metav1.ConditionTrue {
				standing = append(standing, c.Type)
			}
			if !isReady && c.Type != v1alpha1.ConditionAuthorizationRequired || isReady && !r.served {
				reason = c.Reason
			}
		}
		slices.Sort(standing)
		if diff := cmp.Diff(want.conditions, standing); diff != "" || reason != want.reason {
			return fmt.Sprintf("%s: reason %s, want %s; conditions (-want +got):\n%s", name, reason, want.reason, diff)
		}
		return ""
	})
}
