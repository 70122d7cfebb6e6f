package controller_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
)

// theater is a world with a clock of its own and an OAuthToken named api.
type theater struct {
	*world
	time *clocktesting.FakeClock
}

// issuedTarget makes a theater in which api is Ready since some seconds, so that another request may be made.
func issuedTarget(t *testing.T, change ...func(*v1alpha1.OAuthToken)) theater {
	t.Helper()
	clock := clocktesting.NewFakeClock(time.Now().Truncate(time.Second))
	th := theater{newWorld(t, withClock(clock)), clock}
	token := genesys("api", "client")
	for _, c := range change {
		c(token)
	}
	th.create(genesysClient("client"), token)
	th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	th.settled()
	th.time.Step(10 * time.Second)
	return th
}

func targeted(change func(*v1alpha1.Target)) func(*v1alpha1.OAuthToken) {
	return func(token *v1alpha1.OAuthToken) {
		if token.Spec.Target == nil {
			token.Spec.Target = &v1alpha1.Target{}
		}
		change(token.Spec.Target)
	}
}

// renewNow asks for a renewal and waits until the target has it. It returns the target.
func (th theater) renewNow(name, secret string) *corev1.Secret {
	th.t.Helper()
	th.time.Step(10 * time.Second)
	wish := fmt.Sprint(th.time.Now().UnixNano())
	edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: name}}, func(o *v1alpha1.OAuthToken) {
		o.Annotations = map[string]string{v1alpha1.RenewRequestedAtAnnotation: wish}
	})
	var renewed *corev1.Secret
	th.eventually(func() string {
		renewed = th.secret(secret)
		if got := renewed.Annotations[v1alpha1.RenewHandledAnnotation]; got != wish {
			return "the renewal is not handled, the target says " + got
		}
		return ""
	})
	return renewed
}

// lookAgain makes an OAuthToken be reconciled, some time later by the world's clock.
func (th theater) lookAgain(name string, after time.Duration) {
	th.t.Helper()
	th.time.Step(after)
	edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: name}}, func(o *v1alpha1.OAuthToken) {
		o.Labels = map[string]string{"looked": fmt.Sprint(th.time.Now().Unix())}
	})
}

// asWritten is what the operator writes of a Secret, and what tells it from another.
func asWritten(secret *corev1.Secret) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: secret.Name, UID: secret.UID, Labels: secret.Labels, Annotations: secret.Annotations, OwnerReferences: secret.OwnerReferences,
		},
		Type: secret.Type, Data: secret.Data,
	}
}

// restored waits until a Secret is as before, and tells how long that took in real time.
func (th theater) restored(before *corev1.Secret) time.Duration {
	th.t.Helper()
	began := time.Now()
	th.eventually(func() string {
		now := &corev1.Secret{}
		err := th.client.Get(context.Background(), client.ObjectKeyFromObject(before), now)
		if apierrors.IsNotFound(err) {
			return "it is not there"
		}
		return cmp.Diff(asWritten(before), asWritten(now))
	})
	return time.Since(began)
}

// promptly is what "within 2 seconds" may take on a machine that does much else.
const promptly = 15 * time.Second

func TestAnEditedTargetIsRestoredFromWhatIsKnown(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t, targeted(func(target *v1alpha1.Target) {
		target.Template = &v1alpha1.TargetTemplate{
			Metadata: &v1alpha1.TemplateMetadata{
				Labels: map[string]v1alpha1.LabelValue{"team": "crm"}, Annotations: map[string]v1alpha1.AnnotationValue{"note": "n"},
			},
			Data: map[string]v1alpha1.TemplateSource{"header": "X: {{.AccessToken}}"},
		}
	}))
	before := th.secret("api")
	for name, disturb := range map[string]func(*corev1.Secret){
		"a key that is derived":         func(s *corev1.Secret) { s.Data["authorization"] = []byte("x") },
		"a key removed":                 func(s *corev1.Secret) { delete(s.Data, "token_type") },
		"a key of the template":         func(s *corev1.Secret) { s.Data["header"] = []byte("x") },
		"the expiry's annotation":       func(s *corev1.Secret) { s.Annotations[v1alpha1.ExpiresAtAnnotation] = "2099-01-01T00:00:00Z" },
		"an annotation removed":         func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.IssuedAtAnnotation) },
		"the request-hash removed":      func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.RequestHashAnnotation) },
		"the owner's annotation":        func(s *corev1.Secret) { delete(s.Annotations, v1alpha1.OwnerAnnotation) },
		"the role label":                func(s *corev1.Secret) { delete(s.Labels, v1alpha1.RoleLabel) },
		"the role label changed":        func(s *corev1.Secret) { s.Labels[v1alpha1.RoleLabel] = v1alpha1.RoleCredentials },
		"the owner reference":           func(s *corev1.Secret) { s.OwnerReferences = nil },
		"a label of the template":       func(s *corev1.Secret) { s.Labels["team"] = "x" },
		"an annotation of the template": func(s *corev1.Secret) { delete(s.Annotations, "note") },
		"managed-by":                    func(s *corev1.Secret) { s.Labels["app.kubernetes.io/managed-by"] = "Helm" },
		"much at once": func(s *corev1.Secret) {
			s.Data["authorization"], s.Labels, s.Annotations["note"] = nil, nil, "x"
		},
	} {
		th.time.Step(2 * time.Minute) // what was mended before has held
		edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, disturb)
		took := th.restored(before)
		t.Logf("%s: restored after %s", name, took.Round(time.Millisecond))
		if took > promptly {
			t.Errorf("%s: restored after %s", name, took)
		}
		th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	}
	th.settled()
	if got := th.vendor.Count(oauthtest.Match{}); got != 1 {
		t.Errorf("%d requests to the vendor, want none but the first", got)
	}
}

func TestARepairIsOneEventAndOneWrite(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	before := th.secret("api")
	th.api.reset()
	edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) { s.Data["token_type"] = []byte("x") })
	th.restored(before)
	th.settled()
	// The first repair makes what the creation wrote removable; that is the second patch.
	want := map[string]int{"GET secrets": 1, "PATCH secrets": 2, "POST events": 1}
	if diff := cmp.Diff(want, th.api.counts()); diff != "" {
		t.Errorf("first repair (-want +got)\n%s", diff)
	}
	if got := th.events("api")[v1alpha1.EventTargetRepaired]; got != 1 {
		t.Errorf("%d events TargetRepaired", got)
	}
	th.time.Step(2 * time.Minute)
	th.api.reset()
	edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) { s.Data["token_type"] = []byte("x") })
	th.restored(before)
	th.settled()
	if got := th.api.counts()["PATCH secrets"]; got != 1 {
		t.Errorf("%d writes for the second repair", got)
	}
}

func TestATargetWhoseTokenIsLostCostsOneRequest(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	for i, c := range []struct {
		name    string
		disturb func()
	}{
		{"deleted", func() { th.delete(th.secret("api")) }},
		{"access token changed", func() {
			edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) { s.Data["access_token"] = []byte("x") })
		}},
		{"access token removed", func() {
			edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) { delete(s.Data, "access_token") })
		}},
		{"labels and annotations removed", func() {
			edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) { s.Labels, s.Annotations = nil, nil })
		}},
		{"data-hash removed", func() {
			edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) {
				delete(s.Annotations, v1alpha1.DataHashAnnotation)
			})
		}},
	} {
		before := string(th.secret("api").Data["access_token"])
		th.time.Step(2 * time.Minute)
		began := time.Now()
		c.disturb()
		th.eventually(func() string {
			if !th.exists("api") {
				return "there is no target"
			}
			token := string(th.secret("api").Data["access_token"])
			if token == before || !th.vendor.IsLive(token) {
				return "the target holds no new token"
			}
			return ""
		})
		took := time.Since(began)
		t.Logf("%s: a new token after %s", c.name, took.Round(time.Millisecond))
		if took > promptly {
			t.Errorf("%s: a new token after %s", c.name, took)
		}
		th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
		th.settled()
		if got, want := th.vendor.Count(oauthtest.Match{}), i+2; got != want {
			t.Fatalf("%s: %d requests, want %d", c.name, got, want)
		}
	}
}

func TestATargetThatLostItsLabelIsRestoredAlsoWhereNothingMayBeRequested(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	edit(th.world, &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(o *v1alpha1.OAuthToken) { o.Spec.Suspend = true })
	th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	before := th.secret("api")
	edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) { delete(s.Labels, v1alpha1.RoleLabel) })
	th.restored(before)
	th.delete(th.secret("client"))
	th.awaitCondition("api", v1alpha1.ConditionRenewalFailing, metav1.ConditionTrue, v1alpha1.ReasonAwaitingCredentials)
	edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) { delete(s.Labels, v1alpha1.RoleLabel) })
	th.restored(before)
	if got := th.vendor.Count(oauthtest.Match{}); got != 1 {
		t.Errorf("%d requests to the vendor", got)
	}
}

func TestADeletedTargetIsNotRequestedAgainWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	th.delete(th.secret("api"))
	th.eventually(func() string { return map[bool]string{false: "there is no target"}[th.exists("api")] })
	th.settled()
	th.delete(th.secret("api")) // the clock stands still
	th.awaitReady("api", metav1.ConditionFalse, v1alpha1.ReasonRequesting)
	th.lookAgain("api", 4*time.Second)
	th.settled()
	if got := th.vendor.Count(oauthtest.Match{}); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
	th.lookAgain("api", 2*time.Second)
	th.awaitReady("api", metav1.ConditionTrue, v1alpha1.ReasonTokenIssued)
	if got := th.vendor.Count(oauthtest.Match{}); got != 3 {
		t.Errorf("%d requests, want 3", got)
	}
}

func TestARenewalThatWasHandledIsKnownAlsoWhereItsAnnotationIsRemoved(t *testing.T) {
	t.Parallel()
	th := issuedTarget(t)
	before := th.renewNow("api", "api")
	th.settled()
	th.time.Step(10 * time.Second)
	edit(th.world, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "api"}}, func(s *corev1.Secret) {
		delete(s.Annotations, v1alpha1.RenewHandledAnnotation)
	})
	th.restored(before)
	th.settled()
	if got := th.vendor.Count(oauthtest.Match{}); got != 2 {
		t.Errorf("%d requests, want 2: the first and the renewal that was asked for", got)
	}
}
