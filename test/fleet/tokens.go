package fleet

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// Workers is how many requests are made at once by whoever makes many: as many as a manager works on by default.
const Workers = 50

// Name is that of the ith OAuthToken.
func Name(i int) string { return fmt.Sprintf("token-%05d", i) }

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

// Declare makes the ith OAuthToken with a client of its own at the vendor.
func (c *Cluster) Declare(ctx context.Context, namespace string, v *Vendor, i int, lifetime time.Duration) error {
	name := Name(i)
	v.register(name, lifetime)
	err := c.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name + "-client",
			Labels:      map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleCredentials},
			Annotations: map[string]string{v1alpha1.AllowedHostsAnnotation: v.Host()},
		},
		StringData: map[string]string{"client_id": name, "client_secret": "secret-of-" + name},
	})
	if err != nil {
		return err
	}
	return c.Create(ctx, &v1alpha1.OAuthToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.OAuthTokenSpec{
			Vendor: "generic", GrantType: v1alpha1.GrantClientCredentials, Scopes: []v1alpha1.Scope{"orders"},
			CredentialsSecretRef: v1alpha1.SecretReference{Name: name + "-client"},
			Endpoints:            &v1alpha1.Endpoints{TokenURL: v1alpha1.URL(v.Endpoint())},
		},
	})
}

// DeclareMany makes the OAuthTokens from first up to end.
func (c *Cluster) DeclareMany(namespace string, v *Vendor, first, end int, lifetime time.Duration) {
	c.TB.Helper()
	c.Each(first, end, func(ctx context.Context, i int) error { return c.Declare(ctx, namespace, v, i, lifetime) })
}
