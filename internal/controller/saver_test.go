package controller

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
)

// impatient is a clock whose pauses are over at once; it notes them.
type impatient struct {
	clock.RealClock
	pauses []time.Duration
}

func (c *impatient) After(pause time.Duration) <-chan time.Time {
	c.pauses = append(c.pauses, pause)
	over := make(chan time.Time, 1)
	over <- noon
	return over
}

// shop is a saver in front of an API server that holds some objects and lets a function refuse writes.
type shop struct {
	saver
	api   client.Client
	clock *impatient
	calls []client.ObjectKey
}

func newShop(t *testing.T, refuse func(write int32) error, objects ...client.Object) *shop {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
	var writes atomic.Int32
	failing := interceptor.NewClient(api, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if err := refuse(writes.Add(1)); err != nil {
				return err
			}
			return c.Create(ctx, o, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			if err := refuse(writes.Add(1)); err != nil {
				return err
			}
			return c.Update(ctx, o, opts...)
		},
	})
	s := &shop{api: api, clock: &impatient{}}
	s.client, s.live, s.saver.clock = failing, api, s.clock
	s.done = func(key client.ObjectKey) { s.calls = append(s.calls, key) }
	return s
}

func granted(int32) error { return nil }

// refusing refuses the first n writes.
func refusing(n int32) func(int32) error {
	return func(write int32) error {
		if write <= n {
			return apierrors.NewInternalError(errors.New("the store is away"))
		}
		return nil
	}
}

// kept is the refresh token in the state Secret; empty where there is none.
func (s *shop) kept(t *testing.T) string {
	t.Helper()
	secret, err := secretOrNil(t.Context(), s.api, stateKey(someToken()))
	if err != nil {
		t.Fatal(err)
	}
	return parseState(secret).RefreshToken.Reveal()
}

func rotated() keepsake { return keepsake{RefreshToken: oauth.NewSensitive("rotated")} }

func retaining(o *v1alpha1.OAuthToken) {
	o.Spec.Target = &v1alpha1.Target{DeletionPolicy: v1alpha1.DeletionRetain}
}

func TestASaveIsTriedUntilItSucceeds(t *testing.T) {
	s := newShop(t, refusing(7), someToken())
	saved, err := s.save(t.Context(), someToken(), nil, rotated())
	if err != nil || parseState(saved).RefreshToken.Reveal() != "rotated" || s.kept(t) != "rotated" {
		t.Fatalf("saved %v, error %v", saved, err)
	}
	want := []time.Duration{
		200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond, 3200 * time.Millisecond, 5 * time.Second, 5 * time.Second,
	}
	if diff := cmp.Diff(want, s.clock.pauses); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
	if s.busy(someToken().UID) || len(s.calls) != 0 {
		t.Error("the save is not over, or its caller was called although it waited")
	}
}

func TestWhatIsSavedReplacesWhatIsThere(t *testing.T) {
	stale := stateSecret(someToken(), nil, keepsake{RefreshToken: oauth.NewSensitive("old")})
	newer := stale.DeepCopy()
	newer.Annotations["team"] = "payments"
	for name, base := range map[string]*corev1.Secret{"a stale version": stale, "no version": nil} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, granted, someToken(), newer.DeepCopy())
			if base != nil {
				base.ResourceVersion = "1"
			}
			saved, err := s.save(t.Context(), someToken(), base, rotated())
			if err != nil || s.kept(t) != "rotated" || saved.Annotations["team"] != "payments" {
				t.Errorf("kept %q, error %v", s.kept(t), err)
			}
		})
	}
}

// A process whose save has landed, although it never learned of it, must not bring back what another one has spent meanwhile.
func TestWhatIsSavedGivesWayToWhatWasGotLater(t *testing.T) {
	old, got := oauth.NewSensitive("old"), keepsake{RefreshToken: oauth.NewSensitive("rotated"), IssuedAt: noon}
	kept := keepsake{RefreshToken: old, IssuedAt: noon.Add(-time.Hour)} // the answer held no refresh token
	for name, test := range map[string]struct {
		save  keepsake
		there keepsake
		want  string
	}{
		"one that was got later":                         {got, keepsake{RefreshToken: oauth.NewSensitive("next"), IssuedAt: noon.Add(time.Minute)}, "next"},
		"one that was got later, where none has come":    {kept, keepsake{RefreshToken: oauth.NewSensitive("next"), IssuedAt: noon}, "next"},
		"the one after it, of the same grant":            {got, keepsake{RefreshToken: oauth.NewSensitive("next"), IssuedAt: noon}, "next"},
		"the one that was sent is replaced":              {got, keepsake{RefreshToken: old, IssuedAt: noon.Add(time.Minute)}, "rotated"},
		"one that was got before is replaced":            {got, keepsake{RefreshToken: oauth.NewSensitive("other"), IssuedAt: noon.Add(-time.Minute)}, "rotated"},
		"where another process has given up, it is kept": {got, keepsake{Warnings: []string{"x"}, IssuedAt: noon.Add(time.Minute)}, "rotated"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, granted, someToken(), stateSecret(someToken(), nil, test.there))
			base := stateSecret(someToken(), nil, keepsake{RefreshToken: old})
			base.ResourceVersion = "1"
			saved, err := s.save(t.Context(), someToken(), base, test.save)
			if err != nil || s.kept(t) != test.want || parseState(saved).RefreshToken.Reveal() != test.want {
				t.Errorf("kept %q, want %q, error %v", s.kept(t), test.want, err)
			}
		})
	}
}

// A process that was stopped for long, and has sent nothing, must not bring back what another one has spent meanwhile.
func TestWhatIsSettledGivesWay(t *testing.T) {
	began := keepsake{RefreshToken: oauth.NewSensitive("old"), Intent: &intent{Deadline: noon, Credential: "hash"}}
	over := keepsake{RefreshToken: began.RefreshToken}
	for name, test := range map[string]struct {
		there  keepsake
		kept   string
		intent bool
	}{
		"to who has stored a newer refresh token":    {keepsake{RefreshToken: oauth.NewSensitive("newer")}, "newer", false},
		"to who is about to spend it":                {keepsake{RefreshToken: began.RefreshToken, Intent: &intent{Deadline: noon.Add(time.Minute), Credential: "hash"}}, "old", true},
		"to who does not know whether it was spent":  {keepsake{RefreshToken: began.RefreshToken, Intent: &intent{Credential: "hash"}}, "old", true},
		"to nobody where nobody has used it, though": {keepsake{RefreshToken: began.RefreshToken, Intent: &intent{Deadline: noon, Credential: "hash"}, Warnings: []string{"x"}}, "old", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, granted, someToken(), stateSecret(someToken(), nil, test.there))
			base := stateSecret(someToken(), nil, began)
			base.ResourceVersion = "1"
			saved, err := s.settle(t.Context(), someToken(), base, over)
			if err != nil || s.kept(t) != test.kept || (parseState(saved).Intent != nil) != test.intent {
				t.Errorf("kept %q, intent %+v, error %v", s.kept(t), parseState(saved).Intent, err)
			}
		})
	}
}

func TestNothingIsSavedForAnOAuthTokenThatIsGone(t *testing.T) {
	state := stateSecret(someToken(), nil, keepsake{RefreshToken: oauth.NewSensitive("old")})
	namesake := someToken(func(o *v1alpha1.OAuthToken) { o.UID = "another" })
	for name, test := range map[string]struct {
		token *v1alpha1.OAuthToken
		there []client.Object
		err   error
		kept  string
	}{
		"gone with its state":                                           {someToken(), nil, errGone, ""},
		"gone, and another one of its name is there":                    {someToken(), []client.Object{namesake}, errGone, ""},
		"gone, while its state stays until the garbage collector comes": {someToken(), []client.Object{state}, errGone, "old"},
		"gone, and its state is to stay":                                {someToken(retaining), []client.Object{state}, nil, "rotated"},
		"gone, and its state, which was to stay, too":                   {someToken(retaining), nil, errGone, ""},
		"there": {someToken(), []client.Object{someToken(), state}, nil, "rotated"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, refusing(1), test.there...)
			if _, err := s.save(t.Context(), test.token, nil, rotated()); !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if got := s.kept(t); got != test.kept {
				t.Errorf("kept %q, want %q", got, test.kept)
			}
		})
	}
}

func TestAForeignSecretIsNotWritten(t *testing.T) {
	foreign := &corev1.Secret{}
	foreign.Namespace, foreign.Name, foreign.Data = "default", "api-oauth-state", map[string][]byte{"theirs": []byte("x")}

	s := newShop(t, granted, someToken(), foreign.DeepCopy())
	if _, err := s.save(t.Context(), someToken(), nil, rotated()); !errors.Is(err, errForeignState) {
		t.Errorf("a token that can be asked for again: error %v, want that it can't be kept", err)
	}
	s = newShop(t, func(write int32) error {
		if write == 3 { // somebody removes it in the meantime
			_ = s.api.Delete(context.Background(), foreign.DeepCopy())
		}
		return nil
	}, someToken(), foreign.DeepCopy())
	base := stateSecret(someToken(), nil, keepsake{Intent: &intent{Credential: "hash"}})
	base.ResourceVersion = "1"
	if _, err := s.save(t.Context(), someToken(), base, rotated()); err != nil || s.kept(t) != "rotated" {
		t.Errorf("a spent refresh token's successor is lost: kept %q, error %v", s.kept(t), err)
	}
}

// What a failed request has come to is no refresh token, and nothing to wait for with somebody else's Secret in the way.
func TestWhatIsSettledDoesNotWaitForAForeignSecretToGo(t *testing.T) {
	foreign := &corev1.Secret{}
	foreign.Namespace, foreign.Name, foreign.Data = "default", "api-oauth-state", map[string][]byte{"theirs": []byte("x")}
	var s *shop
	s = newShop(t, func(write int32) error {
		if write == 3 { // or nothing would end it
			_ = s.api.Delete(context.Background(), foreign.DeepCopy())
		}
		return nil
	}, someToken(), foreign.DeepCopy())
	base := stateSecret(someToken(), nil, keepsake{RefreshToken: oauth.NewSensitive("old"), Intent: &intent{Credential: "hash"}})
	base.ResourceVersion = "1"
	if _, err := s.settle(t.Context(), someToken(), base, keepsake{RefreshToken: oauth.NewSensitive("old")}); !errors.Is(err, errForeignState) {
		t.Errorf("error %v, want that somebody else's Secret is in the way", err)
	}
}

func TestASaveOutlivesItsCaller(t *testing.T) {
	away := make(chan struct{})
	s := newShop(t, func(int32) error { <-away; return nil }, someToken())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.save(ctx, someToken(), nil, rotated()); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want the context's", err)
	}
	if !s.busy(someToken().UID) {
		t.Error("nothing is being saved any more")
	}
	close(away)
	s.Wait()
	if s.kept(t) != "rotated" || s.busy(someToken().UID) {
		t.Errorf("kept %q", s.kept(t))
	}
	if want := []client.ObjectKey{client.ObjectKeyFromObject(someToken())}; !slices.Equal(s.calls, want) {
		t.Errorf("called %v, want that the OAuthToken is looked at again", s.calls)
	}
}

func TestARequestUnderWayIsShelteredAndWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, granted)
		ctx, cancel := context.WithCancel(t.Context())
		sheltered, end := s.shelter(ctx)
		cancel()
		if sheltered.Err() != nil {
			t.Error("lost leadership ends a request under way")
		}
		if _, limited := sheltered.Deadline(); !limited {
			t.Error("a request under way may keep the process for ever")
		}
		waited := false
		go func() {
			s.Wait()
			waited = true
		}()
		synctest.Wait()
		if waited {
			t.Error("the process ends while a request is under way")
		}
		end()
		synctest.Wait()
		if !waited || sheltered.Err() == nil {
			t.Error("what was sheltered goes on after its end")
		}
	})
}
