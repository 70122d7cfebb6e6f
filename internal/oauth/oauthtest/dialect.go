package oauthtest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// dialect is how one vendor's token service differs from the others'.
type dialect struct {
	prefix         string
	tokenPath      string
	metadata       map[string]string // of a discovery document: paths after the issuer's
	authentication Authentication
	lifetime       time.Duration         // of access tokens
	rules          map[string]rule       // by grant type: what this vendor offers
	invalidClient  int                   // status of invalid_client; RFC 6749, section 5.2, allows 400 and 401
	encode         func([]member) string // of token answers; default: compactJSON
	refuse         func(code, description string) []member
	throttle       func(pause int) answer // the answer to too many requests; pause in seconds, 0 where none is named
}

// dialects are the vendors' by name.
func dialects() map[Vendor]dialect {
	return map[Vendor]dialect{
		SFR:           sfr(),
		Genesys:       genesys(),
		BrightPattern: brightPattern(),
		ABBYY:         abbyy(),
		Generic:       generic(),
	}
}

// standardRefusal is the body of RFC 6749, section 5.2.
func standardRefusal(code, description string) []member {
	return []member{text("error", code), text("error_description", description)}
}

// identityServerRefusal leaves the description out where the framework below does.
func identityServerRefusal(code, description string) []member {
	if code == invalidClient {
		return []member{text("error", code)}
	}
	return standardRefusal(code, description)
}

// plainThrottle is the answer of a proxy in front of a vendor that documents none.
func plainThrottle(int) answer {
	return answer{status: http.StatusTooManyRequests, contentType: "text/plain", body: "Too Many Requests\n"}
}

// compactJSON is an object without white space.
func compactJSON(members []member) string {
	parts := make([]string, len(members))
	for i, m := range members {
		parts[i] = fmt.Sprintf("%q:%s", m.name, m.raw)
	}
	return "{" + strings.Join(parts, ",") + "}"
}
