package controller

import (
	"testing"
	"time"

	"tokensync.dev/tokensync/api/v1alpha1"
	"tokensync.dev/tokensync/internal/oauth"
)

// RFC 6749, section 5.1, only recommends expires_in. Without it a token must not count as good for ever.
func TestA4_ATokenWithoutALifetimeGetsAnAssumedOne(t *testing.T) {
	stated := v1alpha1.Duration("30m")
	for about, c := range map[string]struct {
		answered, want time.Duration
		renewal        *v1alpha1.Renewal
		vendor         time.Duration
	}{
		"what the answer says counts":        {answered: time.Minute, renewal: &v1alpha1.Renewal{AssumedLifetime: &stated}, vendor: time.Hour, want: time.Minute},
		"else what the user assumes":         {renewal: &v1alpha1.Renewal{AssumedLifetime: &stated}, vendor: 2 * time.Hour, want: 30 * time.Minute},
		"else what is known of the vendor":   {vendor: 2 * time.Hour, want: 2 * time.Hour},
		"else an hour, as most vendors give": {want: time.Hour},
	} {
		t.Run(about, func(t *testing.T) {
			seen := &observation{token: &v1alpha1.OAuthToken{Spec: v1alpha1.OAuthTokenSpec{Renewal: c.renewal}}}
			flow := &oauth.Flow{Vendor: &oauth.Vendor{Lifetimes: oauth.Lifetimes{Assumed: oauth.Duration(c.vendor)}}}
			given := answerOf(seen, &plan{flow: flow}, &oauth.Token{AccessToken: oauth.NewSensitive("a"), RequestedAt: noon, Lifetime: c.answered})
			if got := given.record.ExpiresAt.Sub(noon); got != c.want {
				t.Errorf("the token lives %s, want %s", got, c.want)
			}
			if given.lifetimeUnknown != (c.answered == 0) {
				t.Error("the user is not told that the lifetime is assumed, or told without cause")
			}
		})
	}
}
