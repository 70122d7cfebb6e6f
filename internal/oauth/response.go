package oauth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"
)

// knownMembers of a token answer have a field of Token; the others are its Extra.
func knownMembers() []string {
	return []string{"access_token", "refresh_token", "id_token", "token_type", "scope", "expires_in"}
}

// readToken makes a token of an answer (RFC 6749, section 5.1), or says what is wrong with it. RequestedAt is left to the caller.
func readToken(a *answer) (*Token, *Error) {
	if !a.isSuccess() {
		return nil, readFailure(a)
	}
	members, err := parseObject(a.body)
	switch {
	case err != nil:
		return nil, a.malformed(a.describe())
	case errorOf(members).isPresent: // some servers answer 200 to everything
		return nil, readFailure(a)
	}
	return a.tokenOf(members)
}

func (a *answer) tokenOf(members object) (*Token, *Error) {
	token := &Token{
		RefreshToken:         NewSensitive(stringOf(members["refresh_token"])),
		IDToken:              NewSensitive(stringOf(members["id_token"])),
		RefreshTokenLifetime: refreshLifetimeOf(members),
	}
	lifetime, fault, problem := accessTokenOf(members)
	if problem != "" {
		failure := a.malformed(problem)
		if !token.RefreshToken.IsEmpty() {
			failure.Rest = token
		}
		return nil, failure
	}
	token.AccessToken, token.TokenType = NewSensitive(stringOf(members["access_token"])), "Bearer"
	token.Lifetime, token.LifetimeFault = lifetime, fault
	token.Scope, token.Extra = scopeOf(members["scope"]), extraOf(members)
	return token, nil
}

// accessTokenOf is how long the access token lives, or why it can't be used.
func accessTokenOf(members object) (lifetime time.Duration, fault, problem string) {
	accessToken := stringOf(members["access_token"])
	lifetime, fault, err := parseLifetime(members["expires_in"])
	switch {
	case strings.TrimSpace(accessToken) == "":
		problem = "JSON without an access_token that is a text"
	case !isPrintable(accessToken):
		problem = "an access_token that holds characters which no HTTP header may hold"
	case err != nil:
		problem = "a token that expired before it was issued: expires_in is negative"
	default:
		problem = tokenTypeProblem(members["token_type"])
	}
	return lifetime, fault, problem
}

// isPrintable tells whether a token has only the characters of RFC 6749, appendix A.12: visible ASCII and space. A line break would
// write further headers into every request that the token is used in.
func isPrintable(token string) bool {
	return strings.IndexFunc(token, func(r rune) bool { return r < 0x20 || r > 0x7e }) < 0
}

// tokenTypeProblem is empty for Bearer in any case (RFC 6749, section 7.1). Servers that know no other type leave it out.
func tokenTypeProblem(raw json.RawMessage) string {
	switch kind := strings.ToLower(strings.TrimSpace(stringOf(raw))); {
	case kind == "bearer", kind == "" && isEmptyValue(raw):
		return ""
	case kind == "mac", kind == "dpop":
		return fmt.Sprintf("a token of type %s, which works only with a key that can't be handed over; only Bearer tokens can be used", kind)
	}
	return "a token of a type that is not Bearer; only Bearer tokens can be used"
}

func isEmptyValue(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null" || string(raw) == `""`
}

// scopeOf is the scope as RFC 6749, section 3.3, writes it. Some servers send a list.
func scopeOf(raw json.RawMessage) string {
	text := stringOf(raw)
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		text = strings.Join(list, " ")
	}
	return keepErrorCharacters(text)
}

// extraOf decodes what has no field of its own. Large numbers stay as they are written.
func extraOf(members object) map[string]any {
	rest := maps.Clone(members)
	for _, name := range knownMembers() {
		delete(rest, name)
	}
	extra := make(map[string]any, len(rest))
	for name, raw := range rest {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		var value any
		if decoder.Decode(&value) == nil {
			extra[name] = value
		}
	}
	return extra
}

// malformed is the failure of an answer that can't be used; what came instead stands in its message.
func (a *answer) malformed(what string) *Error {
	return &Error{
		Class: Malformed, Reason: ReasonMalformedResponse, StatusCode: a.status, Sent: true,
		Message: fmt.Sprintf("The %s answered with %s. Check the endpoint; ask the vendor if it is right.", a.from, what),
	}
}

// isPage tells whether the body is HTML, by its looks: servers that fail state any Content-Type. Of XML, that tells if it is a page.
func (a *answer) isPage() bool {
	body := bytes.TrimSpace(a.body)
	isXHTML := bytes.HasPrefix(body, []byte("<")) && strings.Contains(strings.ToLower(a.header.Get("Content-Type")), "html")
	return isXHTML || strings.Contains(http.DetectContentType(body), "html")
}

// describe says what came where JSON was due, by its looks and not by its Content-Type.
func (a *answer) describe() string {
	body := bytes.TrimSpace(a.body)
	switch {
	case a.tooLarge:
		return "more than 1 MiB"
	case len(body) == 0:
		return "an empty body"
	case a.header.Get("Content-Encoding") != "":
		return "compressed content, which was not asked for"
	case a.isPage():
		return "an HTML page instead of JSON"
	case bytes.HasPrefix(body, []byte("<")):
		return "XML instead of JSON"
	case bytes.HasPrefix(body, []byte("{")):
		return "JSON that is broken or incomplete"
	}
	return "something that is not a JSON object"
}
