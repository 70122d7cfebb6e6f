package oauthtest

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// generic is a server that keeps to RFC 6749 and RFC 7522 and adds nothing but the parameters that a client registered.
func generic() dialect {
	return dialect{
		prefix:    "/generic",
		tokenPath: "/oauth2/token",
		metadata: map[string]string{
			"authorization_endpoint": "/oauth2/authorize",
			"token_endpoint":         "/oauth2/token",
			"revocation_endpoint":    "/oauth2/revoke",
		},
		authentication: Basic,
		lifetime:       time.Hour,
		rules: map[string]rule{
			ClientCredentials: genericRule(nil),
			AuthorizationCode: authorizationCode,
			Password:          genericRule(genericPassword),
			SAML2Bearer:       genericRule(genericAssertion),
			RefreshToken:      refresh,
		},
		invalidClient: http.StatusUnauthorized,
		refuse:        standardRefusal,
		throttle:      plainThrottle,
	}
}

// genericRule checks parameters and scopes after what is the grant's own.
func genericRule(own func(x *exchange) *refusal) rule {
	return func(x *exchange, client Client) (permit, *refusal) {
		if own != nil {
			if r := own(x); r != nil {
				return permit{}, r
			}
		}
		for _, name := range slices.Sorted(maps.Keys(client.Parameters)) {
			if x.form.Get(name) != client.Parameters[name] {
				return permit{}, refuse(invalidRequest, "%s is missing or wrong", name)
			}
		}
		scope := x.form.Get("scope")
		if !withinScopes(scope, client.Scopes) {
			return permit{}, refuse(invalidScope, "the client may not ask for this scope")
		}
		if scope == "" { // RFC 6749, section 3.3: the server's default
			scope = strings.Join(client.Scopes, " ")
		}
		return permit{scope: scope, startsFamily: client.RefreshTokens}, nil
	}
}

func genericPassword(x *exchange) *refusal {
	if r := x.require("username", "password"); r != nil {
		return r
	}
	if !x.server.registry.knows(User{Generic, "", x.form.Get("username"), x.form.Get("password")}) {
		return refuse(invalidGrant, "wrong username or password")
	}
	return nil
}

// genericAssertion takes one assertion in base64url without padding (RFC 7522, section 2.1).
func genericAssertion(x *exchange) *refusal {
	if r := x.require("assertion"); r != nil {
		return r
	}
	provider, known := x.server.registry.provider(Generic, "")
	if !known {
		return refuse(invalidGrant, "no identity provider is trusted")
	}
	assertion, err := base64.RawURLEncoding.Strict().DecodeString(x.form.Get("assertion"))
	if err != nil {
		return refuse(invalidGrant, "the assertion is not base64url without padding")
	}
	return x.judge(assertion, assertionRoot, provider)
}
