package controller_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// spoilingWebhook is a mutating webhook that answers each write of api's target in a world's namespace with a JSON patch.
func spoilingWebhook(w *world, patch string, effects admissionregistrationv1.SideEffectClass) (takeBack func()) {
	w.t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		kind := admissionv1.PatchTypeJSONPatch
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if target := string(review.Request.Object.Raw); strings.Contains(target, `"tokensync.dev/owner":"api"`) && strings.Contains(target, `"access_token"`) {
			review.Response.PatchType, review.Response.Patch = &kind, []byte(patch)
		}
		_ = json.NewEncoder(rw).Encode(review)
	}))
	w.t.Cleanup(server.Close)
	url := server.URL + "/"
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "spoil.example.com", AdmissionReviewVersions: []string{"v1"}, SideEffects: &effects,
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL: &url, CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets"}},
			}},
		}},
	}
	if err := w.client.Create(context.Background(), configuration); err != nil {
		w.t.Fatal(err)
	}
	remove := func() {
		if err := client.IgnoreNotFound(w.client.Delete(context.Background(), configuration)); err != nil {
			w.t.Error(err)
		}
	}
	w.t.Cleanup(remove)
	return remove
}

// awaitWebhook waits until the API server calls the webhook, or does not any more, for a Secret that is not there.
func (th theater) awaitWebhook(spoils bool) {
	th.t.Helper()
	th.eventually(func() string {
		trial := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "trial-", Namespace: th.namespace, Annotations: map[string]string{v1alpha1.OwnerAnnotation: "api"}},
			Data:       map[string][]byte{"token_type": []byte("Bearer"), "access_token": []byte("at")},
		}
		if err := th.client.Create(context.Background(), trial, client.DryRunAll); err != nil {
			return err.Error()
		}
		if spoilt := string(trial.Data["token_type"]) != "Bearer" || string(trial.Data["access_token"]) != "at"; spoilt != spoils {
			return fmt.Sprintf("the webhook works: %t", spoilt)
		}
		return ""
	})
}

// spoilType puts an x, in base64, for the token type.
const spoilType = `[{"op":"replace","path":"/data/token_type","value":"eA=="}]`

func TestAWebhookThatUndoesEachRepairIsNotFoughtWithoutEnd(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	takeBack := spoilingWebhook(th.world, spoilType, admissionregistrationv1.SideEffectClassNone)
	th.awaitWebhook(true)
	th.api.reset()
	edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) { s.Labels["touched"] = "x" })
	token := th.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
	if got := message(token, v1alpha1.ConditionReady); !strings.Contains(got, `something keeps changing or deleting Secret "api"`) {
		t.Errorf("the message is %s", got)
	}
	th.awaitCondition("api", v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonSecretConflict)
	th.settled()
	// Four repairs, and one write that made removable what the creation wrote. The clock stands still.
	if got := th.api.counts()["PATCH secrets"]; got > 5 {
		t.Errorf("%d writes of the target, want 5 at most", got)
	}
	th.api.reset()
	for range 12 { // two minutes: pauses of 5, 10, 20, 40, 80 s
		th.lookAgain("api", 10*time.Second)
		th.settled()
	}
	if got := th.api.counts()["PATCH secrets"]; got < 3 || got > 5 {
		t.Errorf("%d writes in two minutes, want 3 to 5", got)
	}
	if got := th.events("api")[v1alpha1.EventRepairFighting]; got != 1 {
		t.Errorf("%d events RepairFighting, want 1", got)
	}
	if got := th.vendor.Count(oauthtest.Match{}); got != 1 {
		t.Errorf("%d requests, want 1: the access token is intact", got)
	}
	renewal := th.oauthToken("api").Status.RenewalTime
	th.lookAgain("api", renewal.Sub(th.time.Now())+time.Minute)
	th.eventually(func() string {
		return map[bool]string{true: "the token is not renewed"}[th.vendor.Count(oauthtest.Match{}) < 2]
	})
	th.settled()
	if token := string(th.secret("api").Data["access_token"]); !th.vendor.IsLive(token) || th.vendor.Count(oauthtest.Match{}) != 2 {
		t.Errorf("%d requests, want one renewal", th.vendor.Count(oauthtest.Match{}))
	}
	takeBack()
	th.awaitWebhook(false)
	th.lookAgain("api", 11*time.Minute)
	th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	if got := string(th.secret("api").Data["token_type"]); got != "Bearer" {
		t.Errorf("token_type is %q", got)
	}
}

func TestAWebhookThatSpoilsTheTokenCostsFewerAndFewerRequests(t *testing.T) {
	t.Parallel()
	th := idleTheater(t)
	spoilingWebhook(th.world, `[{"op":"replace","path":"/data/access_token","value":"eA=="}]`, admissionregistrationv1.SideEffectClassNone)
	th.awaitWebhook(true)
	th.create(genesys("api", "client"))
	th.eventually(func() string { return map[bool]string{false: "there is no target"}[th.exists("api")] })
	for range 12 {
		th.lookAgain("api", 10*time.Second)
		th.settled()
	}
	// The first, four at once (5 s apart at least), then after pauses of 5, 10, 20, 40 and 80 s.
	if got := th.vendor.Count(oauthtest.Match{}); got < 5 || got > 9 {
		t.Errorf("%d requests in two minutes, want 5 to 9", got)
	}
	if got := th.events("api")[v1alpha1.EventRepairFighting]; got != 1 {
		t.Errorf("%d events RepairFighting, want 1", got)
	}
	th.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
}

func TestASecondWriterIsNotFoughtWithoutEnd(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int)
	go func() { // it deletes the target whenever it sees it
		deleted := 0
		for ctx.Err() == nil {
			target := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: th.namespace, Name: "api"}}
			if th.client.Delete(ctx, target) == nil {
				deleted++
			}
		}
		ended <- deleted
	}()
	th.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonRequesting)
	for range 12 {
		th.lookAgain("api", 10*time.Second)
		th.settled()
	}
	th.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonSecretConflict)
	cancel()
	deleted := <-ended
	requests := th.vendor.Count(oauthtest.Match{})
	t.Logf("%d deletions, %d requests", deleted, requests)
	if deleted < 4 || requests > 10 {
		t.Errorf("%d deletions, %d requests in two minutes, want 10 at most", deleted, requests)
	}
	if got := th.events("api")[v1alpha1.EventRepairFighting]; got != 1 {
		t.Errorf("%d events RepairFighting, want 1", got)
	}
	th.lookAgain("api", 11*time.Minute)
	th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
}

func TestALabelThatAWebhookAddsIsLeftAlone(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	spoilingWebhook(th.world, `[{"op":"add","path":"/metadata/labels/injected","value":"x"},{"op":"add","path":"/data/token_type","value":"QmVhcmVy"}]`,
		admissionregistrationv1.SideEffectClassNone)
	th.eventually(func() string {
		trial := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Name: "trial", Namespace: th.namespace, Labels: map[string]string{"x": "y"}, Annotations: map[string]string{v1alpha1.OwnerAnnotation: "api"},
		}, Data: map[string][]byte{"access_token": nil}}
		if err := th.client.Create(context.Background(), trial, client.DryRunAll); err != nil {
			return err.Error()
		}
		return map[bool]string{true: "the webhook is not asked yet"}[trial.Labels["injected"] == ""]
	})
	if got := th.renewNow("api", "api").Labels["injected"]; got != "x" {
		t.Errorf("the label is %q", got)
	}
	th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	th.settled()
	th.api.reset()
	th.lookAgain("api", time.Minute)
	th.settled()
	if got := th.api.counts()["PATCH secrets"]; got != 0 {
		t.Errorf("%d writes of the target", got)
	}
}
