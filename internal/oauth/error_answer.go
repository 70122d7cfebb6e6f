package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// readFailure makes an Error of an answer that holds no token: by its error code first, since invalid_client comes as 400 or as 401
// (RFC 6749, section 5.2) and some servers answer 200 to everything; by its status where there is no code that we know.
func readFailure(a *answer) *Error {
	members, _ := parseObject(a.body) // no JSON, no code: servers fail in HTML and in silence, too
	stated := errorOf(members)
	meaning, isKnown := meaningOfCode(stated.code, a.request)
	switch {
	case a.isThrottling(), a.isRedirect():
		meaning = a.meaningOfStatus()
	case stated.code == "" && a.isOfAnother():
		meaning = a.meaningOfAnother()
	case !isKnown:
		meaning = a.meaningOfStatus()
	}
	failure := &Error{
		Class: meaning.class, Reason: meaning.reason, Code: a.request.quote(stated.code, maxCodeLength),
		StatusCode: a.status, RetryAfter: parseRetryAfter(a.header.Get("Retry-After"), a.now), Sent: true,
	}
	failure.Definite = a.isThrottling() || a.is4xx() && stated.code != ""
	failure.Message = fmt.Sprintf("The %s %s", a.from, meaning.text)
	if failure.Code != "" {
		failure.Message += fmt.Sprintf(" Its error code: %s.", failure.Code)
	}
	if description := a.request.quote(stated.description, maxDescriptionLength); description != "" {
		failure.Message += fmt.Sprintf(" It says: %q.", description)
	}
	return failure
}

// isThrottling tells whether the server asks for a pause: whatever code it gives, it has not looked at the credentials.
func (a *answer) isThrottling() bool {
	hasPause := parseRetryAfter(a.header.Get("Retry-After"), a.now) > 0
	return a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable && hasPause
}

func (a *answer) is4xx() bool {
	return a.status >= http.StatusBadRequest && a.status < http.StatusInternalServerError
}

// isOfAnother tells whether an answer without an error code came from somebody else than the server that is meant: a firewall with a page of its
// own, or an ingress that has no such address, be it for the minutes of a deployment. Not so 401: who is asked again and again with a wrong
// password may lock an account.
func (a *answer) isOfAnother() bool {
	switch a.status {
	case http.StatusUnauthorized, http.StatusRequestTimeout:
		return false
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	}
	return a.is4xx() && a.isPage()
}

// isRedirect tells whether the answer points elsewhere.
func (a *answer) isRedirect() bool {
	return a.status >= http.StatusMultipleChoices && a.status < http.StatusBadRequest
}

// statedError is the error that an answer states in RFC 6749's members.
type statedError struct {
	isPresent         bool
	code, description string
}

// errorOf reads the members error and error_description. Servers with a format of their own put an object into error; a code that
// RFC 6749 knows is looked for in it.
func errorOf(members object) statedError {
	raw := members["error"]
	stated := statedError{code: stringOf(raw), description: stringOf(members["error_description"])}
	empty := []string{"", "null", "false", "0", `""`, "{}", "[]"}
	stated.isPresent = !slices.Contains(empty, string(raw))
	var nested object
	if json.Unmarshal(raw, &nested) == nil {
		for _, name := range []string{"error", "code", "type", "status"} {
			if code := stringOf(nested[name]); stated.code == "" && isKnownCode(code) {
				stated.code = code
			}
		}
	}
	return stated
}

// meaning is what a failure is to us, and to the user: a text that goes on after the name of the endpoint.
type meaning struct {
	class  Class
	reason Reason
	text   string
}

func isKnownCode(code string) bool {
	_, isKnown := meaningOfCode(code, &Request{})
	return isKnown
}

// meaningOfCode knows the codes of RFC 6749, section 5.2, those of its section 4.1.2.1 and of other RFCs that token endpoints give, and
// what some servers say instead of them.
func meaningOfCode(code string, r *Request) (m meaning, isKnown bool) {
	switch code {
	case "invalid_client":
		return meaning{Rejected, ReasonInvalidClient, "does not accept the client. Correct client_id and client_secret in the credentials " +
			"Secret, or spec.clientAuthentication; check that the client's secret has not expired."}, true
	case "invalid_grant", "invalid_code", "invalid_token", "expired_token", "interaction_required", "login_required", "consent_required":
		return meaningOfInvalidGrant(r), true
	case "unauthorized_client":
		return meaning{Rejected, ReasonUnauthorizedClient, "does not let this client use this grant. Allow it at the vendor, or change " +
			"spec.grantType."}, true
	case "unsupported_grant_type":
		return meaning{Rejected, ReasonUnsupportedGrantType, "does not serve this grant. Change spec.grantType."}, true
	case "invalid_scope", "scope_invalid":
		return meaning{Rejected, ReasonInvalidScope, "does not grant these scopes. Correct spec.scopes, or allow them for the client at the " +
			"vendor."}, true
	case "access_denied":
		return meaning{Rejected, ReasonAccessDenied, "denies access. Check at the vendor what the client and the user may do."}, true
	case "invalid_request", "invalid_target":
		return meaning{Rejected, ReasonInvalidRequest, "does not accept the request. Check spec.parameters, spec.scopes and " +
			"spec.clientAuthentication against the vendor's documentation."}, true
	case "slow_down":
		return meaning{Throttled, ReasonRateLimited, "asks for a pause, which is kept. Fewer OAuthTokens for one client cause fewer requests."}, true
	case "server_error", "temporarily_unavailable":
		return meaning{Transient, ReasonVendorUnavailable, "has a failure of its own. It is asked again; ask the vendor if this stays."}, true
	}
	return meaning{}, false
}

// meaningOfInvalidGrant depends on what the request brought.
func meaningOfInvalidGrant(r *Request) meaning {
	if r.refresh {
		return meaning{Reauthorize, ReasonInvalidGrant, "does not accept the refresh token any more: it expired, was revoked, or was used " +
			"elsewhere. A new authorization is needed."}
	}
	text := "does not accept what the request brought for this grant. Correct the credentials Secret."
	body, _ := url.ParseQuery(r.body.Reveal()) // what can be read of it is enough
	switch body.Get("grant_type") {
	case "password":
		text = "does not accept username and password. Correct them in the credentials Secret; check that the user is not locked."
	case "authorization_code":
		text = "does not accept the authorization code: it expired or was used before. Authorize again."
	case "urn:ietf:params:oauth:grant-type:saml2-bearer":
		text = "does not accept the SAML assertion. Check spec.saml2Bearer, and that the vendor trusts the certificate that goes with " +
			"saml_signing_key; renew a ready assertion."
	}
	return meaning{Rejected, ReasonInvalidGrant, text}
}

// meaningOfAnother is for what the server that is meant has probably not said: it may be back soon, or never be there.
func (a *answer) meaningOfAnother() meaning {
	text := fmt.Sprintf("answered with HTTP status %d: nothing answers there. Correct the endpoint, or the parameters that it is made of; if they "+
		"are right, ask the vendor.", a.status)
	if a.isPage() {
		text = fmt.Sprintf("answered with HTTP status %d and an HTML page instead of a reason. Check that the endpoint is right, and ask the vendor or "+
			"whoever looks after the network if a firewall or proxy stands in the way.", a.status)
	}
	return meaning{Malformed, ReasonMalformedResponse, text}
}

// meaningOfStatus is for answers without a code that we know.
func (a *answer) meaningOfStatus() meaning {
	with := func(text string) string { return fmt.Sprintf("answered with HTTP status %d%s", a.status, text) }
	switch {
	case a.isThrottling():
		return meaning{Throttled, ReasonRateLimited, with(", which asks for a pause; it is kept. Fewer OAuthTokens for one client cause " +
			"fewer requests.")}
	case a.status >= http.StatusInternalServerError, a.status == http.StatusRequestTimeout:
		return meaning{Transient, ReasonVendorUnavailable, with(": a failure of its own. It is asked again; ask the vendor if this stays.")}
	case a.isRedirect():
		return meaning{Malformed, ReasonMalformedResponse, with(", a redirect. Credentials are never sent on to where a redirect leads: " +
			"correct the endpoint, so that it is the final address.")}
	case a.status == http.StatusUnauthorized:
		return meaning{Rejected, ReasonInvalidClient, with(" and no reason that can be read. Correct client_id and client_secret in the " +
			"credentials Secret, or spec.clientAuthentication.")}
	case a.status == http.StatusForbidden:
		return meaning{Rejected, ReasonAccessDenied, with(" and no reason that can be read. Check at the vendor what the client and the " +
			"user may do, and from where.")}
	case a.status == http.StatusGone:
		return meaning{Rejected, ReasonInvalidRequest, with(": nothing answers there. Correct the endpoint, or the parameters that it is made of.")}
	}
	return meaning{Rejected, ReasonInvalidRequest, with(" and no reason that can be read. Check spec.parameters, spec.scopes and the " +
		"credentials Secret against the vendor's documentation.")}
}
