package oauthtest

import (
	"net/http"
	"strings"
	"time"
)

// brightPattern is Bright Pattern Contact Center: a user's login ID and API secret in the body, with the tenant in a parameter that
// depends on the version. Errors are not documented; those of RFC 6749 are assumed.
func brightPattern() dialect {
	return dialect{
		prefix:         "/bright",
		tokenPath:      "/configapi/v2/oauth/token",
		authentication: Post,
		lifetime:       3_599 * time.Second,
		rules:          map[string]rule{ClientCredentials: brightPatternClientCredentials},
		invalidClient:  http.StatusUnauthorized,
		encode:         brightPatternJSON,
		refuse:         standardRefusal,
		throttle:       plainThrottle,
	}
}

// brightPatternClientCredentials wants the tenant in the parameter of the client's version, and lets the other version's parameter
// pass only where it says the same.
func brightPatternClientCredentials(x *exchange, client Client) (permit, *refusal) {
	due, other := "tenant", "scope"
	if client.TenantParameter == "scope" {
		due, other = other, due
	}
	if r := x.require(due); r != nil {
		return permit{}, r
	}
	if x.form.Get(due) != client.Tenant {
		return permit{}, refuse(invalidClient, "no such user in this tenant")
	}
	if x.form.Has(other) && x.form.Get(other) != client.Tenant {
		return permit{}, refuse(invalidRequest, "%s does not name the tenant", other)
	}
	return permit{}, nil
}

// brightPatternJSON is the answer as the document prints it: the lifetime is a string, and a comma follows the last member.
func brightPatternJSON(members []member) string {
	var b strings.Builder
	b.WriteString("{ ")
	for _, m := range members {
		raw := m.raw
		if m.name == "expires_in" && strings.Trim(raw, "0123456789") == "" {
			raw = quoted(raw)
		}
		b.WriteString(quoted(m.name) + ":" + raw + ", ")
	}
	b.WriteString("}")
	return b.String()
}
