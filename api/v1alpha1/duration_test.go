package v1alpha1_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
)

func TestDurationReadsWhateverIsStored(t *testing.T) {
	for name, tt := range map[string]struct {
		text  string
		want  time.Duration
		valid bool
	}{
		"hours, minutes and seconds":        {"1h30m5s", time.Hour + 30*time.Minute + 5*time.Second, true},
		"leading zeros":                     {"00090s", 90 * time.Second, true},
		"the longest that is accepted":      {"876000h", 876000 * time.Hour, true},
		"a fraction, under an older CRD":    {"1.5h", 90 * time.Minute, true},
		"a word, under an older CRD":        {"banana", 0, false},
		"days, under an older CRD":          {"1d", 0, false},
		"no text, under an older CRD":       {"", 0, false},
		"nothing, under an older CRD":       {"0s", 0, false},
		"less than that, under an older":    {"-5m", 0, false},
		"more than Go holds, under another": {"99999999999h", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			var got *v1alpha1.Duration
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatalf("a cache would stop: %v", err)
			}
			if got.Value() != tt.want || got.Valid() != tt.valid {
				t.Errorf("got %v, valid: %v; want %v, valid: %v", got.Value(), got.Valid(), tt.want, tt.valid)
			}
			if back, err := json.Marshal(got); err != nil || string(back) != string(text) {
				t.Errorf("written back as %s (%v), want what the user wrote: %s", back, err, text)
			}
		})
	}
	var none *v1alpha1.Duration
	if none.Value() != 0 || !none.Valid() {
		t.Errorf("no duration is %v, valid: %v; want 0, true", none.Value(), none.Valid())
	}
}

func TestInvalidDurationsAreNamedByField(t *testing.T) {
	good, bad := v1alpha1.Duration("5m"), v1alpha1.Duration("banana")
	for name, tt := range map[string]struct {
		spec v1alpha1.OAuthTokenSpec
		want []string
	}{
		"none is given": {v1alpha1.OAuthTokenSpec{}, nil},
		"all are good": {v1alpha1.OAuthTokenSpec{
			Renewal:     &v1alpha1.Renewal{RenewBefore: &good, MaxTokenAge: &good, AssumedLifetime: &good, RefreshTokenLifetime: &good},
			SAML2Bearer: &v1alpha1.SAML2Bearer{Lifetime: &good},
		}, nil},
		"one is bad among others": {v1alpha1.OAuthTokenSpec{
			Renewal: &v1alpha1.Renewal{RenewBefore: &good, MaxTokenAge: &bad},
		}, []string{"spec.renewal.maxTokenAge"}},
		"all are bad": {v1alpha1.OAuthTokenSpec{
			Renewal:     &v1alpha1.Renewal{RenewBefore: &bad, MaxTokenAge: &bad, AssumedLifetime: &bad, RefreshTokenLifetime: &bad},
			SAML2Bearer: &v1alpha1.SAML2Bearer{Lifetime: &bad},
		}, []string{
			"spec.renewal.assumedLifetime", "spec.renewal.maxTokenAge", "spec.renewal.refreshTokenLifetime", "spec.renewal.renewBefore",
			"spec.saml2Bearer.lifetime",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.spec.InvalidDurations(); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
