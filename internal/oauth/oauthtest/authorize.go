package oauthtest

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Implicit is the grant of RFC 6749, section 4.2, as it stands in Client.Grants.
const Implicit = "implicit"

// RegisterRedirectURI adds a redirect URI to every client that is known.
func (s *Server) RegisterRedirectURI(uri string) {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	for key, client := range s.registry.clients {
		client.RedirectURIs = append(slices.Clone(client.RedirectURIs), uri)
		s.registry.clients[key] = client
	}
}

// authorize is the authorization endpoint: RFC 6749, sections 4.1.1 and 4.2.1. A client or redirect URI that is not known is told to the
// person, and never redirected to (section 4.1.2.1).
func (x *exchange) authorize() (answer, Outcome) {
	query := x.request.URL.Query()
	if x.request.Method != http.MethodGet && x.request.Method != http.MethodPost {
		a := errorPage(http.StatusMethodNotAllowed, "The method must be GET or POST.")
		a.set("Allow", "GET, POST")
		return a, invalidRequest
	}
	client, known := x.asker(query)
	if !known {
		return errorPage(http.StatusBadRequest, "The client or its redirect URI is not known here."), invalidRequest
	}
	if code, description := x.checkAuthorization(client, query); code != "" {
		return x.back(query, url.Values{"error": {code}, "error_description": {description}}, &Consent{}), Outcome(code)
	}
	consent := x.server.registry.consentBy(x.place.vendor)
	if consent == nil {
		var shown *answer
		if consent, shown = x.ask(client); shown != nil {
			return *shown, Served
		}
	}
	if consent.Error != "" {
		refusal := url.Values{"error": {consent.Error}}
		if consent.Description != "" {
			refusal.Set("error_description", consent.Description)
		}
		return x.back(query, refusal, consent), Outcome(consent.Error)
	}
	return x.back(query, x.granted(client, query, consent), consent), Issued
}

// asker is the client that sent the browser here. One that belongs to another tenant than the path's is not known, nor is one where it
// can't be told which parameter counts.
func (x *exchange) asker(query url.Values) (Client, bool) {
	client, known := x.server.registry.client(x.place.vendor, query.Get("client_id"))
	tenant := x.request.PathValue("tenant")
	return client, known && len(query["client_id"]) == 1 && len(query["redirect_uri"]) == 1 &&
		(tenant == "" || tenant == client.Tenant) && slices.Contains(client.RedirectURIs, query.Get("redirect_uri"))
}

// granted is what consent gives: a code, or the token itself (RFC 6749, sections 4.1.2 and 4.2.2).
func (x *exchange) granted(client Client, query url.Values, consent *Consent) url.Values {
	if query.Get("response_type") == "code" {
		of := clientKey{client.Vendor, client.ID}
		if consent.ClientID != "" {
			of.id = consent.ClientID
		}
		subject := consent.Subject
		if subject == "" {
			subject = ExampleUsername
		}
		return url.Values{"code": {x.server.vault.newCode(x.server.now(), of, query, subject)}}
	}
	given := x.server.vault.issue(x.server.now(), order{client, permit{scope: query.Get("scope")}, x.server.lifetimeFor(client), x.fault})
	values := url.Values{
		"access_token": {given.accessToken}, "token_type": {"Bearer"}, "expires_in": {strconv.Itoa(int(given.lifetime / time.Second))},
	}
	if given.scope != "" {
		values.Set("scope", given.scope)
	}
	return values
}

// checkAuthorization returns an error code of RFC 6749, section 4.1.2.1; empty: nothing is wrong.
func (x *exchange) checkAuthorization(client Client, query url.Values) (code, description string) {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if len(query[name]) > 1 {
			return invalidRequest, "a parameter is given twice: " + name
		}
	}
	grant := map[string]string{"code": AuthorizationCode, "token": Implicit}[query.Get("response_type")]
	switch {
	case query.Get("response_type") == "":
		return invalidRequest, "response_type is missing"
	case grant == "":
		return "unsupported_response_type", "response_type must be code or token"
	case !slices.Contains(client.Grants, grant):
		return unauthorizedClient, "this client may not ask in this way"
	case !mayAsk(client, query.Get("scope")):
		return invalidScope, "the client may not ask for this scope"
	case x.place.vendor == ABBYY && query.Get("productId") == "":
		return invalidRequest, "productId is missing"
	case grant == AuthorizationCode:
		return checkChallenge(client, query)
	}
	return "", ""
}

// mayAsk tells whether the scopes are those that a person can be asked for; offline_access is no right, and stands beside them.
func mayAsk(client Client, scope string) bool {
	scopes := slices.DeleteFunc(strings.Fields(scope), func(s string) bool { return s == "offline_access" })
	if client.Vendor == ABBYY { // "exactly those indicated"
		return sameScopes(strings.Join(scopes, " "), client.Scopes)
	}
	return withinScopes(strings.Join(scopes, " "), client.Scopes)
}

// checkChallenge is RFC 7636, section 4.4.1. A challenge of S256 is a SHA-256 sum, and an empty one is none.
func checkChallenge(client Client, query url.Values) (code, description string) {
	challenge := query.Get("code_challenge")
	sum, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	switch {
	case challenge == "" && client.Authentication == None:
		return invalidRequest, "a client without a secret needs a code challenge"
	case challenge == "":
		return "", ""
	case query.Get("code_challenge_method") != "S256":
		return invalidRequest, "the code challenge's method must be S256"
	case err != nil || len(sum) != 32:
		return invalidRequest, "the code challenge is not that of S256"
	}
	return "", ""
}

// back sends the browser to the redirect URI with an answer: in the query, or in the fragment where a token was asked for.
func (x *exchange) back(query, given url.Values, consent *Consent) answer {
	if state := said(consent.State, query.Get("state")); state != "" {
		given.Set("state", state)
	}
	truth := ""
	if x.server.namesIssuer.Load() {
		truth = x.issuer()
	}
	if issuer := said(consent.Issuer, truth); issuer != "" {
		given.Set("iss", issuer)
	}
	target, separator := query.Get("redirect_uri"), "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}
	if query.Get("response_type") == "token" {
		separator = "#"
	}
	a := answer{status: http.StatusFound, contentType: "text/html"}
	a.set("Location", target+separator+given.Encode())
	a.set("Cache-Control", "no-store")
	return a
}
