package v1alpha1

// Condition types. Polarity: Ready is normal-true and always there; the others are abnormal-true and absent otherwise, as kstatus
// wants them.
const (
	// ConditionReady is True while the target Secret holds a token that is valid now and matches the spec. It turns False when the
	// token expires, also if nothing else happens. Normal-true.
	ConditionReady = "Ready"
	// ConditionRenewalFailing is True while the token served is still good but its renewal fails. Abnormal-true.
	ConditionRenewalFailing = "RenewalFailing"
	// ConditionReconciling is True while Ready is not, and work is under way or will be retried by itself. Abnormal-true (kstatus).
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True while Ready is not, and a person must act. Abnormal-true (kstatus).
	ConditionStalled = "Stalled"
	// ConditionAuthorizationRequired is True while a person must authorize: open status.authorization.url, or, for the grant
	// RefreshToken, provide a new refresh token. Abnormal-true.
	ConditionAuthorizationRequired = "AuthorizationRequired"
)

// Reasons of the conditions Ready and RenewalFailing.
const (
	// ReasonTokenIssued: the target Secret holds a good token.
	ReasonTokenIssued = "TokenIssued"
	// ReasonRequesting: a request is under way, and takes longer than two seconds.
	ReasonRequesting = "Requesting"
	// ReasonSuspended: spec.suspend is true, and there is no good token.
	ReasonSuspended = "Suspended"
	// ReasonAwaitingCredentials: the credentials Secret, or a fresh assertion in it, is not there yet. Goes on by itself when it comes.
	ReasonAwaitingCredentials = "AwaitingCredentials"
	// ReasonCredentialsNotLabelled: the credentials Secret lacks the label tokensync.dev/role=credentials, by which its owner agrees.
	ReasonCredentialsNotLabelled = "CredentialsNotLabelled"
	// ReasonCredentialsIncomplete: the credentials Secret lacks a key, or a key holds what can't be used.
	ReasonCredentialsIncomplete = "CredentialsIncomplete"
	// ReasonInvalidSpec: the vendor catalogue does not know what the spec asks for; the message names every fault.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonEndpointNotAllowed: the credentials may not be sent to this endpoint.
	ReasonEndpointNotAllowed = "EndpointNotAllowed"
	// ReasonSecretConflict: the target or state Secret belongs to somebody else, or is of another type.
	ReasonSecretConflict = "SecretConflict"
	// ReasonTemplateFailed: spec.target.template can't be rendered. The target Secret stays as it was.
	ReasonTemplateFailed = "TemplateFailed"
	// ReasonInvalidClient: the vendor does not accept client_id or client_secret (RFC 6749, section 5.2).
	ReasonInvalidClient = "InvalidClient"
	// ReasonInvalidGrant: the vendor does not accept the user's password, the assertion or the code (RFC 6749, section 5.2).
	ReasonInvalidGrant = "InvalidGrant"
	// ReasonInvalidScope: the vendor does not grant a scope that is asked for (RFC 6749, section 5.2).
	ReasonInvalidScope = "InvalidScope"
	// ReasonInvalidRequest: the vendor finds the request malformed (RFC 6749, section 5.2).
	ReasonInvalidRequest = "InvalidRequest"
	// ReasonUnauthorizedClient: the client may not use this grant (RFC 6749, section 5.2).
	ReasonUnauthorizedClient = "UnauthorizedClient"
	// ReasonUnsupportedGrantType: the vendor does not know this grant (RFC 6749, section 5.2).
	ReasonUnsupportedGrantType = "UnsupportedGrantType"
	// ReasonAccessDenied: the vendor, or the person asked, refused.
	ReasonAccessDenied = "AccessDenied"
	// ReasonRateLimited: the vendor asks for a pause (429, or 503 with Retry-After).
	ReasonRateLimited = "RateLimited"
	// ReasonVendorUnavailable: no usable answer: 5xx, time-out, connection, TLS or DNS. The message says which.
	ReasonVendorUnavailable = "VendorUnavailable"
	// ReasonMalformedResponse: the vendor's answer is none. The message says what came instead.
	ReasonMalformedResponse = "MalformedResponse"
	// ReasonAuthorizationRequired: a person must authorize.
	ReasonAuthorizationRequired = "AuthorizationRequired"
	// ReasonRefreshTokenExpired: the refresh token is past its end.
	ReasonRefreshTokenExpired = "RefreshTokenExpired"
	// ReasonRefreshInterrupted: the answer to a refresh was lost, and the refresh token may be spent.
	ReasonRefreshInterrupted = "RefreshInterrupted"
	// ReasonTokenExpired: the token in the target Secret is past its end.
	ReasonTokenExpired = "TokenExpired"
)

// Reasons of events that tell of something good. Warnings bear the reasons above, or one of the last group.
const (
	EventTokenIssued            = "TokenIssued"
	EventTokenRenewed           = "TokenRenewed"
	EventTargetRepaired         = "TargetRepaired"
	EventAuthorizationCompleted = "AuthorizationCompleted"
	EventTokenRevoked           = "TokenRevoked"

	// EventRefreshTokenExpiring: 7 days and 1 day before the refresh token's end, each once.
	EventRefreshTokenExpiring = "RefreshTokenExpiring"
	// EventClientSecretExpiring: the client secret ends soon, as its Secret's annotation says.
	EventClientSecretExpiring = "ClientSecretExpiring"
	// EventClientSecretExpiryUnreadable: the credentials Secret's annotation does not say when the client secret ends, since it holds no time.
	EventClientSecretExpiryUnreadable = "ClientSecretExpiryUnreadable"
	// EventRefreshTokenMissing: the vendor gave no refresh token after an authorization, so that a person must authorize each time.
	EventRefreshTokenMissing = "RefreshTokenMissing"
	// EventDiscouragedGrant: RFC 9700 forbids the grant Password and discourages Implicit. Once per generation.
	EventDiscouragedGrant = "DiscouragedGrant"
	// EventLifetimeUnknown: the vendor did not say how long the token lives; the message says what is assumed.
	EventLifetimeUnknown = "LifetimeUnknown"
	// EventShortLifetime: the token lives under 4 minutes, and pods may see expired ones.
	EventShortLifetime = "ShortLifetime"
	// EventRenewBeforeClamped: spec.renewal asks for more than half of the token's life, and half is used.
	EventRenewBeforeClamped = "RenewBeforeClamped"
	// EventScopeNarrowed: the vendor granted fewer scopes than were asked for.
	EventScopeNarrowed = "ScopeNarrowed"
	// EventRepairFighting: something keeps undoing what the operator writes to the target Secret.
	EventRepairFighting = "RepairFighting"
	// EventRevocationFailed: the token could not be revoked, and the OAuthToken goes all the same; or a deletion could not wait for a revocation,
	// since the finalizer is refused.
	EventRevocationFailed = "RevocationFailed"
)
