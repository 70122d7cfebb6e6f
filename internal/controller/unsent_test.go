package controller

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

func TestWhatWasAnnouncedAndNotSentIsTakenBackByWhoAnnouncedIt(t *testing.T) {
	code := exchange{means: byCode, credential: oauth.NewSensitive("code"), attempt: &consent.Attempt{State: "state"}}
	assertion := exchange{means: byAssertion, credential: oauth.NewSensitive("assertion")}
	refresh := exchange{means: byRefresh, credential: oauth.NewSensitive("kept")}
	seed := exchange{means: bySeed, credential: oauth.NewSensitive("seed")}
	seeded := func(mark string) keepsake {
		k := keepsake{}.withSeed(seed.credential, spentHash("seed"), "bound", noon, 0)
		k.Intent = &intent{Mark: mark}
		return k
	}
	taken := consent.Record{Attempts: []consent.Attempt{{State: "state", ReceivedAt: noon}}}.Take("state", noon.Add(sendWithin))
	const back, gone = true, false
	for name, test := range map[string]struct {
		keep keepsake
		uses []use
		want bool
	}{
		"a code":                                 {keepsake{Consent: taken, TakenBy: "mine"}, []use{{code, "mine"}}, back},
		"a code that another process took":       {keepsake{Consent: taken, TakenBy: "theirs"}, []use{{code, "mine"}}, gone},
		"a code that was taken to be sent":       {keepsake{Consent: taken, TakenBy: "mine"}, nil, gone},
		"a code of an attempt that has ended":    {keepsake{Consent: taken.Settle("state", consent.Outcome{}), TakenBy: "mine"}, []use{{code, "mine"}}, gone},
		"a code that was taken before marks":     {keepsake{Consent: taken}, []use{{code, "mine"}}, gone},
		"an assertion":                           {keepsake{Spent: []string{spentHash("assertion")}, TakenBy: "mine"}, []use{{assertion, "mine"}}, back},
		"an assertion that another process took": {keepsake{Spent: []string{spentHash("assertion")}, TakenBy: "theirs"}, []use{{assertion, "mine"}}, gone},
		"an assertion that was sent before":      {keepsake{Spent: []string{spentHash("another")}, TakenBy: "mine"}, []use{{assertion, "mine"}}, gone},
		"an intent":                              {keepsake{Intent: &intent{Mark: "mine"}}, []use{{refresh, "mine"}}, back},
		"an intent of another process":           {keepsake{Intent: &intent{Mark: "theirs"}}, []use{{refresh, "mine"}}, gone},
		"an intent without a mark":               {keepsake{Intent: &intent{}}, nil, gone},
		"a seed":                                 {seeded("mine"), []use{{seed, "mine"}}, back},
		"a seed that another process announced":  {seeded("theirs"), []use{{seed, "mine"}}, gone},
	} {
		t.Run(name, func(t *testing.T) {
			k := test.keep.withoutUnsent(test.uses)
			waiting := k.Consent.Waiting()
			got := waiting != nil && waiting.Answer.Reveal() == "code" && !waiting.NotBefore.After(noon) ||
				len(k.Spent) < len(test.keep.Spent) || k.Intent == nil && test.keep.Intent != nil
			if got != test.want {
				t.Errorf("taken back: %t, want %t", got, test.want)
			}
			if strings.Contains(name, "a seed") && k.spent(spentHash("seed")) == test.want {
				t.Errorf("the seed counts as sent: %t", !test.want)
			}
			if len(test.uses) > 0 && k.TakenBy == "mine" {
				t.Error("the mark stays")
			}
		})
	}
}

// A write that failed may have landed, and so may one that was tried before it: each is known by its own mark, for as long as nothing is sent.
func TestEachUseHasItsMarkUntilSomethingIsSent(t *testing.T) {
	assertion := exchange{means: byAssertion, credential: oauth.NewSensitive("assertion")}
	code := exchange{means: byCode, credential: oauth.NewSensitive("code")}
	var u unsent
	first, second := u.begin("uid", assertion), u.begin("uid", code)
	if first == second || u.begin("other", assertion) == first {
		t.Error("two uses share a mark")
	}
	if u.begin("uid", assertion) != first || len(u.since("uid")) != 2 {
		t.Errorf("what is tried again is remembered again: %d uses", len(u.since("uid")))
	}
	u.end("uid")
	if len(u.since("uid")) != 0 || u.begin("uid", assertion) == first {
		t.Error("what was sent would be taken back")
	}
}

// writesOfState lets the next writes of the state Secret fail, of which some land all the same.
func (r *rig) writesOfState(landing ...bool) {
	funcs := asCached()
	funcs.Update = func(ctx context.Context, c client.WithWatch, object client.Object, opts ...client.UpdateOption) error {
		if object.GetName() != "api"+v1alpha1.StateSecretSuffix || len(landing) == 0 {
			return c.Update(ctx, object, opts...)
		}
		lands := landing[0]
		landing = landing[1:]
		if lands {
			if err := c.Update(ctx, object, opts...); err != nil {
				return err
			}
		}
		return apierrors.NewTimeoutError("the answer is lost", 1)
	}
	r.Client = interceptor.NewClient(r.api, funcs)
}

// Two uses are announced, of which only the first is written, and nothing is sent: the refresh token is as good as before.
func TestOfTwoUsesThatWereAnnouncedTheOneThatStandsIsTakenBack(t *testing.T) {
	const refresh, seed = 45 * time.Minute, time.Minute // when each is announced
	for name, uses := range map[string][2]struct {
		seed  string
		after time.Duration
	}{
		"a refresh and then a seed": {{"seed", refresh}, {"new", seed}},
		"a seed and then a refresh": {{"new", seed}, {"seed", refresh}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newSeedRig(t)
			r.reconcile(2)
			r.vendor.gives("second")
			r.writesOfState(true, false)
			for _, use := range uses {
				r.holds("refresh_token", use.seed)
				r.clock.Step(use.after)
				r.reconcile(1)
			}
			r.expect(1, "seed", "while nothing can be announced")
			r.holds("refresh_token", "seed")
			r.later(time.Minute)
			r.expect(2, "first", "with the refresh token")
			if k := r.stored("api"); k.RefreshToken.Reveal() != "second" || !k.Previous.Value.IsEmpty() || k.spent(spentHash("new")) {
				t.Errorf("%v is kept", texts(k))
			}
		})
	}
}

// Whoever puts fresh credentials again and again, while no announcement can be written, fills no memory.
func TestUnsentUsesAreBounded(t *testing.T) {
	var u unsent
	first, last := "", ""
	for i := range 2 * maxUnsent {
		last = u.begin("uid", exchange{means: byAssertion, credential: oauth.NewSensitive(strconv.Itoa(i))})
		first = cmp.Or(first, last)
	}
	uses := u.since("uid")
	if len(uses) != maxUnsent || uses[len(uses)-1].mark != last || uses[0].mark == first {
		t.Errorf("%d uses are remembered, the last %v", len(uses), uses[len(uses)-1].mark == last)
	}
}
