package oauthtest

import (
	"net/http"
	"strings"
)

// resource is an API behind the tokens: 200 for a live one in the Authorization header, with its owner; 401 for all else (RFC 6750,
// sections 2.1 and 3).
func (x *exchange) resource() (answer, Outcome) {
	scheme, token, _ := strings.Cut(x.request.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || !x.server.IsLive(token) {
		a := answer{status: http.StatusUnauthorized, members: []member{text("error", "invalid_token")}}
		a.set("WWW-Authenticate", `Bearer error="invalid_token"`)
		return a, "invalid_token"
	}
	vendor, clientID := x.server.OwnerOf(token)
	members := []member{text("vendor", string(vendor)), text("client_id", clientID)}
	return answer{status: http.StatusOK, members: members}, Served
}
