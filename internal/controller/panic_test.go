package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// broken panics at the first read.
type broken struct {
	client.Client

	fault func() any
}

func (b broken) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	panic(b.fault())
}

func TestPanicsQuoteNoSecret(t *testing.T) {
	for about, c := range map[string]struct {
		fault func() any
		want  string
	}{
		"a text":             {func() any { return "read canary" }, "a string, "},
		"an error":           {func() any { return errors.New("read canary") }, "a *errors.errorString, "},
		"an object":          {func() any { return map[string]string{"client_secret": "canary"} }, "a map[string]string, "},
		"an error of Go":     {func() any { return []string{"canary"}[len(t.Name()):] }, "slice bounds out of range"},
		"a wrong type of Go": {func() any { return any("canary").(error) }, "interface conversion"},
	} {
		t.Run(about, func(t *testing.T) {
			defer func() {
				if told := fmt.Sprint(recover()); !strings.Contains(told, c.want) || strings.Contains(told, "canary") {
					t.Errorf("the panic says %q, want %q and nothing of the value", told, c.want)
				}
			}()
			r := &Reconciler{Client: broken{fault: c.fault}}
			_, err := r.Reconcile(t.Context(), ctrl.Request{})
			t.Errorf("no panic, but %v", err)
		})
	}
}

// Nothing else would catch it, and what is saved exists nowhere else.
func TestASaveSurvivesAPanic(t *testing.T) {
	s := newShop(t, func(write int32) error {
		if write <= 3 {
			panic("read canary")
		}
		return nil
	}, someToken())
	var log strings.Builder
	ctx := ctrl.LoggerInto(t.Context(), funcr.New(func(prefix, line string) { fmt.Fprintln(&log, prefix, line) }, funcr.Options{}))
	saved, err := s.save(ctx, someToken(), nil, rotated())
	if err != nil || parseState(saved).RefreshToken.Reveal() != "rotated" || s.kept(t) != "rotated" || s.busy(someToken().UID) {
		t.Errorf("saved %v, error %v", saved, err)
	}
	if text := log.String(); strings.Count(text, "a string, ") != 3 || !strings.Contains(text, "panic_test.go") || strings.Contains(text, "canary") {
		t.Errorf("it is logged each time, without its words, where it was: %s", text)
	}
}

func TestASaveThatPanicsEndsWithItsOAuthToken(t *testing.T) {
	s := newShop(t, func(int32) error { panic("always") })
	if _, err := s.save(t.Context(), someToken(), nil, rotated()); !errors.Is(err, errGone) || s.busy(someToken().UID) {
		t.Errorf("error %v, still busy: %t", err, s.busy(someToken().UID))
	}
}
