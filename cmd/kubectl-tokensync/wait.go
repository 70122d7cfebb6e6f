package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// linkPatience is how long the operator may take to make a link.
const linkPatience = 20 * time.Second

// awaitLink waits until the OAuthToken has a link or needs none.
func (a *authorization) awaitLink(ctx context.Context) (*v1alpha1.OAuthToken, error) {
	token, err := a.connection.find(ctx, a.key.Name)
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
	here, tokens := a.connection.watch(ctx, &v1alpha1.OAuthToken{}, &v1alpha1.OAuthTokenList{}, client.InNamespace(a.key.Namespace), itself(a.key.Name))
	defer tokens.Stop()
	var known cache.Indexer
	var happenings <-chan watch.Event
	if matching != nil {
		index, events := a.connection.watch(ctx, &corev1.Event{}, &corev1.EventList{}, client.InNamespace(a.key.Namespace), matching)
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
