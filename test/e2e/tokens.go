package e2e

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/harness"
)

// Token reads an OAuthToken that must be there.
func (c *Cluster) Token(namespace, name string) *v1alpha1.OAuthToken {
	c.TB.Helper()
	token := &v1alpha1.OAuthToken{}
	if err := c.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, token); err != nil {
		c.TB.Fatal(err)
	}
	return token
}

// AwaitCondition waits until a condition of an OAuthToken is true for a reason.
func (c *Cluster) AwaitCondition(namespace, name, kind, reason string) *v1alpha1.OAuthToken {
	c.TB.Helper()
	token := &v1alpha1.OAuthToken{}
	c.Await(func() string {
		if err := c.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, token); err != nil {
			return err.Error()
		}
		if !harness.Has(token, kind, reason) {
			return fmt.Sprintf("%s/%s has no condition %s for %s: %s", namespace, name, kind, reason, conditions(token))
		}
		return ""
	})
	return token
}

// AwaitToken waits until an OAuthToken is ready.
func (c *Cluster) AwaitToken(namespace, name string) *v1alpha1.OAuthToken {
	c.TB.Helper()
	return c.AwaitCondition(namespace, name, v1alpha1.ConditionReady, v1alpha1.ReasonTokenIssued)
}

// conditions are those of an OAuthToken in one line; nothing else of its status is shown, since a link in it is for one person.
func conditions(token *v1alpha1.OAuthToken) string {
	var parts []string
	for _, c := range token.Status.Conditions {
		parts = append(parts, fmt.Sprintf("%s=%s %s (%s)", c.Type, c.Status, c.Reason, c.Message))
	}
	if len(parts) == 0 {
		return "no condition at all"
	}
	return strings.Join(parts, "; ")
}

// Secret reads a Secret that must be there.
func (c *Cluster) Secret(namespace, name string) *corev1.Secret {
	c.TB.Helper()
	secret := &corev1.Secret{}
	if err := c.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, secret); err != nil {
		c.TB.Fatal(err)
	}
	return secret
}

// Renew asks for a renewal.
func (c *Cluster) Renew(namespace, name, value string) {
	c.TB.Helper()
	c.Kubectl("-n", namespace, "annotate", "oauthtoken", name, "--overwrite", v1alpha1.RenewRequestedAtAnnotation+"="+value)
}

// AwaitRenewed waits until a renewal that was asked for is done.
func (c *Cluster) AwaitRenewed(namespace, name, value string) {
	c.TB.Helper()
	c.Await(func() string {
		token := &v1alpha1.OAuthToken{}
		if err := c.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, token); err != nil {
			return err.Error()
		}
		if token.Status.LastHandledRenewRequest != value {
			return fmt.Sprintf("%s/%s was not renewed: %s", namespace, name, conditions(token))
		}
		return ""
	})
}

// AwaitLive waits until a Secret holds a token that the resource server takes, in each of the forms that applications read.
func (s *Stage) AwaitLive(namespace, name string) {
	s.TB.Helper()
	s.Await(func() string {
		data := s.Secret(namespace, name).Data
		if string(data["authorization"]) != "Bearer "+string(data["access_token"]) || string(data["token_type"]) != "Bearer" || len(data["expires_at"]) == 0 {
			return fmt.Sprintf("the keys of Secret %s/%s are not those of a token", namespace, name)
		}
		answer, err := s.Core.CoreV1().RESTClient().Post().Namespace(stageNamespace).Resource("services").Name("vendor:desk").SubResource("proxy").
			Suffix("live").Body(data["access_token"]).DoRaw(context.Background())
		if err != nil {
			return fmt.Sprintf("ask the vendor: %v", err)
		}
		if string(answer) != "live" {
			return fmt.Sprintf("the token in Secret %s/%s is not live", namespace, name)
		}
		return ""
	})
}

// ListIn lists objects of a namespace.
func (c *Cluster) ListIn(namespace string, list client.ObjectList, options ...client.ListOption) {
	c.TB.Helper()
	if err := c.List(context.Background(), list, append(options, client.InNamespace(namespace))...); err != nil {
		c.TB.Fatal(err)
	}
}
