package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth/oauthtest"
	"tokensync.dev/tokensync/test/e2e/actors"
)

// secretOfAll is the client secret of the suite's own clients.
const secretOfAll = "change-me"

// Generic is a client of the generic vendor that gets tokens by its credentials.
func Generic(id string, lifetime time.Duration) oauthtest.Client {
	return oauthtest.Client{
		Vendor: oauthtest.Generic, ID: id, Secret: secretOfAll, Grants: []string{oauthtest.ClientCredentials}, Scopes: []string{"orders"}, Lifetime: lifetime,
	}
}

// Declare makes an OAuthToken for a client of the generic vendor, with the credentials, all of the client's name.
func (s *Stage) Declare(namespace, client string, change ...func(*v1alpha1.OAuthToken, *corev1.Secret)) {
	s.TB.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: client + "-client", Labels: map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleCredentials},
			Annotations: map[string]string{v1alpha1.AllowedHostsAnnotation: vendorHost},
		},
		StringData: map[string]string{"client_id": client, "client_secret": secretOfAll},
	}
	token := &v1alpha1.OAuthToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: client},
		Spec: v1alpha1.OAuthTokenSpec{
			Vendor: "generic", GrantType: v1alpha1.GrantClientCredentials, CABundle: s.Authority,
			CredentialsSecretRef: v1alpha1.SecretReference{Name: secret.Name},
			Endpoints:            &v1alpha1.Endpoints{TokenURL: v1alpha1.URL("https://" + vendorHost + "/oauth2/token")},
		},
	}
	for _, c := range change {
		c(token, secret)
	}
	s.Make(secret, token)
}

// Call starts an application that mounts a Secret and calls the resource server ten times a second.
func (s *Stage) Call(namespace, name, secret string, flags ...string) *Caller {
	s.TB.Helper()
	authority := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string]string{"ca.crt": string(s.Authority)}}
	pod := actorPod(metav1.ObjectMeta{Namespace: namespace, Name: name}, append([]string{"caller", "--url=https://" + vendorHost + "/resource"}, flags...)...)
	mount(pod, "/etc/authority", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}})
	mount(pod, "/var/run/secrets/token", corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}})
	mount(pod, "/tally", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
	s.Make(authority, pod)
	s.AwaitPod(namespace, name)
	return s.Caller(namespace, name)
}

// Caller is an application that was started before.
func (s *Stage) Caller(namespace, name string) *Caller {
	return &Caller{stage: s, namespace: namespace, name: name}
}

// Remove ends an application.
func (s *Stage) Remove(namespace, name string) {
	s.TB.Helper()
	s.Kubectl("-n", namespace, "delete", "pod/"+name, "configmap/"+name)
}

// Caller is an application in the cluster.
type Caller struct {
	stage           *Stage
	namespace, name string
}

// Tally asks the application how its calls went.
func (c *Caller) Tally() (actors.Tally, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var tally actors.Tally
	answer, err := c.stage.Core.CoreV1().Pods(c.namespace).ProxyGet("http", c.name, "8080", "", nil).DoRaw(ctx)
	if err != nil {
		return tally, err
	}
	return tally, json.Unmarshal(answer, &tally)
}

// AwaitRenewals waits until every application has been accepted with n tokens more than its first, and fails as soon as one is rejected.
func (s *Stage) AwaitRenewals(n int, within time.Duration, callers ...*Caller) {
	s.TB.Helper()
	end := time.Now().Add(within)
	for _, c := range callers {
		for {
			tally, err := c.Tally()
			if err == nil && tally.Rejected > 0 {
				s.TB.Fatalf("%s: calls were rejected: %+v", c.name, tally)
			}
			if err == nil && tally.Tokens > n {
				break
			}
			if time.Now().After(end) {
				s.TB.Fatalf("%s: not %d renewals within %s: %+v, %v", c.name, n, within, tally, err)
			}
			time.Sleep(time.Second)
		}
	}
}

// Renewals is how many renewals an application has seen.
func (s *Stage) Renewals(c *Caller) int {
	s.TB.Helper()
	return s.tally(c).Tokens - 1
}

// Accounts fails unless every call was accepted, and tells the figures.
func (s *Stage) Accounts(callers ...*Caller) {
	s.TB.Helper()
	for _, c := range callers {
		tally := s.tally(c)
		s.TB.Logf("%-10s %6d calls, %6d accepted, %d rejected, %d failed %v, %d renewals, %d read anew after a refusal",
			c.name, tally.Calls, tally.Accepted, tally.Rejected, tally.Failed, tally.Failures, tally.Tokens-1, tally.Reread)
		if tally.Rejected > 0 || tally.Accepted == 0 || tally.Accepted+tally.Failed != tally.Calls {
			s.TB.Errorf("%s: %d of %d calls were rejected: %+v", c.name, tally.Rejected, tally.Calls, tally.Rejections)
		}
	}
}

func (s *Stage) tally(c *Caller) actors.Tally {
	s.TB.Helper()
	var tally actors.Tally
	s.Await(func() string {
		var err error
		if tally, err = c.Tally(); err != nil {
			return fmt.Sprintf("ask %s: %v", c.name, err)
		}
		return ""
	})
	return tally
}
