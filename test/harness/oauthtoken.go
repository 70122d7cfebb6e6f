package harness

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/portal/portaltest"
	"tokensync.dev/tokensync/test/judge"
)

// CredentialsSuffix is what the name of a credentials Secret has that its OAuthToken's has not.
const CredentialsSuffix = "-client"

// Create makes an OAuthToken for the judge's client, with its credentials; where its grant is RefreshToken, a seed is one of them. Each has an
// address of its own for the token endpoint, so that the vendor's proxy can tell them apart: the query says name=NAME.
func (w *World) Create(name string, change ...func(*v1alpha1.OAuthToken)) {
	w.TB.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.Namespace, Name: name + CredentialsSuffix, Labels: map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleCredentials},
			Annotations: map[string]string{v1alpha1.AllowedHostsAnnotation: w.Vendor.Address + "," + w.Judge.URL[len("https://"):]},
		},
		StringData: map[string]string{"client_id": judge.ClientID, "client_secret": judge.ClientSecret},
	}
	token := &v1alpha1.OAuthToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: name},
		Spec: v1alpha1.OAuthTokenSpec{
			Vendor: "generic", GrantType: v1alpha1.GrantAuthorizationCode, Scopes: []v1alpha1.Scope{"openid", "offline_access", "orders"},
			CredentialsSecretRef: v1alpha1.SecretReference{Name: secret.Name}, CABundle: w.Judge.CABundle,
			Endpoints: &v1alpha1.Endpoints{
				TokenURL: v1alpha1.URL(w.Vendor.URL() + "/token?name=" + name), AuthorizationURL: v1alpha1.URL(w.Judge.URL + "/authorize"),
			},
		},
	}
	for _, c := range change {
		c(token)
	}
	if token.Spec.GrantType == v1alpha1.GrantRefreshToken {
		secret.StringData["refresh_token"] = w.Judge.Issue(w.TB, judge.ClientID, "orders")
	}
	for _, object := range []client.Object{secret, token} {
		if err := w.Client.Create(context.Background(), object); err != nil {
			w.TB.Fatal(err)
		}
	}
}

// Token reads an OAuthToken.
func (w *World) Token(name string) *v1alpha1.OAuthToken {
	w.TB.Helper()
	token := &v1alpha1.OAuthToken{}
	if err := w.Client.Get(context.Background(), client.ObjectKey{Namespace: w.Namespace, Name: name}, token); err != nil {
		w.TB.Fatal(err)
	}
	return token
}

// Link waits for the link of an OAuthToken.
func (w *World) Link(name string) string {
	w.TB.Helper()
	link := ""
	Eventually(w.TB, func() string {
		if a := w.Token(name).Status.Authorization; a != nil {
			link = a.URL
		}
		if link == "" {
			return "no link for " + name
		}
		return ""
	})
	return link
}

// Browse lets the person follow a link to its end.
func (w *World) Browse(link string) error {
	w.TB.Helper()
	person, err := portaltest.New(w.Judge.CABundle, map[string]string{"username": judge.Person, "password": judge.Password})
	if err != nil {
		w.TB.Fatal(err)
	}
	_, err = person.Authorize(context.Background(), link)
	return err
}

// Deny lets the person follow a link and say no at the vendor.
func (w *World) Deny(link string) error {
	w.TB.Helper()
	person, err := portaltest.New(w.Judge.CABundle, map[string]string{"decision": "deny"})
	if err != nil {
		w.TB.Fatal(err)
	}
	_, err = person.Authorize(context.Background(), link)
	return err
}

// Seeded lets an OAuthToken begin with a refresh token that was obtained elsewhere.
func Seeded(token *v1alpha1.OAuthToken) {
	token.Spec.GrantType, token.Spec.Scopes, token.Spec.Endpoints.AuthorizationURL = v1alpha1.GrantRefreshToken, nil, ""
}

// Authorize lets the person go the whole way, and waits until the token is there.
func (w *World) Authorize(name string) {
	w.TB.Helper()
	if err := w.Browse(w.Link(name)); err != nil {
		w.TB.Fatalf("nobody could authorize %s: %v", name, err)
	}
	w.AwaitToken(name)
}

// AwaitToken waits until a token is there.
func (w *World) AwaitToken(name string) {
	w.TB.Helper()
	Eventually(w.TB, func() string {
		token := w.Token(name)
		if !meta.IsStatusConditionTrue(token.Status.Conditions, v1alpha1.ConditionReady) {
			return fmt.Sprintf("%s is not ready: %+v", name, token.Status.Conditions)
		}
		return ""
	})
}

// Renew asks for a renewal.
func (w *World) Renew(name, value string) {
	w.TB.Helper()
	for {
		token := w.Token(name)
		token.Annotations = map[string]string{v1alpha1.RenewRequestedAtAnnotation: value}
		err := w.Client.Update(context.Background(), token)
		if err == nil {
			return
		}
		if !apierrors.IsConflict(err) {
			w.TB.Fatal(err)
		}
	}
}

// Served is the access token in the target Secret.
func (w *World) Served(name string) string { return w.secret(name, "access_token") }

// Kept is the refresh token in the state Secret.
func (w *World) Kept(name string) string {
	return w.secret(name+v1alpha1.StateSecretSuffix, "refresh_token")
}

// Intends tells whether the state Secret says that a refresh token is being spent, or may have been.
func (w *World) Intends(name string) bool {
	return w.secret(name+v1alpha1.StateSecretSuffix, "refresh_in_progress") != ""
}

// Has tells whether a condition is True with a reason.
func Has(token *v1alpha1.OAuthToken, kind, reason string) bool {
	c := meta.FindStatusCondition(token.Status.Conditions, kind)
	return c != nil && c.Status == metav1.ConditionTrue && c.Reason == reason
}

func (w *World) secret(name, key string) string {
	w.TB.Helper()
	secret := &corev1.Secret{}
	err := w.Client.Get(context.Background(), client.ObjectKey{Namespace: w.Namespace, Name: name}, secret)
	if client.IgnoreNotFound(err) != nil {
		w.TB.Fatal(err)
	}
	return string(secret.Data[key])
}
