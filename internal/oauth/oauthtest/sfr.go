package oauthtest

import (
	"net/http"
	"time"
)

// sfr is SFR Global Contact Center: the password grant of an administrator, with a tenant and one scope, which opens all three APIs.
// The document names no status for errors; the path is IdentityServer's, which answers 400 throughout.
func sfr() dialect {
	return dialect{
		prefix:         "/sfr",
		tokenPath:      "/identity/connect/token",
		authentication: Post,
		lifetime:       86_400 * time.Second,
		rules:          map[string]rule{Password: sfrPassword},
		invalidClient:  http.StatusBadRequest,
		refuse:         identityServerRefusal,
		throttle:       plainThrottle,
	}
}

func sfrPassword(x *exchange, _ Client) (permit, *refusal) {
	if r := x.require("tenant", "username", "password", "scope"); r != nil {
		return permit{}, r
	}
	if !sameScopes(x.form.Get("scope"), []string{"supervisor_api"}) {
		return permit{}, refuse(invalidScope, "the scope must be supervisor_api")
	}
	user := User{SFR, x.form.Get("tenant"), x.form.Get("username"), x.form.Get("password")}
	if !x.server.registry.knows(user) {
		return permit{}, refuse(invalidGrant, "invalid_username_or_password")
	}
	return permit{scope: "supervisor_api"}, nil
}
