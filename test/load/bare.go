package load

import (
	"context"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/test/fleet"
)

// sample is what the manager wrote for one OAuthToken.
type sample struct {
	target corev1.Secret
	status v1alpha1.OAuthTokenStatus
	event  eventsv1.Event
}

func take(c *fleet.Cluster, namespace string) (s sample) {
	c.TB.Helper()
	key := client.ObjectKey{Namespace: namespace, Name: fleet.Name(0)}
	token := &v1alpha1.OAuthToken{}
	var events eventsv1.EventList
	for _, err := range []error{
		c.Get(context.Background(), key, &s.target), c.Get(context.Background(), key, token),
		c.List(context.Background(), &events, client.InNamespace(namespace), client.Limit(1)),
	} {
		if err != nil {
			c.TB.Fatal(err)
		}
	}
	if len(events.Items) == 0 {
		c.TB.Fatal("no event was written")
	}
	s.status, s.event = token.Status, events.Items[0]
	return s
}

// bareWrites makes, for each of n OAuthTokens, the writes that the manager makes for it: a plain loop with as many workers, on a control
// plane of its own, that knows beforehand what to write.
func bareWrites(c *fleet.Cluster, namespace string, n int, s sample) time.Duration {
	c.TB.Helper()
	began := time.Now()
	c.Each(0, n, func(ctx context.Context, i int) error {
		target := s.target.DeepCopy()
		target.ObjectMeta = metav1.ObjectMeta{
			Namespace: namespace, Name: fleet.Name(i), Labels: target.Labels, Annotations: target.Annotations, OwnerReferences: target.OwnerReferences,
		}
		if err := c.Create(ctx, target); err != nil {
			return err
		}
		patch, err := json.Marshal(map[string]any{"status": s.status})
		if err != nil {
			return err
		}
		token := &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fleet.Name(i)}}
		if err := c.Status().Patch(ctx, token, client.RawPatch(types.MergePatchType, patch)); err != nil {
			return err
		}
		event := s.event.DeepCopy()
		event.ObjectMeta = metav1.ObjectMeta{Namespace: namespace, GenerateName: "bare-"}
		return c.Create(ctx, event)
	})
	return time.Since(began)
}
