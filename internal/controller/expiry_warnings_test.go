package controller

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
)

const day = 24 * time.Hour

// monthly is an OAuthToken with a refresh token and a client secret that end at a time.
func monthly(refreshEnd, secretEnd time.Time) []ending {
	o := &observation{token: someToken(), credentials: credentialsView{secret: credentialsSecret("", nil)}}
	if !secretEnd.IsZero() {
		o.credentials.secret.Annotations = map[string]string{v1alpha1.ClientSecretExpiresAtAnnotation: formatTime(secretEnd)}
	}
	return endings(o, keepsake{RefreshToken: oauth.NewSensitive("kept"), ExpiresAt: refreshEnd})
}

func TestEachWarningIsGivenOnce(t *testing.T) {
	end := noon.Add(30 * day)
	var given, told []string
	for now := noon; now.Before(end.Add(2 * day)); now = now.Add(time.Hour) {
		var warnings []notice
		warnings, given = dueWarnings(now, monthly(end, end), given)
		for _, w := range warnings {
			if !w.warning {
				t.Errorf("%s is no warning", w.reason)
			}
			lead, _, _ := strings.Cut(w.about, " the ")
			told = append(told, now.Sub(noon).String()+" "+w.reason+" "+lead)
		}
	}
	want := []string{
		"0s ClientSecretExpiring in less than 30 days",
		"552h0m0s RefreshTokenExpiring in less than 7 days", "552h0m0s ClientSecretExpiring in less than 7 days",
		"696h0m0s RefreshTokenExpiring in less than a day", "696h0m0s ClientSecretExpiring in less than a day",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestDueWarnings(t *testing.T) {
	end := noon.Add(30 * day)
	_, weekBefore := dueWarnings(end.Add(-6*day), monthly(end, time.Time{}), nil)
	for name, test := range map[string]struct {
		now   time.Time
		ends  []ending
		given []string
		want  []string // how each begins
	}{
		"nothing is told a second before":                         {end.Add(-7*day - time.Second), monthly(end, time.Time{}), nil, nil},
		"the first is told 7 days before":                         {end.Add(-7 * day), monthly(end, time.Time{}), nil, []string{"in less than 7 days"}},
		"what was told is not told again":                         {end.Add(-5 * day), monthly(end, time.Time{}), weekBefore, nil},
		"of several that are due only the last is told":           {end.Add(-time.Hour), monthly(end, time.Time{}), nil, []string{"in less than a day"}},
		"the last is told although the first was":                 {end.Add(-time.Hour), monthly(end, time.Time{}), weekBefore, []string{"in less than a day"}},
		"another end is told anew":                                {end.Add(25 * day), monthly(end.Add(30*day), time.Time{}), weekBefore, []string{"in less than 7 days"}},
		"an unknown end is never told":                            {end, monthly(time.Time{}, time.Time{}), nil, nil},
		"a client secret's end is told from 30 days before it on": {noon, monthly(time.Time{}, end), nil, []string{"in less than 30 days"}},
	} {
		t.Run(name, func(t *testing.T) {
			warnings, all := dueWarnings(test.now, test.ends, test.given)
			var got []string
			for _, w := range warnings {
				lead, _, _ := strings.Cut(w.about, " the ")
				got = append(got, lead)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if again, _ := dueWarnings(test.now, test.ends, all); len(again) > 0 {
				t.Errorf("told again: %+v", again)
			}
			if slices.ContainsFunc(all, func(id string) bool { return strings.ContainsAny(id, " \n") }) {
				t.Errorf("%q does not survive the state Secret", all)
			}
		})
	}
}

func TestARefreshTokenThatIsGoneHasNoEnd(t *testing.T) {
	ends := endings(&observation{token: someToken(), credentials: credentialsView{secret: credentialsSecret("", nil)}}, keepsake{ExpiresAt: noon})
	if warnings, _ := dueWarnings(noon, ends, nil); len(warnings) > 0 {
		t.Errorf("warned of %+v", warnings)
	}
}

func TestAWarningSaysWhatToDo(t *testing.T) {
	warnings, _ := dueWarnings(noon, monthly(noon.Add(day), noon.Add(day)), nil)
	want := []string{
		"in less than a day the refresh token ends: somebody must authorize anew, or put a new one into the credentials Secret, in time",
		`in less than a day the client secret in Secret "client" ends: make a new one at the vendor and store it there in time, with its ` +
			"tokensync.dev/client-secret-expires-at",
	}
	var got []string
	for _, w := range warnings {
		got = append(got, w.about)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An end that can't be read is told once for each thing that stands there, and keeps nothing from being done.
func TestAnEndOfAClientSecretThatCanNotBeReadIsToldOnce(t *testing.T) {
	const want = `ClientSecretExpiryUnreadable: the annotation tokensync.dev/client-secret-expires-at of Secret "client" is no time such as ` +
		"2027-05-01T00:00:00Z (RFC 3339), so that nothing warns before the client secret ends: correct it; " +
		"see https://tokensync.dev/docs/failures#clientsecretexpiryunreadable\n"
	r := newSeedRig(t, func(o *v1alpha1.OAuthToken, s *corev1.Secret) {
		o.Spec.GrantType = v1alpha1.GrantClientCredentials
		metav1.SetMetaDataAnnotation(&s.ObjectMeta, v1alpha1.ClientSecretExpiresAtAnnotation, "soon")
	})
	r.reconcile(2)
	told := func() int { return strings.Count(r.told.String(), want) }
	if told() != 1 {
		t.Fatalf("told %d times, want once; events:\n%s", told(), r.told.String())
	}
	for i := range 3 {
		r.vendor.gives(strings.Repeat("i", i+1))
		r.later(50 * time.Minute)
	}
	if got := r.vendor.asked.Load(); got != 4 || told() != 1 {
		t.Errorf("after %d requests told %d times, want 4 and once", got, told())
	}
	if got := r.token().Status.Conditions; len(got) != 1 || got[0].Reason != v1alpha1.ReasonTokenIssued {
		t.Errorf("conditions %+v", got)
	}
	for _, stands := range []string{"2027-05-01", "2027-05-01T00:00:00Z", ""} { // another that can't be read, and two that are in order
		r.changeSecret("client", func(s *corev1.Secret) {
			metav1.SetMetaDataAnnotation(&s.ObjectMeta, v1alpha1.ClientSecretExpiresAtAnnotation, stands)
		})
		r.reconcile(2)
		if told() != 2 || r.vendor.asked.Load() != 4 {
			t.Errorf("with %q told %d times after %d requests, want twice and 4", stands, told(), r.vendor.asked.Load())
		}
	}
}

// credentialsSecret is one with these values and this mapping of keys.
func credentialsSecret(mapping string, data map[string]string) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "client", Labels: map[string]string{v1alpha1.RoleLabel: v1alpha1.RoleCredentials}},
		Data:       map[string][]byte{},
	}
	if mapping != "" {
		secret.Annotations = map[string]string{v1alpha1.KeysAnnotation: mapping}
	}
	for key, value := range data {
		secret.Data[key] = []byte(value)
	}
	return secret
}
