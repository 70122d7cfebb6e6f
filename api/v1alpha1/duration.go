package v1alpha1

import (
	"maps"
	"slices"
	"time"
)

// Duration is a span of time as the user wrote it: whole hours, minutes and seconds, such as 90s, 15m or 1h30m. Every field of this
// type states its range in a rule of the API server.
//
// It is text, so that decoding it can't fail: one object that did, stored under an older CRD with looser rules, would stop the
// operator's cache for everybody. Ask Valid before Value where the difference matters.
//
// +kubebuilder:validation:MaxLength=32
type Duration string

// Value is the span, 0 where there is none or the text is no duration.
func (d *Duration) Value() time.Duration {
	if d == nil {
		return 0
	}
	span, err := time.ParseDuration(string(*d))
	if err != nil {
		return 0
	}
	return max(span, 0)
}

// Valid says whether the text is a duration above zero. No duration at all is valid: the default holds.
func (d *Duration) Valid() bool {
	return d == nil || d.Value() > 0
}

// InvalidDurations names the fields whose text is no duration. The API server lets none in; an object that was stored under an older
// CRD with looser rules may still have one, and its controller reports it instead of taking the default.
func (s *OAuthTokenSpec) InvalidDurations() []string {
	fields := map[string]*Duration{}
	if r := s.Renewal; r != nil {
		fields["spec.renewal.renewBefore"] = r.RenewBefore
		fields["spec.renewal.maxTokenAge"] = r.MaxTokenAge
		fields["spec.renewal.assumedLifetime"] = r.AssumedLifetime
		fields["spec.renewal.refreshTokenLifetime"] = r.RefreshTokenLifetime
	}
	if s.SAML2Bearer != nil {
		fields["spec.saml2Bearer.lifetime"] = s.SAML2Bearer.Lifetime
	}
	maps.DeleteFunc(fields, func(_ string, d *Duration) bool { return d.Valid() })
	return slices.Sorted(maps.Keys(fields))
}
