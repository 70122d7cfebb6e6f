package v1alpha1

// Labels and annotations. All stand under tokensync.dev.
const (
	// RoleLabel says what a Secret is to Tokensync. Only Secrets that bear it are in the operator's cache.
	RoleLabel = "tokensync.dev/role"
	// RoleCredentials marks a credentials Secret. Its owner sets it.
	RoleCredentials = "credentials"
	// RoleTarget marks a target Secret. The operator sets it; a person sets it to hand a Secret over (see AdoptByAnnotation).
	RoleTarget = "target"
	// RoleState marks a state Secret. The operator sets it.
	RoleState = "state"

	// RenewRequestedAtAnnotation on an OAuthToken asks, with any new value, for one renewal now.
	RenewRequestedAtAnnotation = "tokensync.dev/renew-requested-at"
	// AllowSubjectChangeAnnotation on an OAuthToken, set to "true", lets another person authorize it than before.
	AllowSubjectChangeAnnotation = "tokensync.dev/allow-subject-change"

	// AllowedHostsAnnotation on a credentials Secret lists the hosts that its content may be sent to beside the vendor's: exact
	// names or *.example.com, with :port where it is not 443, separated by commas.
	AllowedHostsAnnotation = "tokensync.dev/allowed-hosts"
	// KeysAnnotation on a credentials Secret maps its keys: client_id=CLIENT,client_secret=SECRET.
	KeysAnnotation = "tokensync.dev/keys"
	// ClientSecretExpiresAtAnnotation on a credentials Secret says when its client secret ends (RFC 3339).
	ClientSecretExpiresAtAnnotation = "tokensync.dev/client-secret-expires-at"

	// OwnerAnnotation on a target or state Secret names its OAuthToken.
	OwnerAnnotation = "tokensync.dev/owner"
	// AdoptByAnnotation on a foreign Secret, beside the label role=target, hands it over to the OAuthToken of that name.
	AdoptByAnnotation = "tokensync.dev/adopt-by"
	// IssuedAtAnnotation on a target Secret is when its token was requested: RFC 3339, UTC, whole seconds.
	IssuedAtAnnotation = "tokensync.dev/issued-at"
	// ExpiresAtAnnotation on a target Secret is when its token ends, as the vendor said.
	ExpiresAtAnnotation = "tokensync.dev/expires-at"
	// RepeatedAtAnnotation on a target Secret is when the vendor last answered with the token that was held already.
	RepeatedAtAnnotation = "tokensync.dev/repeated-at"
	// RemovedByAnnotation on a target Secret says that the operator, whose name is the value, removes it when its OAuthToken goes or has another
	// target, since nobody else does: it has no owner reference, because the OAuthToken has spec.revokeOnDelete.
	RemovedByAnnotation = "tokensync.dev/removed-by"
	// DataHashAnnotation on a target Secret is a digest of what the operator wrote, by which an edit is noticed.
	DataHashAnnotation = "tokensync.dev/data-hash"
	// RequestHashAnnotation on a target Secret is an HMAC of what shaped the token's request.
	RequestHashAnnotation = "tokensync.dev/request-hash"
	// RenewHandledAnnotation on a target Secret is the value of RenewRequestedAtAnnotation that its token answers.
	RenewHandledAnnotation = "tokensync.dev/renew-handled"

	// RevokeFinalizer holds a deleted OAuthToken until its token is revoked.
	RevokeFinalizer = "tokensync.dev/revoke"
)

// StateSecretSuffix ends the name of a state Secret: <oauthtoken>-oauth-state.
const StateSecretSuffix = "-oauth-state"
