package controller

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/api/v1alpha1"
)

const (
	savePause    = 200 * time.Millisecond
	maxSavePause = 5 * time.Second
	saveTimeout  = 30 * time.Second
	// shelterTimeout covers a request, with its answer, and the writes after it.
	shelterTimeout = 75 * time.Second
)

// saver writes what a vendor handed out once into state Secrets. A save runs on its own: it outlives the reconcile that began it, lost
// leadership and SIGTERM, and is tried from memory until it succeeds or its OAuthToken is gone. The process ends after Wait.
type saver struct {
	client client.Client
	live   client.Reader
	clock  clock.Clock
	done   func(client.ObjectKey) // called with the OAuthToken's key when a save ended after its caller had gone

	running sync.WaitGroup
	mu      sync.Mutex
	saving  map[types.UID]worth
}

// worth is what a save is good for.
type worth bool

const (
	precious worth = true  // it saves what exists nowhere else
	tidy     worth = false // it notes what a failed request has come to
)

// Wait returns when nothing is left to save.
func (s *saver) Wait() { s.running.Wait() }

// busy tells whether something of an OAuthToken is being saved.
func (s *saver) busy(uid types.UID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, saving := s.saving[uid]
	return saving
}

// saves is what that is worth.
func (s *saver) saves(uid types.UID) worth {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.saving[uid]
}

// shelter gives a context that neither lost leadership nor SIGTERM ends, for a request and what follows from its answer: a refresh token
// that is under way would be lost. Wait waits for its end.
func (s *saver) shelter(ctx context.Context) (sheltered context.Context, end func()) {
	sheltered, cancel := context.WithTimeout(context.WithoutCancel(ctx), shelterTimeout)
	s.running.Add(1)
	return sheltered, func() {
		cancel()
		s.running.Done()
	}
}

// Why nothing can be saved.
var (
	errGone         = errors.New("the OAuthToken is gone, and nobody could use what is saved for it")
	errForeignState = errors.New("somebody else's Secret has the state Secret's name")
)

// save writes what a vendor has handed out into the state Secret, which base is the last known version of, and returns it as written. What
// stands there by then is replaced, but for a refresh token of a later grant, or another one of the same grant: then a write of this one had landed
// although its answer was lost, this process was stopped for long, and whoever leads meanwhile has spent it. It returns early, with the context's
// error, when the context ends; the save goes on.
func (s *saver) save(ctx context.Context, token *v1alpha1.OAuthToken, base *corev1.Secret, k keepsake) (*corev1.Secret, error) {
	before := parseState(base)
	return s.write(ctx, token, base, k, precious, func(k, present keepsake) keepsake {
		known := present.RefreshToken.IsEmpty() || present.RefreshToken.Equal(before.RefreshToken) || present.RefreshToken.Equal(k.RefreshToken)
		succeeds := !before.RefreshToken.IsEmpty() && present.IssuedAt.Equal(k.IssuedAt.Truncate(time.Second)) // as state Secrets hold times
		if known || !succeeds && !present.IssuedAt.After(k.IssuedAt) {
			return replace(k, present)
		}
		present.Consent = k.Consent.Onto(present.Consent)
		return present
	})
}

// settle is save for what a request has come to that brought nothing. It gives way to whoever has used the refresh token meanwhile: their
// refresh token is the good one, and this one's is spent.
func (s *saver) settle(ctx context.Context, token *v1alpha1.OAuthToken, base *corev1.Secret, k keepsake) (*corev1.Secret, error) {
	known := parseState(base)
	return s.write(ctx, token, base, k, tidy, func(k, present keepsake) keepsake {
		if present.RefreshToken.Equal(known.RefreshToken) && present.Intent.equal(known.Intent) {
			return replace(k, present)
		}
		present.Consent = k.Consent.Onto(present.Consent)
		return present
	})
}

// replace keeps of what the state Secret holds only the attempts to authorize that the portal has noted meanwhile.
func replace(k, present keepsake) keepsake {
	k.Consent = k.Consent.Onto(present.Consent)
	return k
}

// write writes a keepsake; onto is what it becomes where the state Secret turns out to hold something else.
func (s *saver) write(
	ctx context.Context, token *v1alpha1.OAuthToken, base *corev1.Secret, k keepsake, w worth, onto func(k, present keepsake) keepsake,
) (*corev1.Secret, error) {
	s.begin(token.UID, w)
	ended, saved, err := make(chan struct{}), (*corev1.Secret)(nil), error(nil)
	s.running.Go(func() {
		saved, err = s.persist(context.WithoutCancel(ctx), token, base, k, w, onto)
		s.end(token.UID)
		close(ended)
		if ctx.Err() != nil {
			s.done(client.ObjectKeyFromObject(token))
		}
	})
	select {
	case <-ended:
		return saved, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// persist writes until it succeeds or is hopeless.
func (s *saver) persist(
	ctx context.Context, token *v1alpha1.OAuthToken, base *corev1.Secret, k keepsake, w worth, onto func(k, present keepsake) keepsake,
) (*corev1.Secret, error) {
	repeatable := base == nil // nothing was spent, or there would be an intent: the grant can be repeated
	for pause := savePause; ; pause = min(2*pause, maxSavePause) {
		secret, present, err := s.attempt(ctx, token, base, k)
		if err == nil || errors.Is(err, errGone) || (repeatable || w == tidy) && errors.Is(err, errForeignState) {
			return secret, err
		}
		if present != nil && isOurState(token, present) {
			k = onto(k, parseState(present))
		}
		base = present
		<-s.clock.After(pause)
	}
}

// errPanicked is a defect of the operator's own. What is saved would be lost with the process.
var errPanicked = errors.New("the write panicked")

// attempt writes once, and finds out after a failure what there is to be written onto: base, where that can't be read.
func (s *saver) attempt(ctx context.Context, token *v1alpha1.OAuthToken, base *corev1.Secret, k keepsake) (written, present *corev1.Secret, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			ctrl.LoggerFrom(ctx).Error(errPanicked, "what is to be saved is held in memory alone, and is tried again",
				"panic", fmt.Sprint(toldOf(fault)), "stack", string(debug.Stack()))
			written, present, err = nil, base, errPanicked
			if s.gone(ctx, token) {
				err = errGone
			}
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	if written, err = writeState(ctx, s.client, token, base, k); err == nil {
		return written, nil, nil
	}
	present, failed := secretOrNil(ctx, s.live, stateKey(token))
	switch {
	case failed != nil:
		return nil, base, err
	case (present == nil || !retains(token)) && s.gone(ctx, token):
		return nil, nil, errGone
	case present != nil && !isOurState(token, present):
		return nil, base, errForeignState
	}
	return nil, present, err
}

// gone tells whether an OAuthToken does not exist any more, so that nobody could use what is saved for it.
func (s *saver) gone(ctx context.Context, token *v1alpha1.OAuthToken) bool {
	var present v1alpha1.OAuthToken
	err := s.live.Get(ctx, client.ObjectKeyFromObject(token), &present)
	return apierrors.IsNotFound(err) || err == nil && present.UID != token.UID
}

func (s *saver) begin(uid types.UID, w worth) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saving == nil {
		s.saving = map[types.UID]worth{}
	}
	s.saving[uid] = w
}

func (s *saver) end(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.saving, uid)
}

// keepStateMarks lets the state Secret go with the OAuthToken, or stay, as the spec now says, and have the label by which it is found.
func (r *Reconciler) keepStateMarks(ctx context.Context, o *observation) error {
	if o.saving || o.state == nil || !isOurState(o.token, o.state) || owned(o.token, o.state) && isLabelledState(o.state) {
		return nil
	}
	written, err := writeState(ctx, r.Client, o.token, o.state, parseState(o.state))
	if err != nil {
		return fmt.Errorf("write owner and label of the state Secret: %w", err)
	}
	o.state = written
	return nil
}

// writeState creates the state Secret, or updates exactly the version that base is. An OAuthToken with nothing to keep gets none.
func writeState(ctx context.Context, c client.Client, token *v1alpha1.OAuthToken, base *corev1.Secret, k keepsake) (*corev1.Secret, error) {
	secret := stateSecret(token, base, k)
	if base == nil {
		return secret, withoutWords(c.Create(ctx, secret, client.FieldOwner(fieldManager)))
	}
	return secret, withoutWords(c.Update(ctx, secret, client.FieldOwner(fieldManager)))
}
