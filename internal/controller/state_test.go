package controller

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

// texts is a keepsake as it stands in a state Secret.
func texts(k keepsake) map[string]string {
	plain := map[string]string{}
	for key, value := range k.data() {
		plain[key] = string(value)
	}
	return plain
}

// someToken is an OAuthToken named api.
func someToken(change ...func(*v1alpha1.OAuthToken)) *v1alpha1.OAuthToken {
	token := &v1alpha1.OAuthToken{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "api", UID: "0b0b", CreationTimestamp: metav1.NewTime(noon)},
		Spec:       v1alpha1.OAuthTokenSpec{Vendor: "generic", CredentialsSecretRef: v1alpha1.SecretReference{Name: "client"}},
	}
	for _, c := range change {
		c(token)
	}
	return token
}

func fullKeepsake() keepsake {
	return keepsake{
		RefreshToken: oauth.NewSensitive("refresh"), Binding: "bound",
		IssuedAt: noon, ExpiresAt: noon.Add(720 * time.Hour), Life: 720 * time.Hour,
		Previous: refreshToken{
			Value: oauth.NewSensitive("before"), Binding: "bound before",
			IssuedAt: noon.Add(-24 * time.Hour), ExpiresAt: noon.Add(time.Hour), Life: time.Hour, Intent: &intent{Credential: "hash before"},
		},
		Intent: &intent{Deadline: noon.Add(sendWithin), Credential: "hash"},
		Spent:  []string{"first", "second"}, Elsewhere: []string{"theirs"}, Twins: twins{"without", "with"}, TakenBy: "mark", Warnings: []string{"refresh-token/1/24h0m0s"},
		Consent: consent.Record{Subject: "ada", Scopes: []string{"users"}},
	}
}

func TestAKeepsakeComesBackFromItsSecret(t *testing.T) {
	for name, want := range map[string]keepsake{
		"everything":                      fullKeepsake(),
		"nothing":                         {},
		"an intent whose sending is over": {RefreshToken: oauth.NewSensitive("refresh"), Intent: &intent{Credential: "hash"}},
		"a spent seed alone":              {Spent: []string{"first"}},
		"a refresh token without an end":  {RefreshToken: oauth.NewSensitive("refresh"), IssuedAt: noon},
	} {
		t.Run(name, func(t *testing.T) {
			got := parseState(stateSecret(someToken(), nil, want))
			if diff := cmp.Diff(texts(want), texts(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !got.ExpiresAt.Equal(want.ExpiresAt) || !got.IssuedAt.Equal(want.IssuedAt) || !slices.Equal(got.Spent, want.Spent) {
				t.Errorf("want %v %v %v, got %v %v %v", want.IssuedAt, want.ExpiresAt, want.Spent, got.IssuedAt, got.ExpiresAt, got.Spent)
			}
			if diff := cmp.Diff(want.Intent, got.Intent); diff != "" {
				t.Errorf("intent (-want +got):\n%s", diff)
			}
			if got.changed(want) {
				t.Error("what was read back counts as changed")
			}
		})
	}
}

func TestAnUnreadableStateIsReadCarefully(t *testing.T) {
	state := func(pairs ...string) *corev1.Secret {
		secret := stateSecret(someToken(), nil, fullKeepsake())
		for i := 0; i+1 < len(pairs); i += 2 {
			secret.Data[pairs[i]] = []byte(pairs[i+1])
		}
		return secret
	}
	for name, test := range map[string]struct {
		secret *corev1.Secret
		holds  func(keepsake) bool
	}{
		"an intent that is no JSON is one of unknown outcome": {state(keyRefreshInProgress, "{"), func(k keepsake) bool { return k.Intent != nil }},
		"an empty intent is one of unknown outcome":           {state(keyRefreshInProgress, ""), func(k keepsake) bool { return k.Intent != nil }},
		"an end that is no time is unknown":                   {state(keyRefreshTokenExpiresAt, "soon"), func(k keepsake) bool { return k.ExpiresAt.IsZero() }},
		"a deadline of no place's time can be stored again": {
			state(keyRefreshInProgress, `{"deadline":"2026-03-01T12:00:00+24:00"}`), func(k keepsake) bool {
				return len(k.data()[keyRefreshInProgress]) > 0 && k.Intent.Deadline.Equal(noon.Add(-24*time.Hour))
			},
		},
		"an intent whose deadline could not be stored again is one of unknown outcome": {
			state(keyRefreshInProgress, `{"deadline":"9999-12-31T23:59:59-23:00"}`), func(k keepsake) bool { return k.Intent != nil && k.Intent.Deadline.IsZero() },
		},
		"a grant's time to which no life can be added is unknown": {
			state(keyRefreshTokenIssuedAt, "9999-06-01T00:00:00Z"), func(k keepsake) bool { return k.IssuedAt.IsZero() && k.RefreshToken.Reveal() == "refresh" },
		},
		"what else is there survives an unreadable intent": {
			state(keyRefreshInProgress, "\x00"), func(k keepsake) bool { return k.RefreshToken.Reveal() == "refresh" && len(k.Spent) == 2 },
		},
		"no Secret holds nothing": {nil, func(k keepsake) bool { return len(k.data()) == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			if k := parseState(test.secret); !test.holds(k) {
				t.Errorf("read as %v", texts(k))
			}
		})
	}
}

func TestTheStateSecretKeepsWhatOthersPutIntoIt(t *testing.T) {
	token := someToken()
	before := stateSecret(token, nil, fullKeepsake())
	before.ResourceVersion, before.Annotations["team"], before.Data["theirs"] = "7", "payments", []byte("x")
	after := stateSecret(token, before, keepsake{Spent: []string{"third"}})
	if diff := cmp.Diff(map[string][]byte{"theirs": []byte("x"), keySpent: []byte("third")}, after.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if after.ResourceVersion != "7" || after.Annotations["team"] != "payments" || after.Labels[v1alpha1.RoleLabel] != v1alpha1.RoleState {
		t.Errorf("metadata: %+v", after.ObjectMeta)
	}
	if _, kept := before.Data[keyRefreshToken]; !kept {
		t.Error("the Secret that was read was changed, which the cache shares")
	}
}

func TestTheStateSecretGoesWithItsOAuthTokenUnlessThatRetains(t *testing.T) {
	if secret := stateSecret(someToken(), nil, keepsake{}); !metav1.IsControlledBy(secret, someToken()) {
		t.Error("the state Secret has no owner")
	}
	retaining := someToken(func(o *v1alpha1.OAuthToken) {
		o.Spec.Target = &v1alpha1.Target{DeletionPolicy: v1alpha1.DeletionRetain}
	})
	before := stateSecret(someToken(), nil, keepsake{})
	if secret := stateSecret(retaining, before, keepsake{}); len(secret.OwnerReferences) != 0 {
		t.Error("a Secret that is to stay has an owner")
	}
}

func TestOnlyTheOperatorsSecretIsAState(t *testing.T) {
	token := someToken()
	for name, test := range map[string]struct {
		change func(*corev1.Secret)
		ours   bool
	}{
		"as the operator wrote it":             {func(*corev1.Secret) {}, true},
		"kept by Retain":                       {func(s *corev1.Secret) { s.OwnerReferences = nil }, true},
		"of an OAuthToken of this name before": {func(s *corev1.Secret) { s.OwnerReferences[0].UID = "before" }, true},
		"without labels":                       {func(s *corev1.Secret) { s.Labels = nil }, true},
		"with nothing but its owner":           {func(s *corev1.Secret) { s.Labels, s.Annotations = nil, nil }, true},
		"kept by Retain, without the role": {func(s *corev1.Secret) {
			s.OwnerReferences = nil
			delete(s.Labels, v1alpha1.RoleLabel)
		}, true},
		"kept by Retain, without labels":       {func(s *corev1.Secret) { s.OwnerReferences, s.Labels = nil, nil }, false},
		"without any mark":                     {func(s *corev1.Secret) { s.OwnerReferences, s.Labels, s.Annotations = nil, nil, nil }, false},
		"of a former one, without other marks": {func(s *corev1.Secret) { s.OwnerReferences[0].UID, s.Annotations = "before", nil }, false},
		"of another OAuthToken":                {func(s *corev1.Secret) { s.Annotations[v1alpha1.OwnerAnnotation] = "other" }, false},
		"controlled by somebody else":          {func(s *corev1.Secret) { s.OwnerReferences[0].Kind = "Certificate" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			secret := stateSecret(token, nil, keepsake{})
			test.change(secret)
			if got := isOurState(token, secret); got != test.ours {
				t.Errorf("ours: %v, want %v", got, test.ours)
			}
		})
	}
}

func TestASeedReplacesARefreshTokenOnlyOnceItProvesGood(t *testing.T) {
	old := keepsake{
		RefreshToken: oauth.NewSensitive("old"), IssuedAt: noon, ExpiresAt: noon.Add(48 * time.Hour), Life: 48 * time.Hour,
		Binding: "bound elsewhere", Warnings: []string{"given"}, Intent: &intent{Credential: "doubted"},
	}
	seeded := old.withSeed(oauth.NewSensitive("seed"), "the-hash", "bound", noon.Add(time.Hour), 720*time.Hour)
	want := map[string]string{
		keyRefreshToken: "seed", keyRefreshTokenBinding: "bound", keySpent: "the-hash",
		keyWarnings:             "given", // they name the end that they are of
		keyRefreshTokenIssuedAt: "2026-03-01T13:00:00Z", keyRefreshTokenExpiresAt: "2026-03-31T13:00:00Z",
		"previous_refresh_token": "old", "previous_refresh_token_binding": "bound elsewhere",
		"previous_refresh_token_issued_at": "2026-03-01T12:00:00Z", "previous_refresh_token_expires_at": "2026-03-03T12:00:00Z",
		"previous_refresh_token_life": "48h0m0s", "previous_refresh_in_progress": `{"credential":"doubted"}`,
	}
	if diff := cmp.Diff(want, texts(seeded)); diff != "" {
		t.Errorf("taken over (-want +got):\n%s", diff)
	}
	again := seeded.withSeed(oauth.NewSensitive("another seed"), "another-hash", "bound", noon.Add(2*time.Hour), 720*time.Hour)
	if got := again.Previous.Value.Reveal(); got != "old" {
		t.Errorf("with a second seed %q is kept, want the refresh token that has proved good", got)
	}
	untouched := parseState(stateSecret(someToken(), nil, seeded)).withoutSeed("the-hash")
	if diff := cmp.Diff(texts(old), texts(untouched)); diff != "" {
		t.Errorf("after the seed was not sent after all (-want +got):\n%s", diff)
	}
	refused := parseState(stateSecret(someToken(), nil, seeded)).withoutRefreshToken()
	if diff := cmp.Diff(texts(old.withSpent("the-hash")), texts(refused)); diff != "" {
		t.Errorf("after the seed was refused, which is not to be sent again (-want +got):\n%s", diff)
	}
}

func TestARefreshTokenBeforeASeedIsNotLostForWhatIsNotKnownOfIt(t *testing.T) {
	seed := map[string][]byte{keyRefreshToken: []byte("seed"), keyRefreshTokenBinding: []byte("bound"), keyRefreshTokenLife: []byte("1h")}
	for name, test := range map[string]struct{ previous, want map[string]string }{
		"as it was written before its binding and end were": {
			map[string]string{"previous_refresh_token": "old"}, map[string]string{keyRefreshToken: "old"},
		},
		"with an end that is no time": {
			map[string]string{"previous_refresh_token": "old", "previous_refresh_token_expires_at": "soon", "previous_refresh_token_binding": "there"},
			map[string]string{keyRefreshToken: "old", keyRefreshTokenBinding: "there"},
		},
		"what is left of one that is gone is nothing": {map[string]string{"previous_refresh_token_binding": "there"}, map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			secret := stateSecret(someToken(), nil, keepsake{})
			secret.Data = maps.Clone(seed)
			for key, value := range test.previous {
				secret.Data[key] = []byte(value)
			}
			if diff := cmp.Diff(test.want, texts(parseState(secret).withoutRefreshToken())); diff != "" {
				t.Errorf("after the seed was refused (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHashesOfSpentSeedsAreBounded(t *testing.T) {
	var k keepsake
	for i := range maxSpent + 3 {
		k = k.withSpent(fmt.Sprint("hash", i))
	}
	if len(k.Spent) != maxSpent || k.spent("hash2") || !k.spent("hash3") || !k.spent(fmt.Sprint("hash", maxSpent+2)) {
		t.Errorf("%d hashes are kept, from %s to %s", len(k.Spent), k.Spent[0], k.Spent[len(k.Spent)-1])
	}
	if again := k.withSpent("hash5"); !slices.Equal(again.Spent, k.Spent) {
		t.Error("a hash that is known was added again")
	}
	if less := k.withoutSpent("hash5"); less.spent("hash5") || !k.spent("hash5") {
		t.Error("taking a hash back must leave the keepsake that it was taken from alone")
	}
}

func TestKeepsakesShareNothing(t *testing.T) {
	k := keepsake{Spent: make([]string, 1, 8)}
	k.Spent[0] = "first"
	a, b := k.withSpent("a"), k.withSpent("b")
	if a.spent("b") || b.spent("a") {
		t.Errorf("two keepsakes made from one share memory: %v %v", a.Spent, b.Spent)
	}
}

func TestEveryKeyOfAKeepsakeIsKnown(t *testing.T) {
	if diff := cmp.Diff(slices.Sorted(slices.Values(keepsakeKeys())), slices.Sorted(maps.Keys(fullKeepsake().data()))); diff != "" {
		t.Errorf("keys that would never be removed (-known +written):\n%s", diff)
	}
}
