package controller_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// samlClient is the example's client for SAML assertions.
const samlClient = "77777777-8888-4999-8aaa-bbbbccccdddd"

// keyPair makes a signing key and a certificate for it, in PEM.
func keyPair(t *testing.T, now time.Time) (key, certificate []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp.acme.example"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// createSigning makes an OAuthToken whose assertions the operator signs, with a key that the vendor trusts.
func (w *world) createSigning(name string) {
	w.t.Helper()
	key, certificate := keyPair(w.t, w.clock.Now())
	provider, err := oauthtest.ExampleIdentityProvider(certificate)
	if err != nil {
		w.t.Fatal(err)
	}
	w.vendor.Trust(provider)
	secret := credentials(name+"-client", "client_id", samlClient, "client_secret", "change-me")
	secret.Data = map[string][]byte{"saml_signing_key": key, "saml_signing_certificate": certificate}
	w.create(secret, samlToken(name))
}

func samlToken(name string) *v1alpha1.OAuthToken {
	return &v1alpha1.OAuthToken{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.OAuthTokenSpec{
			Vendor: "genesys-cloud", GrantType: v1alpha1.GrantSAML2Bearer,
			Parameters:           map[string]v1alpha1.ParameterValue{"region": "mypurecloud.com", "org_name": "acme-contact"},
			CredentialsSecretRef: v1alpha1.SecretReference{Name: name + "-client"},
			SAML2Bearer: &v1alpha1.SAML2Bearer{
				Issuer: "https://idp.acme.example/metadata", Subject: "integration@acme.example",
				Audience: "https://tokens.acme.example/saml", Recipient: "https://tokens.acme.example/saml",
			},
		},
	}
}

// assertions are those that the vendor was sent, in order.
func (w *world) assertions() []string {
	var sent []string
	for _, request := range w.vendor.Requests() {
		if assertion := request.Form().Get("assertion"); assertion != "" {
			sent = append(sent, assertion)
		}
	}
	return sent
}

// assertion has the operator sign one and keeps the vendor from taking note of it.
func (w *world) assertion() string {
	w.t.Helper()
	before := len(w.assertions())
	takeBack := w.vendor.Fail(oauthtest.Match{Grant: oauthtest.SAML2Bearer}, oauthtest.Status(500, "text/plain", ""))
	defer takeBack()
	w.createSigning("signer")
	w.awaitReady("signer", metav1.ConditionFalse, v1alpha1.ReasonVendorUnavailable)
	w.delete(samlToken("signer"))
	w.delete(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "signer-client"}})
	return w.assertions()[before]
}

func TestASignedAssertionIsNewForEachRequest(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	w.createSigning("api")
	served := ""
	for range 3 {
		served = w.awaitServed("api", served)
		w.settled()
		w.pass(clock, 20*time.Hour, "api")
	}
	w.awaitServed("api", served)
	sent := map[string]bool{}
	for _, assertion := range w.assertions() {
		if sent[assertion] {
			t.Error("an assertion was sent twice")
		}
		sent[assertion] = true
	}
	if len(sent) != 4 {
		t.Errorf("%d assertions, want one for each of 4 tokens", len(sent))
	}
	if w.exists("api" + v1alpha1.StateSecretSuffix) {
		t.Error("there is a state Secret with nothing to keep")
	}
}

func TestAReadyAssertionIsSentOnceAndThenWaitedForAnew(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	first := w.assertion()
	count := len(w.assertions())
	w.create(credentials("api-client", "client_id", samlClient, "client_secret", "change-me", "assertion", first+"\n"), samlToken("api"))
	served := w.awaitServed("api", "")
	w.settled()
	w.stop()
	w.start()
	w.pass(clock, 20*time.Hour, "api")
	token := w.awaitCondition("api", v1alpha1.ConditionRenewalFailing, metav1.ConditionTrue, v1alpha1.ReasonAwaitingCredentials)
	if got, want := message(token, v1alpha1.ConditionRenewalFailing),
		"the SAML assertion in the credentials Secret was sent already: put a fresh one under the key assertion"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	w.pass(clock, 6*time.Hour, "api")
	w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonAwaitingCredentials)
	w.settled()
	if got := len(w.assertions()) - count; got != 1 {
		t.Errorf("the assertion was sent %d times, want once", got)
	}

	fresh := w.assertion()
	began := time.Now()
	edit(w, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api-client"}}, func(s *corev1.Secret) { s.Data["assertion"] = []byte(fresh) })
	w.awaitServed("api", served)
	within(t, began, 2*time.Second)
	if token := w.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued); len(token.Status.Conditions) != 1 {
		t.Errorf("conditions %+v", token.Status.Conditions)
	}
}

// TestALineWrappedAssertionIsSentOnce has the same assertion broken into other lines later.
func TestALineWrappedAssertionIsSentOnce(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	ready := w.assertion()
	count := len(w.assertions())
	wrapped := func(width int) string {
		lines := ""
		for line := range slices.Chunk([]byte(ready), width) {
			lines += string(line) + "\n"
		}
		return lines
	}
	w.create(credentials("api-client", "client_id", samlClient, "client_secret", "change-me", "assertion", wrapped(76)), samlToken("api"))
	w.awaitServed("api", "")
	w.settled()
	edit(w, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api-client"}}, func(s *corev1.Secret) { s.Data["assertion"] = []byte(wrapped(64)) })
	w.pass(clock, 20*time.Hour, "api")
	w.awaitCondition("api", v1alpha1.ConditionRenewalFailing, metav1.ConditionTrue, v1alpha1.ReasonAwaitingCredentials)
	w.settled()
	if got := w.assertions()[count:]; len(got) != 1 || got[0] != ready {
		t.Errorf("%d assertions were sent, want just the one, without line breaks", len(got))
	}
}

func TestAnAssertionThatIsNotEncodedIsNotSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(credentials("api-client", "client_id", samlClient, "client_secret", "change-me", "assertion", "<saml:Assertion/>\n"), samlToken("api"))
	w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonCredentialsIncomplete)
	w.settled()
	if got := len(w.assertions()); got != 0 {
		t.Errorf("it was sent %d times", got)
	}
}

func TestAnAssertionThatNeverLeftIsNotSpent(t *testing.T) {
	t.Parallel()
	const nobody = "127.0.0.1:1"
	w := newWorld(t, withPlatform(func(p *declaration.Platform) {
		p.AllowedHosts, p.InsecureHTTPHosts = append(p.AllowedHosts, nobody), append(p.InsecureHTTPHosts, nobody)
	}))
	ready := w.assertion()
	token := samlToken("api")
	token.Spec.Endpoints = &v1alpha1.Endpoints{TokenURL: "http://" + nobody + "/token"}
	w.create(credentials("api-client", "client_id", samlClient, "client_secret", "change-me", "assertion", ready), token)
	w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonVendorUnavailable)
	edit(w, samlToken("api"), func(o *v1alpha1.OAuthToken) { o.Spec.Endpoints = nil })
	w.awaitServed("api", "")
}

// TestAnAssertionWhoseIntentsAnswerIsLostIsSent lets the API server note the assertion as spent and lose its answer: nothing was sent to the
// vendor, and this process knows it.
func TestAnAssertionWhoseIntentsAnswerIsLostIsSent(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	var lost atomic.Bool
	w := newWorld(t, withClock(clock), losing(&lost))
	ready := w.assertion()
	count := len(w.assertions())
	w.settled()
	lost.Store(true)
	w.create(credentials("api-client", "client_id", samlClient, "client_secret", "change-me", "assertion", ready), samlToken("api"))
	served := w.awaitServed("api", "")
	w.settled()
	if got := len(w.assertions()) - count; got != 1 || lost.Load() {
		t.Errorf("the assertion was sent %d times, want once; an answer was lost: %t", got, !lost.Load())
	}
	w.pass(clock, 20*time.Hour, "api")
	w.awaitCondition("api", v1alpha1.ConditionRenewalFailing, metav1.ConditionTrue, v1alpha1.ReasonAwaitingCredentials)

	fresh := w.assertion()
	lost.Store(true)
	edit(w, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api-client"}}, func(s *corev1.Secret) { s.Data["assertion"] = []byte(fresh) })
	w.awaitServed("api", served)
	w.settled()
	if got := len(w.assertions()) - count; got != 3 || lost.Load() { // the signing of the fresh one sent it, too
		t.Errorf("the assertions were sent %d times, want 3; an answer was lost: %t", got, !lost.Load())
	}
}

func TestAnAssertionThatWasThrottledIsSentAgain(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	ready := w.assertion()
	count := len(w.assertions())
	w.vendor.Fail(oauthtest.Match{Grant: oauthtest.SAML2Bearer}, oauthtest.TooManyRequests(oauthtest.InSeconds(30)), oauthtest.Times(1))
	w.create(credentials("api-client", "client_id", samlClient, "client_secret", "change-me", "assertion", ready), samlToken("api"))
	w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonRateLimited)
	w.settled()
	w.pass(clock, 40*time.Second, "api")
	w.awaitServed("api", "")
	w.settled()
	if got := len(w.assertions()) - count; got != 2 {
		t.Errorf("the assertion was sent %d times, want twice", got)
	}
}

func TestAnAssertionWhoseAnswerIsLostIsSpent(t *testing.T) {
	t.Parallel()
	clock := fakeTime()
	w := newWorld(t, withClock(clock))
	ready := w.assertion()
	count := len(w.assertions())
	w.vendor.Fail(oauthtest.Match{Grant: oauthtest.SAML2Bearer}, oauthtest.AfterActing(oauthtest.Drop()))
	w.create(credentials("api-client", "client_id", samlClient, "client_secret", "change-me", "assertion", ready), samlToken("api"))
	w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonVendorUnavailable)
	for range 3 {
		w.settled()
		w.pass(clock, 10*time.Minute, "api")
	}
	w.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonAwaitingCredentials)
	w.settled()
	if got := len(w.assertions()) - count; got != 1 {
		t.Errorf("the assertion was sent %d times, want once", got)
	}
}
