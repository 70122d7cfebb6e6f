package oauthtest

import (
	"slices"
	"strings"
)

// rule decides a token request of one grant type, of a client that has proved itself and may use that grant.
type rule func(x *exchange, client Client) (permit, *refusal)

// permit is what a rule allows to be issued.
type permit struct {
	scope        string  // of the token, and in the answer
	startsFamily bool    // a first refresh token comes with it
	family       *family // the refreshed one
	refreshToken string  // of the answer, after a refresh
	subject      string  // who consented
	code         *code   // that was exchanged
}

// token is the token endpoint.
func (x *exchange) token() (answer, Outcome) {
	client, permitted, r := x.decide()
	if r != nil {
		return x.refusalAnswer(r), Outcome(r.code)
	}
	wanted := order{client, permitted, x.server.lifetimeFor(client), x.fault}
	given := x.server.vault.issue(x.server.now(), wanted)
	given.idToken = x.idToken(client, permitted)
	return tokenAnswer(given, x.dialect().encode), Issued
}

func (x *exchange) decide() (Client, permit, *refusal) {
	if r := x.checkForm(); r != nil {
		return Client{}, permit{}, r
	}
	client, r := x.authenticate()
	if r != nil {
		return client, permit{}, r
	}
	grant := x.form.Get("grant_type")
	decide, offered := x.dialect().rules[grant]
	switch {
	case grant == "":
		return client, permit{}, refuse(invalidRequest, "grant_type is missing")
	case !offered:
		return client, permit{}, refuse(unsupportedGrantType, "this grant is not offered here")
	case !slices.Contains(client.Grants, grant):
		return client, permit{}, refuse(unauthorizedClient, "this client may not use this grant")
	}
	permitted, r := decide(x, client)
	return client, permitted, r
}

// require refuses a request that lacks one of the parameters. A parameter without a value counts as absent (RFC 6749, section 3.2).
func (x *exchange) require(names ...string) *refusal {
	for _, name := range names {
		if x.form.Get(name) == "" {
			return refuse(invalidRequest, "%s is missing", name)
		}
	}
	return nil
}

// refresh is RFC 6749, section 6. The scope may be narrower than what was granted, not wider.
func refresh(x *exchange, client Client) (permit, *refusal) {
	if r := x.require("refresh_token"); r != nil {
		return permit{}, r
	}
	return x.server.vault.refresh(x.server.now(), client, x.form.Get("refresh_token"), x.form.Get("scope"))
}

// sameScopes tells whether the space-separated list holds exactly the wanted scopes, in any order (RFC 6749, section 3.3).
func sameScopes(list string, wanted []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(strings.Fields(list))), slices.Sorted(slices.Values(wanted)))
}

// withinScopes tells whether each scope of the list is among the allowed ones.
func withinScopes(list string, allowed []string) bool {
	return !slices.ContainsFunc(strings.Fields(list), func(scope string) bool { return !slices.Contains(allowed, scope) })
}
