package v1alpha1

// Renewal says when a token is renewed.
//
// +kubebuilder:validation:XValidation:rule="!has(self.renewBefore) || !has(self.renewBeforePercentage)",message="renewBefore and renewBeforePercentage exclude each other: keep one"
type Renewal struct {
	// renewBefore is how long before its end a token is renewed, from 1s to 876000h. More than half of the token's life counts as
	// half of it, and an event says so. Default: a third of its life, or 180 seconds if that is more, but at most half. Example: 10m
	// +optional
	// +kubebuilder:validation:XValidation:rule="self != '' && self.matches('^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$') && duration(self) >= duration('1s') && duration(self) <= duration('876000h')",message="must be from 1s to 876000h, in whole hours, minutes and seconds, such as 90s, 15m or 720h; a day is 24h"
	RenewBefore *Duration `json:"renewBefore,omitempty"`
	// renewBeforePercentage is renewBefore as a percentage of the token's life, from 1 to 99; use one of the two. More than 50 counts
	// as 50. Example: 25, which renews a token of one hour after 45 minutes.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=99
	RenewBeforePercentage int32 `json:"renewBeforePercentage,omitempty"`
	// maxTokenAge renews as if no token lived longer than this, from 10s to 876000h; for vendors that end idle tokens before their
	// time. The Secret and the condition Ready keep the vendor's expiry. Default: no such limit. Example: 14m
	// +optional
	// +kubebuilder:validation:XValidation:rule="self != '' && self.matches('^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$') && duration(self) >= duration('10s') && duration(self) <= duration('876000h')",message="must be from 10s to 876000h, in whole hours, minutes and seconds, such as 90s, 15m or 720h; a day is 24h"
	MaxTokenAge *Duration `json:"maxTokenAge,omitempty"`
	// assumedLifetime is how long a token lives where the vendor's answer does not say, from 1s to 876000h. Default: what the vendor's
	// documentation says, else 1h. Example: 30m
	// +optional
	// +kubebuilder:validation:XValidation:rule="self != '' && self.matches('^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$') && duration(self) >= duration('1s') && duration(self) <= duration('876000h')",message="must be from 1s to 876000h, in whole hours, minutes and seconds, such as 90s, 15m or 720h; a day is 24h"
	AssumedLifetime *Duration `json:"assumedLifetime,omitempty"`
	// refreshTokenLifetime is how long a refresh token lives from when it was first issued, where the vendor's answer does not say,
	// from 1m to 876000h. Default: the vendor's, else unknown. Example: 720h
	// +optional
	// +kubebuilder:validation:XValidation:rule="self != '' && self.matches('^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$') && duration(self) >= duration('1m') && duration(self) <= duration('876000h')",message="must be from 1m to 876000h, in whole hours, minutes and seconds, such as 90s, 15m or 720h; a day is 24h"
	RefreshTokenLifetime *Duration `json:"refreshTokenLifetime,omitempty"`
}
