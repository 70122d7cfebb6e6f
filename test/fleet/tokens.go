package fleet

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// Workers is how many requests are made at once by whoever makes many: as many as a manager works on by default.
const Workers = 50

// Name is that of the ith OAuthToken of a namespace.
func Name(i int) string { return fmt.Sprintf("token-%05d", i) }

// ID is by what an OAuthToken is known in all books: also its client_id.
func ID(namespace, name string) string { return namespace + "." + name }

// Each does something for each number from first up to end, so many at once.
func (c *Cluster) Each(first, end int, do func(ctx context.Context, i int) error) {
	c.TB.Helper()
	numbers := make(chan int)
	var group sync.WaitGroup
	var once sync.Once
	var failure error
	for range Workers {
		group.Go(func() {
			for i := range numbers {
				if err := do(context.Background(), i); err != nil {
					once.Do(func() { failure = err })
				}
			}
		})
	}
	for i := first; i < end; i++ {
		numbers <- i
	}
	close(numbers)
	group.Wait()
	if failure != nil {
		c.TB.Fatal(failure)
	}
}

// Declare makes the ith OAuthToken, with a client of its own at the vendor.
func (c *Cluster) Declare(ctx context.Context, namespace string, v *Vendor, i int, lifetime time.Duration) error {
	return c.declare(ctx, namespace, v, i, lifetime, func(*v1alpha1.OAuthToken) {})
}

// DeclareSeeded is Declare for one that begins with a refresh token obtained elsewhere, of which each can be used once.
func (c *Cluster) DeclareSeeded(ctx context.Context, namespace string, v *Vendor, i int, lifetime time.Duration) error {
	return c.declare(ctx, namespace, v, i, lifetime, func(o *v1alpha1.OAuthToken) { o.Spec.GrantType, o.Spec.Scopes = v1alpha1.GrantRefreshToken, nil })
}

// DeclareApart is Declare for one with a token endpoint of its own: a pause that the vendor asks it for holds for no other.
func (c *Cluster) DeclareApart(ctx context.Context, namespace string, v *Vendor, i int, lifetime time.Duration) error {
	return c.declare(ctx, namespace, v, i, lifetime, func(o *v1alpha1.OAuthToken) { o.Spec.Endpoints.TokenURL += v1alpha1.URL("?name=" + o.Name) })
}

func (c *Cluster) declare(ctx context.Context, namespace string, v *Vendor, i int, lifetime time.Duration, change func(*v1alpha1.OAuthToken)) error {
	name := Name(i)
	id := ID(namespace, name)
	token := &v1alpha1.OAuthToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.OAuthTokenSpec{
			Vendor: "generic", GrantType: v1alpha1.GrantClientCredentials, Scopes: []v1alpha1.Scope{"orders"},
			CredentialsSecretRef: v1alpha1.SecretReference{Name: name + "-client"},
			Endpoints:            &v1alpha1.Endpoints{TokenURL: v1alpha1.URL(v.Endpoint())},
		},
	}
	change(token)
	credentials := map[string]string{"client_id": id, "client_secret": "secret-of-" + id}
	if seed := v.register(id, lifetime, token.Spec.GrantType == v1alpha1.GrantRefreshToken); seed != "" {
		credentials["refresh_token"] = seed
	}
	err := c.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name + "-client",
			Labels:      map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleCredentials},
			Annotations: map[string]string{v1alpha1.AllowedHostsAnnotation: v.Host()},
		},
		StringData: credentials,
	})
	if err != nil {
		return err
	}
	return c.Create(ctx, token)
}

// DeclareMany makes the OAuthTokens from first up to end.
func (c *Cluster) DeclareMany(namespace string, v *Vendor, first, end int, lifetime time.Duration) {
	c.TB.Helper()
	c.Each(first, end, func(ctx context.Context, i int) error { return c.Declare(ctx, namespace, v, i, lifetime) })
}

// RemoveMany removes the OAuthTokens from first up to end with their clients and targets, as garbage collection does.
func (c *Cluster) RemoveMany(namespace string, first, end int) {
	c.TB.Helper()
	c.Each(first, end, func(ctx context.Context, i int) error {
		name := Name(i)
		for _, object := range []client.Object{
			&v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}},
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + "-client"}},
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}},
		} {
			if err := c.Delete(ctx, object); err != nil {
				return err
			}
		}
		return nil
	})
}

// Due is when the tokens of a namespace are to be renewed, by ID.
func (c *Cluster) Due(namespace string) map[string]time.Time {
	c.TB.Helper()
	var list v1alpha1.OAuthTokenList
	if err := c.List(context.Background(), &list, client.InNamespace(namespace)); err != nil {
		c.TB.Fatal(err)
	}
	due := map[string]time.Time{}
	for i := range list.Items {
		if at := list.Items[i].Status.RenewalTime; at != nil {
			due[ID(namespace, list.Items[i].Name)] = at.Time
		}
	}
	return due
}
