package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// OAuthTokenStatus is what the operator knows of the token. Times are whole seconds, UTC.
type OAuthTokenStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of; -1 before the operator has looked at it.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	// +kubebuilder:validation:Maximum=9007199254740991
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions: Ready (True while the target Secret holds a good token); RenewalFailing, Reconciling, Stalled and
	// AuthorizationRequired, which are there only while they are True.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(c, c.lastTransitionTime >= timestamp('1970-01-01T00:00:00Z') && (!has(c.observedGeneration) || c.observedGeneration <= 9007199254740991))",message="lastTransitionTime must be a time such as 2026-01-31T12:00:00Z, and observedGeneration a generation"
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// grantType is the grant in use: the spec's, or the vendor's.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	GrantType string `json:"grantType,omitempty"`
	// secretName is the target Secret.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`
	// tokenType is that of the token served: Bearer.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	TokenType string `json:"tokenType,omitempty"`
	// scopes are those of the token served, as the vendor said; those asked for where it said nothing.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=1024
	Scopes []string `json:"scopes,omitempty"`
	// issuedAt is when the token served was requested.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1970-01-01T00:00:00Z')",message="must be a time such as 2026-01-31T12:00:00Z"
	IssuedAt *metav1.Time `json:"issuedAt,omitempty"`
	// expiresAt is when the token served ends, as the vendor said.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1970-01-01T00:00:00Z')",message="must be a time such as 2026-01-31T12:00:00Z"
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
	// renewalTime is when a new token will be requested.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1970-01-01T00:00:00Z')",message="must be a time such as 2026-01-31T12:00:00Z"
	RenewalTime *metav1.Time `json:"renewalTime,omitempty"`
	// refreshToken tells of the refresh token that is held, where there is one.
	// +optional
	RefreshToken *RefreshTokenStatus `json:"refreshToken,omitempty"`
	// authorization is there while a person must authorize, and tells afterwards who did.
	// +optional
	Authorization *AuthorizationStatus `json:"authorization,omitempty"`
	// failures are those since the last success.
	// +optional
	Failures *FailureStatus `json:"failures,omitempty"`
	// recentFailures are the times of failed requests of the past hour: no more than 20 are made in an hour. They outlive a success.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:XValidation:rule="self >= timestamp('1970-01-01T00:00:00Z')",message="must be a time such as 2026-01-31T12:00:00Z"
	RecentFailures []metav1.Time `json:"recentFailures,omitempty"`
	// lastHandledRenewRequest is the last value of the annotation tokensync.dev/renew-requested-at that was acted upon.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	LastHandledRenewRequest string `json:"lastHandledRenewRequest,omitempty"`
}

// RefreshTokenStatus tells of a refresh token.
type RefreshTokenStatus struct {
	// issuedAt is when the grant that the refresh token belongs to was first given.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1970-01-01T00:00:00Z')",message="must be a time such as 2026-01-31T12:00:00Z"
	IssuedAt *metav1.Time `json:"issuedAt,omitempty"`
	// expiresAt is its end, where it is known.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1970-01-01T00:00:00Z')",message="must be a time such as 2026-01-31T12:00:00Z"
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}

// AuthorizationStatus tells of a person's consent.
type AuthorizationStatus struct {
	// url is to be opened in a browser. It is there only while authorization is required or soon will be, works once, and is replaced when
	// it was used or is a day old.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	URL string `json:"url,omitempty"`
	// requestedAt is when authorization became required.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1970-01-01T00:00:00Z')",message="must be a time such as 2026-01-31T12:00:00Z"
	RequestedAt *metav1.Time `json:"requestedAt,omitempty"`
	// subject is the identity that authorized last, where the vendor tells it (sub of the ID token). Another one is refused unless the
	// annotation tokensync.dev/allow-subject-change is "true".
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Subject string `json:"subject,omitempty"`
}

// FailureStatus tells of failed requests since the last success.
type FailureStatus struct {
	// count of failed requests in a row.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	Count int32 `json:"count,omitempty"`
	// lastTime is when the last one failed.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1970-01-01T00:00:00Z')",message="must be a time such as 2026-01-31T12:00:00Z"
	LastTime *metav1.Time `json:"lastTime,omitempty"`
	// nextAttempt is when the next request will be made, unless spec or credentials change before.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('1970-01-01T00:00:00Z')",message="must be a time such as 2026-01-31T12:00:00Z"
	NextAttempt *metav1.Time `json:"nextAttempt,omitempty"`
	// requestHash tells which spec and credentials failed, so that a change is noticed: an HMAC, like the target Secret's.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	RequestHash string `json:"requestHash,omitempty"`
	// reason of the last failure, as in the conditions.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
	// message of the last failure.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Message string `json:"message,omitempty"`
}
