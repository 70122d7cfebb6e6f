package main

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// linkPatience is how long the operator may take to make a link.
const linkPatience = 20 * time.Second

// awaitLink waits until the OAuthToken has a link or needs none.
func (a *authorization) awaitLink(ctx context.Context) (*v1alpha1.OAuthToken, error) {
	token, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, linkPatience)
	defer cancel()
	why := ""
	err = a.follow(waiting, nil, func(seen *v1alpha1.OAuthToken, _ []corev1.Event) (bool, error) {
		var stands standing
		token = seen
		stands, why = standingOf(token)
		if stands == impossible {
			return false, fmt.Errorf("nobody can authorize %s now: %s", a.key.Name, plain(why))
		}
		return stands != unsettled, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("nobody can authorize %s yet: %s", a.key.Name, plain(why))
	}
	return token, err
}

// find reads the OAuthToken as follow does, so that what the API server has against that is told at once.
func (a *authorization) find(ctx context.Context) (*v1alpha1.OAuthToken, error) {
	var found v1alpha1.OAuthTokenList
	err := a.client.List(ctx, &found, client.InNamespace(a.key.Namespace), a.itself())
	switch {
	case err != nil:
		return nil, err
	case len(found.Items) == 0:
		return nil, fmt.Errorf("there is no OAuthToken %s in namespace %s: `kubectl get oauthtokens -A` lists them", a.key.Name, a.key.Namespace)
	}
	return &found.Items[0], nil
}

func (a *authorization) itself() client.MatchingFields {
	return client.MatchingFields{metav1.ObjectNameField: a.key.Name}
}

// about matches events about an OAuthToken. They are read as core/v1, as everybody may who has the cluster's role `view`.
func about(token *v1alpha1.OAuthToken) client.MatchingFields {
	return client.MatchingFields{"involvedObject.uid": string(token.UID)}
}

// events are those about the OAuthToken; nil where they may not be read, for then its status has to do.
func (a *authorization) events(ctx context.Context, token *v1alpha1.OAuthToken) *corev1.EventList {
	var list corev1.EventList
	if a.client.List(ctx, &list, client.InNamespace(a.key.Namespace), about(token)) != nil {
		return nil
	}
	return &list
}

// awaitOutcome waits until it is known what came of an attempt.
func (a *authorization) awaitOutcome(ctx context.Context, token *v1alpha1.OAuthToken, tried *attempt) error {
	var events client.MatchingFields
	if tried.before != nil {
		events = about(token)
	}
	wasUsed := false
	err := a.follow(ctx, events, func(seen *v1alpha1.OAuthToken, happened []corev1.Event) (bool, error) {
		token = seen
		ends, why := tried.look(token, happened)
		if tried.used && !wasUsed && ends == undecided {
			a.say("The link was used. Waiting for the outcome.")
		}
		wasUsed = tried.used
		if ends == failed {
			return false, fmt.Errorf("%s is not connected. %s\nTo try again: kubectl tokensync authorize %s -n %s", a.key.Name, plain(why), a.key.Name, a.key.Namespace)
		}
		return ends == succeeded, nil
	})
	switch {
	case err == nil:
		a.say("%s is connected: %s.", a.key.Name, summary(token))
	case errors.Is(err, context.DeadlineExceeded) && tried.used:
		return fmt.Errorf("the link was used, but nothing came of it in time. See `kubectl describe oauthtoken %s -n %s`, and run this again", a.key.Name, a.key.Namespace)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("nobody has authorized %s in time: run this again", a.key.Name)
	case errors.Is(err, context.Canceled):
		return errors.New("the waiting has ended, and the link can be used still: its outcome is in the OAuthToken's status")
	}
	return err
}

// follow shows the OAuthToken, and the events that match, each time one of them changes, until there has been enough. It goes on where
// the API server was away.
func (a *authorization) follow(ctx context.Context, matching client.MatchingFields, look func(*v1alpha1.OAuthToken, []corev1.Event) (enough bool, err error)) error {
	here, tokens := a.watch(ctx, &v1alpha1.OAuthToken{}, &v1alpha1.OAuthTokenList{}, a.itself())
	defer tokens.Stop()
	var known cache.Indexer
	var happenings <-chan watch.Event
	if matching != nil {
		index, events := a.watch(ctx, &corev1.Event{}, &corev1.EventList{}, matching)
		defer events.Stop()
		known, happenings = index, events.ResultChan()
	}
	if len(here.ListKeys()) == 0 && ctx.Err() == nil {
		return a.deleted()
	}
	var token *v1alpha1.OAuthToken
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case change := <-tokens.ResultChan():
			if change.Type == watch.Deleted {
				return a.deleted()
			}
			token, _ = change.Object.(*v1alpha1.OAuthToken)
		case <-happenings:
		}
		if token == nil {
			continue
		}
		if enough, err := look(token, eventsIn(known)); enough || err != nil {
			return err
		}
	}
}

func (a *authorization) deleted() error {
	return fmt.Errorf("the OAuthToken %s was deleted", a.key.Name)
}

// watch lists and watches what matches in the namespace. It returns once the list is known, or the context has ended.
func (a *authorization) watch(ctx context.Context, kind client.Object, list client.ObjectList, matching client.MatchingFields) (cache.Indexer, watch.Interface) {
	options := func(raw *metav1.ListOptions) []client.ListOption {
		return []client.ListOption{&client.ListOptions{Raw: raw}, client.InNamespace(a.key.Namespace), matching}
	}
	known, reading, changes, _ := watchtools.NewIndexerInformerWatcherWithLogger(logr.Discard(), &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, raw metav1.ListOptions) (runtime.Object, error) {
			found, _ := list.DeepCopyObject().(client.ObjectList)
			return found, a.client.List(ctx, found, options(&raw)...)
		},
		WatchFuncWithContext: func(ctx context.Context, raw metav1.ListOptions) (watch.Interface, error) {
			return a.client.Watch(ctx, list, options(&raw)...)
		},
	}, kind)
	cache.WaitForCacheSync(ctx.Done(), reading.HasSynced)
	return known, changes
}

func eventsIn(known cache.Indexer) []corev1.Event {
	if known == nil {
		return nil
	}
	var events []corev1.Event
	for _, object := range known.List() {
		if event, ok := object.(*corev1.Event); ok {
			events = append(events, *event)
		}
	}
	return events
}
