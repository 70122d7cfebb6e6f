package controller

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/declaration"
	"tokensync.dev/tokensync/internal/oauth"
)

func TestAnEndThatMovesWithEachRefreshIsTakenAsALife(t *testing.T) {
	life := 30 * time.Minute
	first := keepsake{}.granted(noon, 0).ending(noon.Add(life), life)
	if first.Life != life || !first.ExpiresAt.Equal(noon.Add(life)) {
		t.Errorf("after the first answer: life %s, end %s", first.Life, first.ExpiresAt)
	}
	later := noon.Add(20 * time.Minute)
	if moved := first.ending(later.Add(life), life); moved.Life != life || !moved.ExpiresAt.Equal(later.Add(life)) {
		t.Errorf("after a refresh that moved it: life %s, end %s", moved.Life, moved.ExpiresAt)
	}
	left := life - 20*time.Minute
	if stands := first.ending(later.Add(left+3*time.Second), left+3*time.Second); stands.Life != 0 || !stands.ExpiresAt.Equal(first.ExpiresAt) {
		t.Errorf("after a refresh that said what is left: life %s, end %s", stands.Life, stands.ExpiresAt)
	}
}

func TestAnEndThatIsStatedLaterFillsOneThatIsNotKnown(t *testing.T) {
	monthly := func(o *v1alpha1.OAuthToken) {
		o.Spec.Renewal = &v1alpha1.Renewal{RefreshTokenLifetime: new(v1alpha1.Duration("720h"))}
	}
	flow := flowOf(t, oauth.AuthorizationCode)
	kept := keepsake{RefreshToken: oauth.NewSensitive("kept"), IssuedAt: noon, Binding: binding(flow)}
	with := func(change func(*keepsake)) keepsake { k := kept; change(&k); return k }
	for name, test := range map[string]struct {
		token *v1alpha1.OAuthToken
		keep  keepsake
		want  time.Time
	}{
		"not known":                {someToken(monthly), kept, noon.Add(720 * time.Hour)},
		"known":                    {someToken(monthly), with(func(k *keepsake) { k.ExpiresAt = noon.Add(time.Hour) }), noon.Add(time.Hour)},
		"not stated":               {someToken(), kept, time.Time{}},
		"of another client":        {someToken(monthly), with(func(k *keepsake) { k.Binding = "another" }), time.Time{}},
		"since when, is not known": {someToken(monthly), with(func(k *keepsake) { k.IssuedAt = time.Time{} }), time.Time{}},
		"of none":                  {someToken(monthly), keepsake{IssuedAt: noon}, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.keep.withStatedEnd(test.token, flow).ExpiresAt; !got.Equal(test.want) {
				t.Errorf("the end is %s, want %s", got, test.want)
			}
		})
	}
}

// The first answer states an end, and the refreshes after it don't: a person is asked in time.
func TestAnEndThatIsToldOnceIsALinksReason(t *testing.T) {
	s := newConsentScene(t)
	life := 720 * time.Hour
	s.keep(func(k *keepsake) { *k = k.granted(noon, 0).ending(noon.Add(life), life) })
	p := &plan{flow: s.flow(), keep: parseState(s.seen.state), exchange: exchange{means: byRefresh}}
	if soon := consentSoon(p.keep); soon.IsZero() {
		p.keep = keepsakeAfter(s.seen, p, &oauth.Token{RefreshToken: oauth.NewSensitive("rotated"), RequestedAt: noon.Add(time.Hour)})
	}
	if soon, want := consentSoon(p.keep), noon.Add(life-consentLead); !soon.Equal(want) {
		t.Errorf("consent is asked for at %s, want %s", soon, want)
	}
}

func TestARefreshTokenThatDiesOfDisuseIsUsedBefore(t *testing.T) {
	token := &v1alpha1.OAuthToken{ObjectMeta: metav1.ObjectMeta{Name: "api", UID: "1"}}
	held := &record{IssuedAt: noon, ExpiresAt: noon.Add(24 * time.Hour)}
	if due := scheduleOf(token, keepsake{Life: time.Hour}, held).RenewalTime; !due.Before(noon.Add(time.Hour)) {
		t.Errorf("renewal at %s, after the refresh token's end", due)
	}
	if due := scheduleOf(token, keepsake{}, held).RenewalTime; due.Before(noon.Add(12 * time.Hour)) {
		t.Errorf("renewal at %s without need", due)
	}
	age := v1alpha1.Duration("30m")
	token.Spec.Renewal = &v1alpha1.Renewal{MaxTokenAge: &age}
	if got := policyOf(token, keepsake{Life: time.Hour}).MaxTokenAge; got != 30*time.Minute {
		t.Errorf("the user's shorter maxTokenAge is %s", got)
	}
}

func TestASlidingEndIsNoReasonToWarn(t *testing.T) {
	seen := &observation{token: &v1alpha1.OAuthToken{}}
	for _, c := range []struct {
		life, left time.Duration
		warned     bool
	}{
		{30 * time.Minute, 20 * time.Minute, false},     // each refresh moves it
		{60 * 24 * time.Hour, 6 * 24 * time.Hour, true}, // refreshes must have failed for long
		{0, 6 * 24 * time.Hour, true},
	} {
		keep := keepsake{RefreshToken: oauth.NewSensitive("r"), ExpiresAt: noon.Add(c.left), Life: c.life}
		if warnings, _ := dueWarnings(noon, endings(seen, keep), nil); (len(warnings) > 0) != c.warned {
			t.Errorf("life %s, %s left: %d warnings", c.life, c.left, len(warnings))
		}
	}
}

func TestAnIntentOfAClockThatWasAheadDoesNotHoldForHours(t *testing.T) {
	intended := func(deadline time.Time) keepsake { return keepsake{Intent: &intent{Deadline: deadline}} }
	if until := fence(noon, intended(noon.Add(6*time.Hour))); !until.IsZero() {
		t.Errorf("a deadline of a corrected clock holds until %s", until)
	}
	if until := fence(noon, intended(noon.Add(sendWithin))); !until.Equal(noon.Add(sendWithin + graceAfterDeadline)) {
		t.Errorf("a fresh deadline holds until %s", until)
	}
}

func TestSpentCredentialsAreKnownWithoutAKey(t *testing.T) {
	k := keepsake{}.withSpent(spentHash("seed"))
	if !k.spent(spentHash("seed")) || k.spent(spentHash("other")) {
		t.Error("a spent credential is not known again")
	}
}

func TestTheKeysAnnotationIsNotQuoted(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Name: "client", Annotations: map[string]string{v1alpha1.KeysAnnotation: "client_id=abc,client_secret=S3cr3tValue"},
	}}
	_, faults := declaration.KeyMapping(secret)
	if len(faults) != 2 {
		t.Fatalf("faults %q, want two", faults)
	}
	if text := strings.Join(faults, "; "); strings.Contains(text, "S3cr3tValue") || strings.Contains(text, "abc") {
		t.Errorf("%q quotes the annotation, where somebody put the value itself", text)
	}
}

func TestAnEndThatIsStatedLaterIsShownAndKept(t *testing.T) {
	r := newSeedRig(t)
	r.reconcile(2)
	r.changeToken(func(o *v1alpha1.OAuthToken) {
		o.Spec.Renewal = &v1alpha1.Renewal{RefreshTokenLifetime: new(v1alpha1.Duration("720h"))}
	})
	r.later(time.Minute)
	r.expect(1, "seed", "after the end was stated")
	want := noon.Add(720 * time.Hour)
	if status := r.token().Status.RefreshToken; status == nil || status.ExpiresAt == nil || !status.ExpiresAt.Time.Equal(want) || !r.stored("api").ExpiresAt.Equal(want) {
		t.Errorf("status %+v, and %v is kept; want %s", status, texts(r.stored("api")), want)
	}
}
