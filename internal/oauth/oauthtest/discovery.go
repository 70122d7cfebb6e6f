package oauthtest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// The well-known parts of a discovery document's address.
const (
	openIDConfiguration = "/.well-known/openid-configuration"       // OpenID Connect Discovery, section 4
	oauthMetadata       = "/.well-known/oauth-authorization-server" // RFC 8414, section 3
)

// discovery is the document of RFC 8414, section 2. Its issuer is what the client must have started from to arrive here.
func (x *exchange) discovery() (answer, Outcome) {
	if x.request.Method != http.MethodGet {
		return x.refusalAnswer(&refusal{invalidRequest, "the method must be GET", http.StatusMethodNotAllowed}), invalidRequest
	}
	at := strings.TrimPrefix(strings.TrimSuffix(x.request.URL.Path, openIDConfiguration), oauthMetadata)
	issuer := x.origin() + at
	a := answer{status: http.StatusOK, members: []member{text("issuer", issuer)}}
	endpoints := x.dialect().metadata
	for _, name := range slices.Sorted(maps.Keys(endpoints)) {
		a.put(text(name, issuer+endpoints[name]))
	}
	if x.server.namesIssuer.Load() {
		a.put(member{"authorization_response_iss_parameter_supported", "true"}) // RFC 9207, section 3
	}
	a.put(member{"response_types_supported", `["code"]`})
	a.put(member{"code_challenge_methods_supported", `["S256"]`})
	a.put(member{"token_endpoint_auth_methods_supported", `["client_secret_basic","client_secret_post"]`})
	return a, Served
}

// issuer is the identifier of the server that this endpoint belongs to, as its metadata have it.
func (x *exchange) issuer() string {
	endpoint := "token_endpoint"
	if x.place.endpoint == AuthorizationEndpoint {
		endpoint = "authorization_endpoint"
	}
	if path := x.dialect().metadata[endpoint]; path != "" {
		return x.origin() + strings.TrimSuffix(x.request.URL.Path, path)
	}
	return x.origin() + x.place.prefix
}

// origin is the scheme and host that the client used.
func (x *exchange) origin() string {
	if x.request.TLS == nil {
		return "http://" + x.request.Host
	}
	return "https://" + x.request.Host
}
