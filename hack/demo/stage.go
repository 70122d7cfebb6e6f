package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pace is how often the API server is asked, and the live table drawn.
const pace = 100 * time.Millisecond

// stage is where the story happens: what runs, what is seen of it, and the screen.
type stage struct {
	*scene
	screen  *screen
	watcher *watcher
	tokens  widths
	secrets widths
	told    map[string]string // what was last said of an object
	keep    bool              // a person looks on, and goes on
	quiet   bool              // changes are told by the live table alone
}

func newStage(scene *scene, s *screen, keep bool) *stage {
	return &stage{scene: scene, screen: s, keep: keep, watcher: newWatcher(scene.user), told: map[string]string{}}
}

// await looks until a check has no complaint, and returns how long that took. The error says what should have happened within the time,
// and the last complaint.
func (s *stage) await(ctx context.Context, within time.Duration, what string, check func(*view) string) (time.Duration, error) {
	began, complaint := s.screen.clock.Now(), ""
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := wait.PollUntilContextCancel(bounded, pace, true, func(ctx context.Context) (bool, error) {
		v, err := s.look(ctx)
		if err != nil {
			complaint = cmp.Or(complaint, err.Error()) // at the end of the time the last view says more
			return false, nil
		}
		complaint = check(v)
		return complaint == "", s.manager.health()
	})
	switch {
	case err == nil:
		return s.screen.clock.Since(began), nil
	case errors.Is(ctx.Err(), context.Canceled):
		return 0, context.Canceled
	case ctx.Err() != nil:
		return 0, fmt.Errorf("%s: %s (%w)", what, complaint, whyEnded(ctx))
	case bounded.Err() != nil:
		return 0, fmt.Errorf("%s, within %s: %s", what, briefly(within), complaint)
	}
	return 0, err
}

// look asks the API server and shows what it says.
func (s *stage) look(ctx context.Context) (*view, error) {
	v, err := s.watcher.look(ctx)
	if err != nil {
		return nil, err
	}
	s.screen.show(s.frame(v))
	s.tell(v)
	return v, nil
}

// frame is the live table.
func (s *stage) frame(v *view) []string {
	now := s.screen.clock.Now()
	tokens, secrets := [][]cell{tokenHeader()}, [][]cell{secretHeader()}
	for _, t := range v.tokens {
		tokens = append(tokens, tokenRow(t, now))
	}
	for _, secret := range v.secrets {
		secrets = append(secrets, secretRow(secret))
	}
	lines := append([]string{""}, s.table(&s.tokens, tokens)...)
	return append(append(lines, ""), s.table(&s.secrets, secrets)...)
}

func (s *stage) table(w *widths, rows [][]cell) []string {
	const margin = "  "
	w.fit(rows...)
	lines := make([]string, 0, len(rows))
	for _, row := range rows {
		lines = append(lines, margin+w.line(row, s.screen.width()-len(margin), s.screen.paint))
	}
	return lines
}

// tell says what has changed, where there is no live table.
func (s *stage) tell(v *view) {
	if s.quiet {
		return
	}
	now := s.screen.clock.Now()
	for _, t := range v.those(func(t tokenView) bool { return t.ready.status != "" }) {
		row := tokenRow(t, now)
		s.tellOnce("OAuthToken "+t.name, s.tokens.line(row, math.MaxInt, s.screen.paint), row[1:3], row[4:])
	}
	for _, secret := range v.secrets {
		row := secretRow(secret)
		s.tellOnce("Secret "+secret.name, s.secrets.line(row, math.MaxInt, s.screen.paint), row)
	}
}

// tellOnce says a line about an object unless what counts in it is as it was when the last one was said.
func (s *stage) tellOnce(object, line string, counts ...[]cell) {
	if news := fmt.Sprint(counts); s.told[object] != news {
		s.told[object] = news
		s.screen.change(line)
	}
}

// accepted asks the vendor whether the token in the target Secret is good.
func (s *stage) accepted(ctx context.Context, tokens ...tokenView) error {
	for _, t := range tokens {
		target := secret(t.secretName)
		if err := s.user.Get(ctx, client.ObjectKeyFromObject(target), target); err != nil {
			return err
		}
		if !s.vendor.IsLive(string(target.Data["access_token"])) {
			return fmt.Errorf("the vendor does not accept the token in Secret %s", t.secretName)
		}
	}
	return nil
}

// keptFresh tells of the OAuthTokens that need nobody, or nobody any more.
func (s *stage) keptFresh(t tokenView) bool { return unattended(t) || refreshed(t) && !s.keep }

// linger lets a spectator see how things are.
func (s *stage) linger(ctx context.Context) error {
	const pause = 3 * time.Second
	end := s.screen.clock.Now().Add(pause)
	_, err := s.await(ctx, 2*pause, "the API server should answer", func(*view) string {
		if s.screen.clock.Now().Before(end) {
			return "not yet over"
		}
		return ""
	})
	return err
}

// neverLapsed tells whether every token that was Ready once has always been.
func (s *stage) neverLapsed() error {
	for name, reason := range s.watcher.lapsed {
		return fmt.Errorf("%s should have been Ready all the time, and was not once: %s", name, reason)
	}
	s.screen.done("and through all of this no OAuthToken has ever ceased to be Ready")
	return nil
}

// deleteSecret is what somebody does by mistake.
func (s *stage) deleteSecret(ctx context.Context, name string) error {
	return s.user.Delete(ctx, &corev1.Secret{ObjectMeta: secret(name).ObjectMeta})
}
