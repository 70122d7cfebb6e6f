package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tokensync.dev/tokensync/api/v1alpha1"
)

// someToken is an OAuthToken that the operator has looked at.
func someToken(ready metav1.ConditionStatus, reason string, change ...func(*v1alpha1.OAuthToken)) *v1alpha1.OAuthToken {
	token := &v1alpha1.OAuthToken{}
	token.Generation, token.Status.ObservedGeneration = 2, 2
	token.Status.GrantType = string(v1alpha1.GrantAuthorizationCode)
	token.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: ready, Reason: reason, Message: "what to do"}}
	for _, c := range change {
		c(token)
	}
	return token
}

func TestHowAnOAuthTokenStands(t *testing.T) {
	asked := func(o *v1alpha1.OAuthToken) {
		o.Status.Conditions = append(o.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionAuthorizationRequired, Status: metav1.ConditionTrue})
	}
	linked := func(o *v1alpha1.OAuthToken) {
		o.Status.Authorization = &v1alpha1.AuthorizationStatus{URL: "https://tokens.example.com/authorize/x"}
	}
	granted := func(grant string) func(*v1alpha1.OAuthToken) {
		return func(o *v1alpha1.OAuthToken) { o.Status.GrantType = grant }
	}
	for name, test := range map[string]struct {
		token *v1alpha1.OAuthToken
		want  standing
		words string
	}{
		"one that the operator has not seen": {&v1alpha1.OAuthToken{}, unsettled, "the operator has not looked at it yet"},
		"one whose spec has changed since": {
			someToken("True", "TokenIssued", func(o *v1alpha1.OAuthToken) { o.Generation = 3 }), unsettled, "the operator has not",
		},
		"one with a link":                            {someToken("False", "AuthorizationRequired", asked, linked), invited, ""},
		"one with a link ahead of time":              {someToken("True", "TokenIssued", asked, linked), invited, ""},
		"one whose link is about to be made":         {someToken("False", "AuthorizationRequired", asked), unsettled, "there is no link yet"},
		"one that is connected":                      {someToken("True", "TokenIssued"), connected, ""},
		"one whose spec is wrong":                    {someToken("False", "InvalidSpec"), impossible, "InvalidSpec: what to do"},
		"one that never needs a person":              {someToken("True", "TokenIssued", granted("Password")), impossible, "its grant Password needs nobody"},
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

func TestOnlyAWarningOfThisAttemptIsAFailure(t *testing.T) {
	began := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	event := func(kind, reason string, after time.Duration) eventsv1.Event {
		return eventsv1.Event{
			ObjectMeta: metav1.ObjectMeta{UID: types.UID(reason + after.String())}, Type: kind, Reason: reason, Note: "note",
			EventTime: metav1.NewMicroTime(began.Add(after)),
		}
	}
	earlier, denied := event("Warning", v1alpha1.ReasonAccessDenied, 0), event("Warning", v1alpha1.ReasonAccessDenied, time.Minute)
	repeated := earlier
	repeated.Series = &eventsv1.EventSeries{LastObservedTime: metav1.NewMicroTime(began.Add(time.Minute))}
	for name, test := range map[string]struct {
		events []eventsv1.Event
		want   string
	}{
		"none":                              {nil, ""},
		"one of an earlier attempt":         {[]eventsv1.Event{earlier}, ""},
		"a denial":                          {[]eventsv1.Event{earlier, denied}, "AccessDenied: note"},
		"a denial, of a clock that is late": {[]eventsv1.Event{event("Warning", v1alpha1.ReasonAccessDenied, -time.Hour)}, "AccessDenied: note"},
		"a denial that repeats an earlier":  {[]eventsv1.Event{repeated}, "AccessDenied: note"},
		"the last of several":               {[]eventsv1.Event{event("Warning", v1alpha1.ReasonInvalidGrant, 2*time.Minute), denied}, "InvalidGrant: note"},
		"a warning about something else":    {[]eventsv1.Event{event("Warning", v1alpha1.EventDiscouragedGrant, time.Minute)}, ""},
		"something good of the same reason": {[]eventsv1.Event{event("Normal", v1alpha1.ReasonAccessDenied, time.Minute)}, ""},
		"an outage, which is waited out":    {[]eventsv1.Event{event("Warning", v1alpha1.ReasonVendorUnavailable, time.Minute)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := newFailure(test.events, seenAt([]eventsv1.Event{earlier})); got != test.want {
				t.Errorf("the failure is %q, want %q", got, test.want)
			}
		})
	}
}

func TestTheWayToThePortal(t *testing.T) {
	for address, test := range map[string]struct {
		answers bool
		want    way
		port    string
	}{
		"https://tokens.example.com":       {true, direct, "443"},
		"http://tokens.example.com/prefix": {false, elsewhere, "80"},
		"http://localhost:8085":            {false, forwarded, "8085"},
		"http://127.0.0.2:8085":            {false, forwarded, "8085"},
		"http://[::1]:8085":                {false, forwarded, "8085"},
		"http://localhost:8086":            {true, direct, "8086"},
		"http://localhost.example.com":     {false, elsewhere, "80"},
	} {
		parsed, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := wayTo(parsed, test.answers); got != test.want || portOf(parsed) != test.port {
			t.Errorf("%s (answers: %t): way %d and port %s, want %d and %s", address, test.answers, got, portOf(parsed), test.want, test.port)
		}
	}
}

func TestThePortalsPodIsARunningOneWithThePort(t *testing.T) {
	pod := func(name string, phase corev1.PodPhase, port string) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.PodStatus{Phase: phase},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: port, ContainerPort: 8082}}}}},
		}
	}
	going := pod("going", corev1.PodRunning, "portal")
	going.DeletionTimestamp = &metav1.Time{}
	pods := []corev1.Pod{pod("pending", corev1.PodPending, "portal"), going, pod("other", corev1.PodRunning, "metrics"), pod("right", corev1.PodRunning, "portal")}
	if name, port := portalPod(pods); name != "right" || port != 8082 {
		t.Errorf("pod %q, port %d", name, port)
	}
	if name, _ := portalPod(pods[:3]); name != "" {
		t.Errorf("pod %q has no portal", name)
	}
}

func TestOnlyWebPagesAreOpened(t *testing.T) {
	for _, address := range []string{"file:///etc/passwd", "javascript:alert(1)", "https://", "-h", "\x00"} {
		if err := openInBrowser(t.Context(), address); err == nil {
			t.Errorf("%q is opened", address)
		}
	}
}
