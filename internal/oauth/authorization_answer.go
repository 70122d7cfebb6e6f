package oauth

import (
	"cmp"
	"encoding/json"
	"net/url"
	"strings"
	"time"
)

// Refusal is an authorization answer without a code or token: the server's error (RFC 6749, sections 4.1.2.1 and 4.2.2.1; OpenID Connect
// Core, section 3.1.2.6), or one of those below.
type Refusal struct {
	// Code is the error, reduced to the characters that RFC 6749 lets it have.
	Code string
	// Description is the server's text, reduced likewise and at most 200 bytes long, without anything that was sent or came with it; or what
	// is wrong with a token that came. It is empty where there is nothing to tell.
	Description string
}

// The refusals that do not come from the server.
const (
	// IssuerMismatch: the answer names another server than the one that was asked, or none although that one announced to (RFC 9207,
	// section 2.4). Somebody may try to have one server's code sent to another.
	IssuerMismatch = "issuer_mismatch"
	// UnusableAnswer: neither an error nor what was asked for, or a parameter twice (RFC 6749, section 3.1).
	UnusableAnswer = "unusable_answer"
)

// Reason is the refusal as an event's reason. Those that ask the person for more, and those of servers with words of their own, are
// AccessDenied like a person's no.
func (r Refusal) Reason() Reason {
	switch r.Code {
	case UnusableAnswer:
		return ReasonMalformedResponse
	case "unsupported_response_type":
		return ReasonUnsupportedGrantType
	}
	if m, isKnown := meaningOfCode(r.Code, &Request{}); isKnown && m.reason != ReasonInvalidGrant {
		return m.reason
	}
	return ReasonAccessDenied
}

// Read checks an authorization answer: the query's parameters, or with Implicit the fragment's. State is for the caller to check, before.
// It returns the code, or with Implicit what ImplicitToken reads.
func (r AuthorizationRequest) Read(answer url.Values) (Sensitive, *Refusal) {
	for _, values := range answer {
		if len(values) > 1 {
			return Sensitive{}, &Refusal{Code: UnusableAnswer}
		}
	}
	if !r.comesFromIssuer(answer.Get("iss")) {
		return Sensitive{}, &Refusal{Code: IssuerMismatch}
	}
	if answer.Get("error") != "" {
		return Sensitive{}, r.refusal(answer)
	}
	if r.Implicit {
		return r.readFragment(answer)
	}
	code := answer.Get("code")
	if !isCode(code) {
		return Sensitive{}, &Refusal{Code: UnusableAnswer}
	}
	return NewSensitive(code), nil
}

// refusal reads the server's error.
func (r AuthorizationRequest) refusal(answer url.Values) *Refusal {
	said, code := r.exchanged(answer), answer.Get("error")
	if !isAuthorizationError(code) {
		code = cmp.Or(said.quote(code, maxCodeLength), UnusableAnswer)
	}
	return &Refusal{Code: code, Description: said.quote(answer.Get("error_description"), maxDescriptionLength)}
}

// exchanged is what must not be quoted, in the form of a request: what came beside the error, and what was sent, since parameters and the
// client_id may stand in the credentials Secret.
func (r AuthorizationRequest) exchanged(answer url.Values) *Request {
	hidden := url.Values{}
	if address, err := url.Parse(r.URL); err == nil {
		hidden = address.Query()
	}
	for _, name := range []string{"response_type", "redirect_uri", "scope"} {
		hidden.Del(name) // a person must see what is wrong with them
	}
	for _, name := range []string{"state", "code", "access_token", "refresh_token", "id_token"} {
		hidden.Add(name, answer.Get(name))
	}
	return &Request{body: NewSensitive(hidden.Encode())}
}

// isAuthorizationError knows the errors of RFC 6749, section 4.1.2.1, and of OpenID Connect Core, section 3.1.2.6. They are words of the
// protocol, and hide nothing, even where a parameter has such a value.
func isAuthorizationError(code string) bool {
	switch code {
	case "invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope", "server_error",
		"temporarily_unavailable", "interaction_required", "login_required", "account_selection_required", "consent_required",
		"invalid_request_uri", "invalid_request_object", "request_not_supported", "request_uri_not_supported", "registration_not_supported":
		return true
	}
	return false
}

// comesFromIssuer follows RFC 9207, section 2.4: what the answer says must be the server that was asked, compared as text. Of a server whose
// identifier is not known, at least the host must be that of its authorization endpoint.
func (r AuthorizationRequest) comesFromIssuer(iss string) bool {
	switch {
	case iss == "":
		return !r.IssuerRequired
	case r.Issuer != "":
		return iss == r.Issuer
	}
	_, named, err := parseEndpoint(iss)
	_, asked, failed := parseEndpoint(r.URL)
	return err == nil && failed == nil && named == asked
}

// isCode follows RFC 6749, appendix A.11: visible characters and space.
func isCode(code string) bool { return strings.TrimSpace(code) != "" && isPrintable(code) }

// readFragment keeps the parameters of a token as a JSON object, as a token endpoint would have answered them.
func (r AuthorizationRequest) readFragment(answer url.Values) (Sensitive, *Refusal) {
	members := map[string]string{}
	for name := range answer {
		if name != "state" && name != "iss" {
			members[name] = answer.Get(name)
		}
	}
	text, err := json.Marshal(members)
	if err != nil || members["access_token"] == "" {
		return Sensitive{}, &Refusal{Code: UnusableAnswer}
	}
	given := NewSensitive(string(text))
	if _, failure := readImplicit(given); failure != nil {
		return Sensitive{}, &Refusal{Code: UnusableAnswer, Description: failure.Message}
	}
	return given, nil
}

// ImplicitToken is the token in an answer that Read returned for the grant Implicit (RFC 6749, section 4.2.2). Its life counts from
// requestedAt, when the browser was sent to the vendor. A refresh token is never in it, whatever the server says; nor an ID token, since
// whoever holds the browser could have made it, and its signature is not checked (see Subject). An error is always an *Error.
func ImplicitToken(answer Sensitive, requestedAt time.Time) (*Token, error) {
	token, failure := readImplicit(answer)
	if failure != nil {
		return nil, failure
	}
	token.RequestedAt, token.RefreshToken, token.IDToken = requestedAt.UTC().Truncate(time.Second), Sensitive{}, Sensitive{}
	token.RefreshTokenLifetime = 0
	return token, nil
}

func readImplicit(given Sensitive) (*Token, *Error) {
	a := &answer{from: authorizationEndpoint, request: &Request{}, body: []byte(given.Reveal())}
	members, err := parseObject(a.body)
	if err != nil {
		return nil, a.malformed(a.describe())
	}
	return a.tokenOf(members)
}
