package controller

import (
	"testing"

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
		last use
		want bool
	}{
		"a code":                                 {keepsake{Consent: taken, TakenBy: "mine"}, use{code, "mine"}, back},
		"a code that another process took":       {keepsake{Consent: taken, TakenBy: "theirs"}, use{code, "mine"}, gone},
		"a code that was taken to be sent":       {keepsake{Consent: taken, TakenBy: "mine"}, use{}, gone},
		"a code of an attempt that has ended":    {keepsake{Consent: taken.Settle("state", consent.Outcome{}), TakenBy: "mine"}, use{code, "mine"}, gone},
		"a code that was taken before marks":     {keepsake{Consent: taken}, use{code, "mine"}, gone},
		"an assertion":                           {keepsake{Spent: []string{spentHash("assertion")}, TakenBy: "mine"}, use{assertion, "mine"}, back},
		"an assertion that another process took": {keepsake{Spent: []string{spentHash("assertion")}, TakenBy: "theirs"}, use{assertion, "mine"}, gone},
		"an assertion that was sent before":      {keepsake{Spent: []string{spentHash("another")}, TakenBy: "mine"}, use{assertion, "mine"}, gone},
		"an intent":                              {keepsake{Intent: &intent{Mark: "mine"}}, use{refresh, "mine"}, back},
		"an intent of another process":           {keepsake{Intent: &intent{Mark: "theirs"}}, use{refresh, "mine"}, gone},
		"an intent without a mark":               {keepsake{Intent: &intent{}}, use{}, gone},
		"a seed":                                 {seeded("mine"), use{seed, "mine"}, back},
		"a seed that another process announced":  {seeded("theirs"), use{seed, "mine"}, gone},
	} {
		t.Run(name, func(t *testing.T) {
			k := test.keep.withoutUnsent(test.last)
			waiting := k.Consent.Waiting()
			got := waiting != nil && waiting.Answer.Reveal() == "code" && !waiting.NotBefore.After(noon) ||
				len(k.Spent) < len(test.keep.Spent) || k.Intent == nil && test.keep.Intent != nil
			if got != test.want {
				t.Errorf("taken back: %t, want %t", got, test.want)
			}
			if test.last.means == bySeed && k.spent(spentHash("seed")) == test.want {
				t.Errorf("the seed counts as sent: %t", !test.want)
			}
			if test.last.mark != "" && k.TakenBy == test.last.mark {
				t.Error("the mark stays")
			}
		})
	}
}

func TestOneMarkServesUntilSomethingIsSent(t *testing.T) {
	var u unsent
	first := u.begin("uid", exchange{means: byAssertion})
	if again := u.begin("uid", exchange{means: byCode}); again != first || u.last("uid").means != byCode {
		t.Error("a write that may stand would not be known again, or the use is not the last one")
	}
	if u.begin("other", exchange{}) == first {
		t.Error("two OAuthTokens share a mark")
	}
	u.end("uid")
	if u.last("uid").mark != "" || u.begin("uid", exchange{}) == first {
		t.Error("what was sent would be taken back")
	}
}
