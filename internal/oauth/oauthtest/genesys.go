package oauthtest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"time"
)

// genesys is Genesys Cloud: Basic, and rights that come from roles: client credentials take no scope. Its errors carry a second
// description, and too many requests are answered in a form of its own that has no error member.
func genesys() dialect {
	return dialect{
		prefix:         "/genesys",
		tokenPath:      "/oauth/token",
		authentication: Basic,
		lifetime:       86_400 * time.Second,
		rules: map[string]rule{
			ClientCredentials: genesysClientCredentials,
			AuthorizationCode: authorizationCode,
			SAML2Bearer:       genesysAssertion,
			RefreshToken:      refresh,
		},
		invalidClient: http.StatusUnauthorized,
		refuse:        genesysRefusal,
		throttle:      genesysThrottle,
	}
}

func genesysClientCredentials(x *exchange, _ Client) (permit, *refusal) {
	if x.form.Has("scope") {
		return permit{}, refuse(invalidScope, "client credentials take no scope")
	}
	return permit{}, nil
}

// genesysAssertion takes the SAML response as the identity provider posts it: standard base64, padding included.
func genesysAssertion(x *exchange, _ Client) (permit, *refusal) {
	if r := x.require("orgName", "assertion"); r != nil {
		return permit{}, r
	}
	provider, known := x.server.registry.provider(Genesys, x.form.Get("orgName"))
	if !known {
		return permit{}, refuse(invalidGrant, "unknown organization")
	}
	response, err := base64.StdEncoding.Strict().DecodeString(x.form.Get("assertion"))
	if err != nil {
		return permit{}, refuse(invalidGrant, "the assertion is not standard base64")
	}
	return permit{}, x.judge(response, responseRoot, provider)
}

func genesysRefusal(code, description string) []member {
	return []member{text("description", description), text("error", code), text("error_description", description)}
}

func genesysThrottle(pause int) answer {
	message := fmt.Sprintf("Rate limit exceeded the maximum. Retry the request in [%d] seconds", pause)
	a := answer{status: http.StatusTooManyRequests, members: []member{
		text("message", message),
		text("code", "too.many.requests.retry.after"),
		{"status", "429"},
		text("contextId", "5b8c1c5e-0000-4000-8000-000000000429"),
		{"details", "[]"},
		{"errors", "[]"},
	}}
	a.set("ININ-Correlation-Id", "5b8c1c5e-0000-4000-8000-000000000429")
	return a
}
