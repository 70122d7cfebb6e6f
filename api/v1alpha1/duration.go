package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Duration is a span of time as text: hours, minutes and seconds in whole numbers, such as 90s, 15m or 1h30m. The API server refuses
// whatever Go could not decode: one such object would stop the operator's cache for everybody.
//
// +kubebuilder:validation:Type=string
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$')",message="must be a duration such as 90s, 15m or 720h, in whole hours, minutes and seconds (h, m, s); a day is 24h"
type Duration struct {
	metav1.Duration `json:",inline"`
}

// Value is the span, 0 where there is none.
func (d *Duration) Value() time.Duration {
	if d == nil {
		return 0
	}
	return d.Duration.Duration
}
