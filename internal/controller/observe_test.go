package controller

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// TestCredentialsThatTheCacheDoesNotShowYet applies Secret and OAuthToken at once, and lets the watch of the OAuthToken be the quicker one.
func TestCredentialsThatTheCacheDoesNotShowYet(t *testing.T) {
	for name, test := range map[string]struct {
		change                      func(*corev1.Secret)
		used, unlabelled, otherRole bool
	}{
		"labelled":           {func(*corev1.Secret) {}, true, false, false},
		"without the label":  {func(s *corev1.Secret) { s.Labels = nil }, false, true, false},
		"labelled otherwise": {func(s *corev1.Secret) { s.Labels[v1alpha1.RoleLabel] = v1alpha1.RoleTarget }, false, true, true},
		"of another name":    {func(s *corev1.Secret) { s.Name = "another" }, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := &observation{token: someToken()}
			secret := credentialsSecret("", map[string]string{"client_id": "me"})
			secret.Namespace = o.token.Namespace
			test.change(secret)
			r := &Reconciler{Client: fake.NewClientBuilder().Build(), Live: fake.NewClientBuilder().WithObjects(secret).Build()}
			if err := r.observeCredentials(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			if got := o.credentials.secret != nil; got != test.used {
				t.Errorf("the Secret is used: %t, want %t", got, test.used)
			} else if got && client.ObjectKeyFromObject(o.credentials.secret) != client.ObjectKeyFromObject(secret) {
				t.Errorf("another Secret is used: %v", o.credentials.secret)
			}
			if o.credentials.unlabelled != test.unlabelled || o.credentials.otherRole != test.otherRole {
				t.Errorf("unlabelled %t, of another role %t, want %t and %t", o.credentials.unlabelled, o.credentials.otherRole, test.unlabelled, test.otherRole)
			}
		})
	}
}
