package controller_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/controller"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// genericSecret is the client secret of the clients of these tests: what must be seen nowhere.
const genericSecret = "canary-secret-5f3a"

// generic registers a client at the generic vendor and returns its credentials Secret and an OAuthToken, both of its name.
func (w *world) generic(id string, change ...func(*v1alpha1.OAuthToken)) (*corev1.Secret, *v1alpha1.OAuthToken) {
	w.vendor.Register(oauthtest.Client{
		Vendor: oauthtest.Generic, ID: id, Secret: genericSecret, Grants: []string{oauthtest.ClientCredentials}, Scopes: []string{"orders.read"},
	})
	token := &v1alpha1.OAuthToken{
		ObjectMeta: metav1.ObjectMeta{Name: id},
		Spec: v1alpha1.OAuthTokenSpec{
			Vendor: "generic", GrantType: v1alpha1.GrantClientCredentials, CredentialsSecretRef: v1alpha1.SecretReference{Name: id + "-client"},
			Endpoints: &v1alpha1.Endpoints{TokenURL: v1alpha1.URL(w.vendor.TokenURL(oauthtest.Generic))},
		},
	}
	for _, c := range change {
		c(token)
	}
	return credentials(id+"-client", "client_id", id, "client_secret", genericSecret), token
}

// asked is how many token requests came from a client; from all where it is empty.
func (w *world) asked(clientID string) int {
	return w.vendor.Count(oauthtest.Match{ClientID: clientID})
}

// wantAsked complains unless that many token requests came from a client, now that everything is settled.
func (w *world) wantAsked(clientID string, want int) {
	w.t.Helper()
	w.settled()
	if got := w.asked(clientID); got != want {
		w.t.Errorf("client %q: %d token requests, want %d", clientID, got, want)
	}
}

// poke edits what costs no request, so that an OAuthToken is looked at again.
func (w *world) poke(name string) {
	w.t.Helper()
	edit(w, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: name}}, func(o *v1alpha1.OAuthToken) {
		metav1.SetMetaDataAnnotation(&o.ObjectMeta, "poked", fmt.Sprint(len(o.Annotations["poked"]))+o.Annotations["poked"])
	})
}

// conforms complains where kstatus would read something else than want.
func conforms(t *testing.T, token *v1alpha1.OAuthToken, want string) {
	t.Helper()
	if word, complaints := controller.KStatus(token); word != want || complaints != nil {
		t.Errorf("%s: kstatus is %s, want %s; complaints: %q", token.Name, word, want, complaints)
	}
}

func (w *world) label(name string) {
	w.t.Helper()
	edit(w, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}, func(s *corev1.Secret) {
		metav1.SetMetaDataLabel(&s.ObjectMeta, v1alpha1.RoleLabel, v1alpha1.RoleCredentials)
	})
}

func TestAnOAuthTokenWaitsForItsCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, token := w.generic("early")
	w.create(token)
	waiting := w.awaitReady("early", metav1.ConditionFalse, v1alpha1.ReasonAwaitingCredentials)
	conforms(t, waiting, controller.KStatusInProgress)
	if text := message(waiting, v1alpha1.ConditionReady); !strings.Contains(text, `"early-client"`) {
		t.Errorf("the message does not name the Secret: %s", text)
	}
	w.wantAsked("early", 0)
	created := time.Now()
	w.create(secret)
	conforms(t, w.awaitReady("early", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued), controller.KStatusCurrent)
	t.Logf("the token was there %s after its credentials", time.Since(created).Round(time.Millisecond))
	w.wantAsked("early", 1)
}

func TestASecretWithoutTheLabelIsNotUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, token := w.generic("shy")
	secret.Labels = map[string]string{v1alpha1.RoleLabel: "else"}
	w.create(secret, token)
	refused := w.awaitReady("shy", metav1.ConditionFalse, v1alpha1.ReasonCredentialsNotLabelled)
	conforms(t, refused, controller.KStatusFailed)
	command := fmt.Sprintf("kubectl label secret shy-client -n %s tokensync.dev/role=credentials --overwrite", w.namespace)
	if text := message(refused, v1alpha1.ConditionReady); !strings.HasSuffix(text, command) {
		t.Errorf("the message does not end with the command %q: %s", command, text)
	}
	w.wantAsked("shy", 0)
	w.label("shy-client") // what the command does
	w.awaitReady("shy", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.wantAsked("shy", 1)
}

func TestASecretThatAppearsWithoutTheLabelIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, token := w.generic("late")
	w.create(token)
	w.awaitReady("late", metav1.ConditionFalse, v1alpha1.ReasonAwaitingCredentials)
	secret.Labels = nil
	w.create(secret)
	w.poke("late") // the regular look comes within a minute
	w.awaitReady("late", metav1.ConditionFalse, v1alpha1.ReasonCredentialsNotLabelled)
	w.wantAsked("late", 0)
}

func TestIncompleteCredentialsAreNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mapped := func(mapping string) func(*corev1.Secret) {
		return func(s *corev1.Secret) { metav1.SetMetaDataAnnotation(&s.ObjectMeta, v1alpha1.KeysAnnotation, mapping) }
	}
	tests := map[string]struct {
		change func(*corev1.Secret)
		remedy string
	}{
		"no-secret": {func(s *corev1.Secret) { delete(s.StringData, "client_secret") }, "lacks client_secret: add what is missing"},
		"nothing":   {func(s *corev1.Secret) { s.StringData = nil }, "lacks client_id, client_secret: add what is missing"},
		"empty":     {func(s *corev1.Secret) { s.StringData["client_secret"] = "\n" }, "lacks client_secret"},
		"binary": {func(s *corev1.Secret) {
			s.Data = map[string][]byte{"client_secret": {0xff, 0xfe}}
			delete(s.StringData, "client_secret")
		}, "client_secret in the credentials Secret is not text"},
		"huge":     {func(s *corev1.Secret) { s.StringData["client_secret"] = strings.Repeat("x", 1<<20-100) }, "client_secret in the credentials Secret is longer than 64 KiB"},
		"mapping":  {mapped("client_id=LOST"), "maps client_id to a key that the Secret lacks"},
		"nonsense": {mapped("client_id"), "name=KEY pairs separated by commas"},
	}
	for name, test := range tests {
		secret, token := w.generic(name)
		test.change(secret)
		w.create(secret, token)
	}
	for name, test := range tests {
		refused := w.awaitReady(name, metav1.ConditionFalse, v1alpha1.ReasonCredentialsIncomplete)
		conforms(t, refused, controller.KStatusFailed)
		if text := message(refused, v1alpha1.ConditionReady); !strings.Contains(text, test.remedy) || strings.Contains(text, genericSecret) {
			t.Errorf("%s: the message is %q, want %q in it", name, text, test.remedy)
		}
	}
	w.wantAsked("", 0)
	for name := range tests {
		edit(w, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name + "-client"}}, func(s *corev1.Secret) {
			delete(s.Annotations, v1alpha1.KeysAnnotation)
			s.StringData = map[string]string{"client_id": name, "client_secret": genericSecret + "\r\n"}
		})
	}
	for name := range tests {
		w.awaitReady(name, metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	}
	w.wantAsked("", len(tests))
}

func TestSomebodyElsesSecretIsUsedByItsMapping(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, token := w.generic("mapped")
	secret := credentials("mapped-client", "ID", "mapped\n", "PASSWORD", genericSecret+"\n", "client_secret", "another")
	secret.Annotations = map[string]string{v1alpha1.KeysAnnotation: "client_id=ID,client_secret=PASSWORD"}
	w.create(secret, token)
	w.awaitReady("mapped", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.wantAsked("mapped", 1)
}

// correctionLimit is how soon a token must be there after its credentials were corrected.
const correctionLimit = 2 * time.Second

func TestCorrectedCredentialsBringATokenWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	quickest := time.Hour
	for i := range 3 { // the machine may be busy with something else for a moment
		name := fmt.Sprintf("corrected-%d", i)
		secret, token := w.generic(name)
		secret.StringData["client_secret"] = "wrong"
		w.create(secret, token)
		w.awaitReady(name, metav1.ConditionFalse, v1alpha1.ReasonInvalidClient)
		corrected := time.Now()
		edit(w, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name + "-client"}}, func(s *corev1.Secret) {
			s.StringData = map[string]string{"client_secret": genericSecret}
		})
		ready := w.awaitReady(name, metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
		took := time.Since(corrected)
		t.Logf("the token was there %s after the correction", took.Round(time.Millisecond))
		quickest = min(quickest, took)
		if ready.Status.Failures != nil || ready.Status.RecentFailures == nil {
			t.Errorf("after recovery, failures are %+v and recent ones %v", ready.Status.Failures, ready.Status.RecentFailures)
		}
		conforms(t, ready, controller.KStatusCurrent)
	}
	if quickest > correctionLimit {
		t.Errorf("never sooner than after %s", quickest)
	}
}

func TestMetadataOfACredentialsSecretCostsNoRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, token := w.generic("calm")
	w.create(secret, token)
	w.awaitReady("calm", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	edit(w, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "calm-client"}}, func(s *corev1.Secret) {
		s.Labels["team"], s.Annotations = "shop", map[string]string{
			v1alpha1.AllowedHostsAnnotation: "login.acme.example", v1alpha1.ClientSecretExpiresAtAnnotation: "2099-01-01T00:00:00Z",
			v1alpha1.KeysAnnotation: "client_id=client_id",
		}
	})
	w.wantAsked("calm", 1)
	edit(w, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "calm-client"}}, func(s *corev1.Secret) {
		s.StringData = map[string]string{"unrelated": "value", "client_secret": genericSecret + "\n"} // the same value for the vendor
	})
	w.wantAsked("calm", 1)
}

func TestATokenIsServedOnWhenItsCredentialsGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret, token := w.generic("left")
	w.create(secret, token)
	w.awaitReady("left", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.delete(secret)
	failing := w.awaitCondition("left", v1alpha1.ConditionRenewalFailing, metav1.ConditionTrue, v1alpha1.ReasonAwaitingCredentials)
	conforms(t, failing, controller.KStatusCurrent)
	again, _ := w.generic("left")
	w.create(again)
	w.eventually(func() string {
		if o := w.oauthToken("left"); message(o, v1alpha1.ConditionRenewalFailing) != "" {
			return "RenewalFailing is still there"
		}
		return ""
	})
	w.wantAsked("left", 1)
}

func TestAValueFromTheSpecAndOneFromTheSecretAreNotMixedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := genesysClient("client")
	secret.StringData["region"] = "mypurecloud.de\n"
	token := genesys("doubly", "client")
	w.create(secret, token)
	refused := w.awaitReady("doubly", metav1.ConditionFalse, v1alpha1.ReasonInvalidSpec)
	if text := message(refused, v1alpha1.ConditionReady); !strings.Contains(text, "region stands in spec.parameters and in the credentials Secret: remove one") {
		t.Errorf("the message is %q", text)
	}
	w.wantAsked("", 0)
	edit(w, token, func(o *v1alpha1.OAuthToken) { o.Spec.Parameters = nil })
	w.awaitReady("doubly", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	w.wantAsked("", 1)
}

// updateStatus overwrites the status of an OAuthToken, as somebody with kubectl could.
func (w *world) updateStatus(name string, change func(*v1alpha1.OAuthTokenStatus)) {
	w.t.Helper()
	w.eventually(func() string {
		token := w.oauthToken(name)
		change(&token.Status)
		if err := w.client.Status().Update(context.Background(), token); err != nil {
			return err.Error()
		}
		return ""
	})
}
