package oauthtest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// abbyy is ABBYY Vantage: credentials in the body, scopes "exactly those indicated", refresh tokens that end 30 days after the
// sign-in however often they are used, and a second form of each path that names the tenant.
func abbyy() dialect {
	return dialect{
		prefix:    "/abbyy",
		tokenPath: "/auth2/connect/token",
		metadata: map[string]string{
			"authorization_endpoint": "/connect/authorize",
			"token_endpoint":         "/connect/token",
			"revocation_endpoint":    "/connect/revocation",
		},
		authentication: Post,
		lifetime:       86_400 * time.Second,
		rules: map[string]rule{
			ClientCredentials: inTenant(abbyyClientCredentials),
			AuthorizationCode: inTenant(authorizationCode),
			Password:          inTenant(abbyyPassword),
			RefreshToken:      inTenant(refresh),
		},
		invalidClient: http.StatusBadRequest,
		refuse:        identityServerRefusal,
		throttle:      plainThrottle,
	}
}

// inTenant refuses a client at another tenant's path.
func inTenant(next rule) rule {
	return func(x *exchange, client Client) (permit, *refusal) {
		if tenant := x.request.PathValue("tenant"); tenant != "" && tenant != client.Tenant {
			return permit{}, refuse(invalidClient, "no such client in this tenant")
		}
		return next(x, client)
	}
}

// abbyyClientCredentials never gives a refresh token (RFC 6749, section 4.4.3).
func abbyyClientCredentials(x *exchange, client Client) (permit, *refusal) {
	scope := x.form.Get("scope")
	if !sameScopes(scope, client.Scopes) {
		return permit{}, refuse(invalidScope, "the scope must be that of the client")
	}
	return permit{scope: scope}, nil
}

func abbyyPassword(x *exchange, client Client) (permit, *refusal) {
	if r := x.require("username", "password"); r != nil {
		return permit{}, r
	}
	scope := x.form.Get("scope")
	scopes := strings.Fields(scope)
	offline := slices.Contains(scopes, "offline_access")
	online := slices.DeleteFunc(scopes, func(s string) bool { return s == "offline_access" })
	if !sameScopes(strings.Join(online, " "), client.Scopes) || offline && !client.RefreshTokens {
		return permit{}, refuse(invalidScope, "the scope must be that of the client")
	}
	user := User{ABBYY, x.request.PathValue("tenant"), x.form.Get("username"), x.form.Get("password")}
	if !x.server.registry.knows(user) {
		return permit{}, refuse(invalidGrant, "invalid_username_or_password")
	}
	return permit{scope: scope, startsFamily: offline}, nil
}
