package oauth

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Class says what happens after a failed request. It is decided once, where the failure is seen; the schedule, the conditions and
// the metrics follow from it.
type Class int

// The classes of failure.
const (
	// Transient: nothing is wrong with the request; the same one may succeed soon. Connection, time-out, TLS, DNS, 5xx.
	Transient Class = iota + 1
	// Throttled: 429, or 503 with Retry-After. The endpoint asked for a pause.
	Throttled
	// Rejected: the server understood and refused. Nothing helps until somebody changes the spec or the credentials.
	Rejected
	// Reauthorize: the refresh token is refused or past its end.
	Reauthorize
	// Malformed: an answer that is none. HTML, no access_token, too large, a token type that can't be used.
	Malformed
)

// Reason is a failure or a fault as a condition's reason: one of those listed in the API package, which this package can't import.
type Reason string

// The reasons that this package gives.
const (
	ReasonInvalidSpec           Reason = "InvalidSpec"
	ReasonEndpointNotAllowed    Reason = "EndpointNotAllowed"
	ReasonCredentialsIncomplete Reason = "CredentialsIncomplete"
	ReasonInvalidClient         Reason = "InvalidClient"
	ReasonInvalidGrant          Reason = "InvalidGrant"
	ReasonInvalidScope          Reason = "InvalidScope"
	ReasonInvalidRequest        Reason = "InvalidRequest"
	ReasonUnauthorizedClient    Reason = "UnauthorizedClient"
	ReasonUnsupportedGrantType  Reason = "UnsupportedGrantType"
	ReasonAccessDenied          Reason = "AccessDenied"
	ReasonRateLimited           Reason = "RateLimited"
	ReasonVendorUnavailable     Reason = "VendorUnavailable"
	ReasonMalformedResponse     Reason = "MalformedResponse"
)

// Error is a failed request. Its text is made for a condition: it names the remedy, stays the same for the same problem, and holds
// no time, count, secret or raw body.
type Error struct {
	// Class decides what happens next.
	Class Class
	// Reason is the condition's reason.
	Reason Reason
	// Message is one or two sentences for the user.
	Message string
	// Code is the answer's error code, reduced to the characters of RFC 6749, section 5.2; empty where it has none.
	Code string
	// StatusCode is the HTTP status; 0 where no answer came.
	StatusCode int
	// RetryAfter is the pause that the server asked for, from seconds or a date (RFC 9110, section 10.2.3), not negative and at
	// most an hour; 0 where it asked for none.
	RetryAfter time.Duration
	// Sent tells whether any byte of the request was written to the wire.
	Sent bool
	// Definite tells that the answer proves that nothing was issued and nothing spent: a 4xx with an OAuth error, a 429, a 503 with
	// Retry-After.
	Definite bool
	// Rest is what is worth keeping of an answer that can't be used: its refresh token with its lifetime, and the ID token that says
	// whose it is; nil where there is no refresh token.
	Rest *Token

	cause error
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Unwrap gives the underlying error of the network, where there is one, for errors.Is. It is not for printing.
func (e *Error) Unwrap() error { return e.cause }

// Ambiguous tells whether the server may have acted on the request although no usable answer came: a refresh token that was in it
// may be spent.
func (e *Error) Ambiguous() bool { return e.Sent && !e.Definite }

// Format implements fmt.Formatter, so that no verb prints more than the message.
func (e *Error) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, e.Message) }

// LogValue implements slog.LogValuer.
func (e *Error) LogValue() slog.Value { return slog.StringValue(e.Message) }

// withHint adds what the vendor's entry tells the user for this failure, by the error code or else by the reason.
func (e *Error) withHint(hints map[string]string) *Error {
	if hint := cmp.Or(hints[e.Code], hints[string(e.Reason)]); hint != "" {
		e.Message += " " + hint
	}
	return e
}
