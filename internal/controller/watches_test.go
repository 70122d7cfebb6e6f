package controller

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// Before and after, since nobody says in which order sources start.
func TestTheFirstLookGoesByUrgencyWheneverTheWatchHandsThemOut(t *testing.T) {
	ended := func(name string, ago time.Duration) *v1alpha1.OAuthToken {
		return &v1alpha1.OAuthToken{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name},
			Status:     v1alpha1.OAuthTokenStatus{ExpiresAt: &metav1.Time{Time: noon.Add(-ago)}},
		}
	}
	never := &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "d-never-had-one"}}
	tokens := []client.Object{ended("a-minute", time.Minute), ended("b-day", 24*time.Hour), ended("c-hour", time.Hour), never, ended("e-good", -time.Hour)}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	r := &Reconciler{Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(tokens...).Build()}

	for name, watchFirst := range map[string]bool{"the watch first": true, "the watch last": false} {
		t.Run(name, func(t *testing.T) {
			queue := priorityqueue.New[reconcile.Request](t.Name())
			defer queue.ShutDown()
			watch := func() {
				for _, token := range tokens {
					(&handler.EnqueueRequestForObject{}).Create(t.Context(), event.CreateEvent{Object: token, IsInInitialList: true}, queue)
				}
			}
			if watchFirst {
				watch()
			}
			if err := r.mostUrgentFirst(t.Context(), queue); err != nil {
				t.Fatal(err)
			}
			if !watchFirst {
				watch()
			}
			var order []string
			for range tokens {
				next, _ := queue.Get()
				order = append(order, next.Name)
			}
			if want := []string{"d-never-had-one", "b-day", "c-hour", "a-minute", "e-good"}; !slices.Equal(order, want) {
				t.Errorf("looked at in the order %v, want %v", order, want)
			}
			if queue.Len() != 0 {
				t.Errorf("%d would be looked at twice", queue.Len())
			}
		})
	}
}
