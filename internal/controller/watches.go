package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
)

// Indexes of the cache. Mostly an OAuthToken and its target have one name, by which they find each other: an entry for each would cost more than
// what it leads to.
const (
	indexOwner       = "owner"       // of target Secrets of another name than their OAuthToken's: its name
	indexTarget      = "target"      // of OAuthTokens with a target of another name: the target's
	indexCredentials = "credentials" // of OAuthTokens: the credentials Secret's name
	indexOnce        = "once"        // of OAuthTokens that may send a credential once: what others share who send the same (see shareOf)
	indexSpent       = "spent"       // of state Secrets: the hashes of what was spent
)

// controllerName stands in metrics and logs.
const controllerName = "oauthtoken"

// callBuffer is how many calls of the gate may wait for the work queue.
const callBuffer = 1024

const (
	// retryPause and maxRetryPause bound the time after which a reconcile is repeated that the API server has failed: tokens wait.
	retryPause    = 50 * time.Millisecond
	maxRetryPause = 15 * time.Second
	// reconcileLimit ends a reconcile that waits for something that never comes. A request under way is sheltered from it.
	reconcileLimit = 2 * time.Minute
)

// CacheOptions keeps the cache small: OAuthTokens and labelled Secrets, without managed fields, target Secrets with hashes of their data.
func CacheOptions(namespaces []string) cache.Options {
	ours, err := labels.NewRequirement(v1alpha1.RoleLabel, selection.In,
		[]string{v1alpha1.RoleCredentials, v1alpha1.RoleTarget, v1alpha1.RoleState})
	if err != nil {
		panic("a constant label selector is not valid") // can't be reached by input
	}
	options := cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}: {Label: labels.NewSelector().Add(*ours), Transform: slim},
		},
	}
	for _, namespace := range namespaces {
		if options.DefaultNamespaces == nil {
			options.DefaultNamespaces = map[string]cache.Config{}
		}
		options.DefaultNamespaces[namespace] = cache.Config{}
	}
	return options
}

// slim is the cache's transform of Secrets.
func slim(object any) (any, error) {
	secret, ok := object.(*corev1.Secret)
	if !ok {
		return object, nil
	}
	return slimmed(secret), nil
}

// slimmed is a Secret as the cache keeps it.
func slimmed(secret *corev1.Secret) *corev1.Secret {
	if secret.Labels[v1alpha1.RoleLabel] == v1alpha1.RoleTarget {
		return hashed(secret)
	}
	secret.ManagedFields = nil
	return secret
}

// SetupWithManager prepares the reconciler and registers its watches.
func (r *Reconciler) SetupWithManager(ctx context.Context, manager ctrl.Manager) error {
	r.hasher = hasher{key: r.HashKey}
	r.planner = planner{platform: r.Platform, hasher: r.hasher}
	r.called = make(chan event.TypedGenericEvent[client.ObjectKey], callBuffer)
	r.gate.call, r.aside.call = r.call, r.call
	r.saver = saver{client: r.Client, live: r.Live, clock: r.Clock, done: r.call}
	r.metrics = newMetrics()
	if err := index(ctx, manager.GetFieldIndexer(), r.Platform.Catalogue); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(manager).
		Named(controllerName).
		For(&v1alpha1.OAuthToken{}).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.affected)).
		Watches(&v1alpha1.OAuthToken{}, r.heirs()).
		WatchesRawSource(source.TypedChannel(r.called, handler.TypedEnqueueRequestsFromMapFunc(
			func(_ context.Context, key client.ObjectKey) []reconcile.Request {
				return []reconcile.Request{{NamespacedName: key}}
			}))).
		WatchesRawSource(source.Func(r.mostUrgentFirst)).
		WithOptions(controller.Options{
			LogConstructor:          loggers(manager.GetLogger()),
			MaxConcurrentReconciles: r.MaxConcurrentReconciles, ReconciliationTimeout: reconcileLimit,
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](retryPause, maxRetryPause),
		}).
		Complete(r)
}

// mostUrgentFirst has the first look at all OAuthTokens go in the order in which pods are left without a token. After an absence many may be due, and
// the gate can only choose among those that have been looked at. The watch hands them out in no order, with a priority that this one is above.
func (r *Reconciler) mostUrgentFirst(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	ordered, ok := queue.(priorityqueue.PriorityQueue[reconcile.Request])
	if !ok {
		return nil // one without priorities has what the watch gave it
	}
	var list v1alpha1.OAuthTokenList
	if err := r.Client.List(ctx, &list, client.DisableReadYourWritesConsistency, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("the cache does not list OAuthTokens: %w", err)
	}
	slices.SortStableFunc(list.Items, func(a, b v1alpha1.OAuthToken) int {
		return timeOf(a.Status.ExpiresAt).Compare(timeOf(b.Status.ExpiresAt))
	})
	for i := range list.Items {
		request := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])}
		ordered.AddWithOpts(priorityqueue.AddOpts{Priority: new(handler.LowPriority + 1)}, request)
	}
	return nil
}

// call makes an OAuthToken be reconciled. It never blocks its caller: where nobody takes calls any more, the process is ending.
func (r *Reconciler) call(key client.ObjectKey) {
	select {
	case r.called <- event.TypedGenericEvent[client.ObjectKey]{Object: key}:
	default: // the regular look finds it
	}
}

// index fills the indexes. The grant that an OAuthToken leaves to its vendor is known by the catalogue, which stays as it is while the process lives.
func index(ctx context.Context, indexer client.FieldIndexer, catalogue *oauth.Catalogue) error {
	for name, value := range map[string]func(*v1alpha1.OAuthToken) []string{
		indexTarget: func(t *v1alpha1.OAuthToken) []string {
			if targetName(t) == t.Name {
				return nil
			}
			return []string{targetName(t)}
		},
		indexCredentials: func(t *v1alpha1.OAuthToken) []string { return []string{t.Spec.CredentialsSecretRef.Name} },
		indexOnce: func(t *v1alpha1.OAuthToken) []string {
			if share := shareOf(t, catalogue); share != "" {
				return []string{share}
			}
			return nil
		},
	} {
		err := indexer.IndexField(ctx, &v1alpha1.OAuthToken{}, name, func(o client.Object) []string {
			if token, ok := o.(*v1alpha1.OAuthToken); ok {
				return value(token)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return indexSecrets(ctx, indexer)
}

func indexSecrets(ctx context.Context, indexer client.FieldIndexer) error {
	return errors.Join(
		indexer.IndexField(ctx, &corev1.Secret{}, indexOwner, func(o client.Object) []string {
			if owner := ownerOf(o); owner != "" && owner != o.GetName() {
				return []string{owner}
			}
			return nil
		}),
		indexer.IndexField(ctx, &corev1.Secret{}, indexSpent, func(o client.Object) []string {
			if secret, ok := o.(*corev1.Secret); ok && secret.Labels[v1alpha1.RoleLabel] == v1alpha1.RoleState {
				return parseSpent(secret)
			}
			return nil
		}),
	)
}

// ownerOf is the name of the OAuthToken that a target Secret says it belongs to; empty: it is none.
func ownerOf(secret client.Object) string {
	if secret.GetLabels()[v1alpha1.RoleLabel] != v1alpha1.RoleTarget {
		return ""
	}
	return secret.GetAnnotations()[v1alpha1.OwnerAnnotation]
}

// affected are the OAuthTokens that a Secret matters to.
func (r *Reconciler) affected(ctx context.Context, secret client.Object) []reconcile.Request {
	keys := map[types.NamespacedName]bool{}
	r.addNamesake(ctx, keys, client.ObjectKeyFromObject(secret))
	for _, name := range []string{indexTarget, indexCredentials} {
		r.addIndexed(ctx, keys, secret.GetNamespace(), name, secret.GetName())
	}
	if owner := secret.GetAnnotations()[v1alpha1.OwnerAnnotation]; owner != "" {
		key := types.NamespacedName{Namespace: secret.GetNamespace(), Name: owner}
		keys[key] = true
		if secret.GetLabels()[v1alpha1.RoleLabel] == v1alpha1.RoleState {
			r.addSharersOf(ctx, keys, key)
		}
	}
	requests := make([]reconcile.Request, 0, len(keys))
	for key := range keys {
		requests = append(requests, reconcile.Request{NamespacedName: key})
	}
	return requests
}

// heirs enqueues the OAuthTokens that want what another one claimed, when that is deleted or its spec changes: its Secret, of which the watch
// tells, may never have been.
func (r *Reconciler) heirs() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	wake := func(ctx context.Context, former client.Object, q queue) {
		token, ok := former.(*v1alpha1.OAuthToken)
		if !ok {
			return
		}
		keys := map[types.NamespacedName]bool{}
		r.addNamesake(ctx, keys, client.ObjectKey{Namespace: token.Namespace, Name: targetName(token)})
		r.addIndexed(ctx, keys, token.Namespace, indexTarget, targetName(token))
		r.addSharers(ctx, keys, token)
		delete(keys, client.ObjectKeyFromObject(token))
		for key := range keys {
			q.Add(reconcile.Request{NamespacedName: key})
		}
	}
	return handler.Funcs{
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			if e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() { // also where its deletion begins
				wake(ctx, e.ObjectOld, q)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { wake(ctx, e.Object, q) },
	}
}

// addNamesake adds the OAuthToken that has a Secret of its own name as its target.
func (r *Reconciler) addNamesake(ctx context.Context, keys map[types.NamespacedName]bool, key client.ObjectKey) {
	namesake := &v1alpha1.OAuthToken{}
	if err := r.Client.Get(ctx, key, namesake, client.DisableReadYourWritesConsistency, client.UnsafeDisableDeepCopy); err == nil && targetName(namesake) == key.Name {
		keys[key] = true
	}
}

// addIndexed adds the OAuthTokens that an index finds under a value.
func (r *Reconciler) addIndexed(ctx context.Context, keys map[types.NamespacedName]bool, namespace, index, value string) {
	var list v1alpha1.OAuthTokenList
	if err := r.Client.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{index: value},
		client.DisableReadYourWritesConsistency, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "the cache does not list OAuthTokens")
	}
	for i := range list.Items {
		keys[client.ObjectKeyFromObject(&list.Items[i])] = true
	}
}

// addSharers adds those that would send the same credential as an OAuthToken, which can be sent once.
func (r *Reconciler) addSharers(ctx context.Context, keys map[types.NamespacedName]bool, token *v1alpha1.OAuthToken) {
	if share := shareOf(token, r.Platform.Catalogue); share != "" {
		r.addIndexed(ctx, keys, token.Namespace, indexOnce, share)
	}
}

// addSharersOf adds the sharers of an OAuthToken whose state Secret tells that it has sent what they share: they note that, since they may outlive
// it.
func (r *Reconciler) addSharersOf(ctx context.Context, keys map[types.NamespacedName]bool, key types.NamespacedName) {
	owner := &v1alpha1.OAuthToken{}
	if err := r.Client.Get(ctx, key, owner, client.DisableReadYourWritesConsistency, client.UnsafeDisableDeepCopy); err == nil {
		r.addSharers(ctx, keys, owner)
	}
}
