package main

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tokensync.dev/tokensync/api/v1alpha1"
)

const firstLink, secondLink = "https://tokens.example.com/authorize/first", "https://tokens.example.com/authorize/second"

func TestHowAnOAuthTokenStands(t *testing.T) {
	granted := func(grant string) func(*v1alpha1.OAuthToken) {
		return func(o *v1alpha1.OAuthToken) { o.Status.GrantType = grant }
	}
	changed := func(o *v1alpha1.OAuthToken) { o.Generation = 3 }
	for name, test := range map[string]struct {
		token *v1alpha1.OAuthToken
		want  standing
		words string
	}{
		"one that the operator has not seen":         {&v1alpha1.OAuthToken{}, unsettled, "the operator has not looked at it yet"},
		"one whose spec has changed since":           {someToken("True", "TokenIssued", changed), unsettled, "the operator has not"},
		"one with a link":                            {someToken("False", "AuthorizationRequired", asked, linked(firstLink)), invited, ""},
		"one with a link ahead of time":              {someToken("True", "TokenIssued", asked, linked(firstLink)), invited, ""},
		"one whose link is about to be made":         {someToken("False", "AuthorizationRequired", asked), unsettled, "there is no link yet"},
		"one that is connected":                      {someToken("True", "TokenIssued"), connected, ""},
		"one whose spec is wrong":                    {someToken("False", "InvalidSpec"), impossible, "InvalidSpec: what to do"},
		"one that never needs a person":              {someToken("True", "TokenIssued", granted("Password")), impossible, "its grant Password needs nobody"},
		"one that needs a person, but no browser":    {someToken("False", "AuthorizationRequired", asked, granted("RefreshToken")), impossible, "its grant RefreshToken needs nobody"},
		"one whose credentials are not there at all": {someToken("False", "AwaitingCredentials", granted("")), impossible, "AwaitingCredentials"},
	} {
		t.Run(name, func(t *testing.T) {
			got, words := standingOf(test.token)
			if got != test.want || !strings.HasPrefix(words, test.words) {
				t.Errorf("stands %d (%q), want %d (%q)", got, words, test.want, test.words)
			}
		})
	}
}

func TestTheSummaryTellsOfARenewalThatFails(t *testing.T) {
	token := someToken("True", "TokenIssued", authorizedBy("ada"), with(v1alpha1.ConditionRenewalFailing, "InvalidClient"))
	if got, want := summary(token), "; but its renewal fails (InvalidClient: what is wrong)"; !strings.HasSuffix(got, want) {
		t.Errorf("%q does not end with %q", got, want)
	}
}

// TestWhatComesOfAnAttempt begins with a link, and a request that had failed once before.
func TestWhatComesOfAnAttempt(t *testing.T) {
	const required, unavailable = v1alpha1.ReasonAuthorizationRequired, v1alpha1.ReasonVendorUnavailable
	next := linked(secondLink)
	once, twice := failingAt(1, unavailable), failingAt(2, unavailable)
	denial := []corev1.Event{{Type: corev1.EventTypeWarning, Reason: v1alpha1.ReasonAccessDenied, Message: "note", EventTime: metav1.NowMicro()}}
	for name, test := range map[string]struct {
		token  *v1alpha1.OAuthToken
		events []corev1.Event
		want   ending
		words  string
	}{
		"nobody has used the link":                      {someToken("False", required, asked, linked(firstLink), once), nil, undecided, ""},
		"another attempt was denied meanwhile":          {someToken("False", required, asked, linked(firstLink), once), denial, undecided, ""},
		"something failed while the link is not used":   {someToken("False", required, asked, linked(firstLink), twice), nil, undecided, ""},
		"the link was used":                             {someToken("False", required, asked, next, once), nil, undecided, ""},
		"the link was used, and the next one not made":  {someToken("False", required, asked, once), nil, undecided, ""},
		"the person said no":                            {someToken("False", required, asked, next, once), denial, failed, "AccessDenied: note"},
		"the code was refused":                          {someToken("False", "InvalidClient", asked, next, failingAt(2, "InvalidClient")), nil, failed, "InvalidClient: what the vendor says"},
		"the answer to the code was lost":               {someToken("False", required, asked, next, twice), nil, failed, "VendorUnavailable: what the vendor says"},
		"the code waits for the vendor":                 {someToken("False", unavailable, next, twice), nil, undecided, ""},
		"the code waits while a token is served":        {someToken("True", "TokenIssued", asked, next, twice, with("RenewalFailing", unavailable)), nil, undecided, ""},
		"the code waits, and nobody else is asked":      {someToken("True", "TokenIssued", twice, with("RenewalFailing", unavailable)), nil, undecided, ""},
		"a person must do something else":               {someToken("False", "SecretConflict", with("Stalled", "SecretConflict")), nil, failed, "SecretConflict: what to do"},
		"something goes on by itself":                   {someToken("False", "AwaitingCredentials", with("Reconciling", "AwaitingCredentials")), nil, undecided, ""},
		"the token is there":                            {someToken("True", "TokenIssued"), nil, succeeded, ""},
		"the token is there after a denial":             {someToken("True", "TokenIssued"), denial, succeeded, ""},
		"a token was there, and a person is asked soon": {someToken("True", "TokenIssued", asked, next, once), nil, undecided, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tried := newAttempt(someToken("False", required, asked, linked(firstLink), once), &corev1.EventList{})
			if got, words := tried.look(test.token, test.events); got != test.want || words != test.words {
				t.Errorf("ends %d (%q), want %d (%q)", got, words, test.want, test.words)
			}
		})
	}
}

func TestFailuresBeforeTheLinkIsUsedAreNotTheAttempts(t *testing.T) {
	tried := newAttempt(someToken("False", "AuthorizationRequired", asked, linked(firstLink)), nil)
	for _, link := range []string{firstLink, secondLink} {
		token := someToken("False", "AuthorizationRequired", asked, linked(link), failingAt(1, v1alpha1.ReasonVendorUnavailable))
		if got, words := tried.look(token, nil); got != undecided {
			t.Errorf("with %s: ends %d (%q)", link, got, words)
		}
	}
}

func TestOnlyAWarningOfThisAttemptIsAFailure(t *testing.T) {
	began := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	event := func(kind, reason string, after time.Duration) corev1.Event {
		return corev1.Event{
			ObjectMeta: metav1.ObjectMeta{UID: types.UID(reason + after.String())}, Type: kind, Reason: reason, Message: "note",
			EventTime: metav1.NewMicroTime(began.Add(after)),
		}
	}
	earlier, denied := event("Warning", v1alpha1.ReasonAccessDenied, 0), event("Warning", v1alpha1.ReasonAccessDenied, time.Minute)
	repeated := earlier
	repeated.Series = &corev1.EventSeries{LastObservedTime: metav1.NewMicroTime(began.Add(time.Minute))}
	for name, test := range map[string]struct {
		events []corev1.Event
		want   string
	}{
		"none":                              {nil, ""},
		"one of an earlier attempt":         {[]corev1.Event{earlier}, ""},
		"a denial":                          {[]corev1.Event{earlier, denied}, "AccessDenied: note"},
		"a denial, of a clock that is late": {[]corev1.Event{event("Warning", v1alpha1.ReasonAccessDenied, -time.Hour)}, "AccessDenied: note"},
		"a denial that repeats an earlier":  {[]corev1.Event{repeated}, "AccessDenied: note"},
		"the last of several":               {[]corev1.Event{event("Warning", v1alpha1.ReasonInvalidGrant, 2*time.Minute), denied}, "InvalidGrant: note"},
		"a warning about something else":    {[]corev1.Event{event("Warning", v1alpha1.EventDiscouragedGrant, time.Minute)}, ""},
		"something good of the same reason": {[]corev1.Event{event("Normal", v1alpha1.ReasonAccessDenied, time.Minute)}, ""},
		"an outage, which is waited out":    {[]corev1.Event{event("Warning", v1alpha1.ReasonVendorUnavailable, time.Minute)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := newFailure(test.events, seenAt([]corev1.Event{earlier})); got != test.want {
				t.Errorf("the failure is %q, want %q", got, test.want)
			}
		})
	}
}
