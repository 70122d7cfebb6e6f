package oauthtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// member is one member of a JSON object; raw is its value as JSON.
type member struct{ name, raw string }

// text makes a member whose value is a JSON string.
func text(name, value string) member { return member{name, quoted(value)} }

func quoted(value string) string {
	encoded, err := json.Marshal(value)
	if err != nil { // a string always has a JSON form
		panic(err)
	}
	return string(encoded)
}

// answer is what will be sent. Its members, where it has any, make the body in the vendor's form.
type answer struct {
	status      int
	header      http.Header
	contentType string // default: application/json
	members     []member
	encode      func([]member) string // default: compactJSON
	body        string
}

// good tells whether the vendor did what was asked.
func (a *answer) good() bool { return a.status == http.StatusOK }

func (a *answer) set(name, value string) {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set(name, value)
}

// put replaces the member of that name, or adds it at the end.
func (a *answer) put(m member) {
	at := slices.IndexFunc(a.members, func(other member) bool { return other.name == m.name })
	if at < 0 {
		a.members = append(a.members, m)
		return
	}
	a.members[at] = m
}

func (a *answer) remove(name string) {
	a.members = slices.DeleteFunc(a.members, func(m member) bool { return m.name == name })
}

// text is the body as it will be sent.
func (a *answer) text() string {
	switch {
	case a.members == nil:
		return a.body
	case a.encode == nil:
		return compactJSON(a.members)
	default:
		return a.encode(a.members)
	}
}

// tokenAnswer is the answer of RFC 6749, section 5.1.
func tokenAnswer(t issued, encode func([]member) string) answer {
	members := []member{
		text("access_token", t.accessToken),
		text("token_type", "Bearer"),
		{"expires_in", strconv.FormatInt(int64(t.lifetime/time.Second), 10)},
	}
	if t.refreshToken != "" {
		members = append(members, text("refresh_token", t.refreshToken))
	}
	if t.idToken != "" {
		members = append(members, text("id_token", t.idToken))
	}
	if t.scope != "" {
		members = append(members, text("scope", t.scope))
	}
	a := answer{status: http.StatusOK, members: members, encode: encode}
	a.set("Cache-Control", "no-store")
	a.set("Pragma", "no-cache")
	return a
}

// The error codes of RFC 6749, section 5.2.
const (
	invalidRequest       = "invalid_request"
	invalidClient        = "invalid_client"
	invalidGrant         = "invalid_grant"
	invalidScope         = "invalid_scope"
	unauthorizedClient   = "unauthorized_client"
	unsupportedGrantType = "unsupported_grant_type"
)

// refusal is why a request was refused.
type refusal struct {
	code        string
	description string
	status      int // 0: as the vendor answers the code
}

func refuse(code, format string, args ...any) *refusal {
	return &refusal{code: code, description: fmt.Sprintf(format, args...)}
}

// refusalAnswer puts a refusal into the vendor's form. The server asks for Basic where the client tried it (RFC 6749, section 5.2).
func (x *exchange) refusalAnswer(r *refusal) answer {
	d := x.dialect()
	a := answer{status: r.status, members: d.refuse(r.code, r.description)}
	switch {
	case a.status != 0:
	case r.code == invalidClient:
		a.status = d.invalidClient
	default:
		a.status = http.StatusBadRequest
	}
	if a.status == http.StatusUnauthorized {
		a.set("WWW-Authenticate", `Basic realm="`+string(x.place.vendor)+`"`)
	}
	if a.status == http.StatusMethodNotAllowed {
		a.set("Allow", http.MethodPost)
	}
	a.set("Cache-Control", "no-store")
	return a
}
