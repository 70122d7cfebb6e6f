package main

import (
	"context"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// about matches events about an OAuthToken. They are read as core/v1, as everybody may who has the cluster's role `view`.
func about(token *v1alpha1.OAuthToken) client.MatchingFields {
	return client.MatchingFields{"involvedObject.uid": string(token.UID)}
}

// events are those about the OAuthToken; nil where they may not be read, for then its status has to do.
func (c *connection) events(ctx context.Context, token *v1alpha1.OAuthToken) *corev1.EventList {
	var list corev1.EventList
	if c.List(ctx, &list, client.InNamespace(token.Namespace), about(token)) != nil {
		return nil
	}
	return &list
}

// watch lists and watches what matches, through interruptions. It returns once the list is known, or the context has ended. What is there
// in the beginning comes as changes, too.
func (c *connection) watch(ctx context.Context, kind client.Object, list client.ObjectList, matching ...client.ListOption) (cache.Indexer, watch.Interface) {
	options := func(raw *metav1.ListOptions) []client.ListOption {
		return append([]client.ListOption{&client.ListOptions{Raw: raw}}, matching...)
	}
	known, reading, changes, _ := watchtools.NewIndexerInformerWatcherWithLogger(logr.Discard(), &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, raw metav1.ListOptions) (runtime.Object, error) {
			found, _ := list.DeepCopyObject().(client.ObjectList)
			return found, c.List(ctx, found, options(&raw)...)
		},
		WatchFuncWithContext: func(ctx context.Context, raw metav1.ListOptions) (watch.Interface, error) {
			return c.Watch(ctx, list, options(&raw)...)
		},
	}, kind)
	cache.WaitForCacheSync(ctx.Done(), reading.HasSynced)
	return known, changes
}
