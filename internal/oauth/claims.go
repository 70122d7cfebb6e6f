package oauth

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
)

// Claim is one statement of a token that is a JWT (RFC 7519, section 4).
type Claim struct{ Name, Value string }

// maxClaim is how much of a claim is shown.
const maxClaim = 200

// shownClaims are fit to be shown: they say for whom and what a token is good, and are no use without it.
func shownClaims() []string {
	return []string{"iss", "sub", "aud", "azp", "client_id", "scope", "scp", "iat", "nbf", "exp"}
}

// UnverifiedClaims are some of what a signed JWT states, for a person to read. Nobody has checked the signature. nil: it is no such token,
// as RFC 6749, section 1.4, has it: an access token is usually opaque to the client.
func UnverifiedClaims(token Sensitive) []Claim {
	parsed, err := jwt.ParseSigned(token.Reveal(), idTokenAlgorithms())
	if err != nil {
		return nil
	}
	var stated map[string]any
	if parsed.UnsafeClaimsWithoutVerification(&stated) != nil {
		return nil
	}
	var claims []Claim
	for _, name := range shownClaims() {
		if value, ok := stated[name]; ok {
			claims = append(claims, Claim{Name: name, Value: showClaim(name, value)})
		}
	}
	return claims
}

func showClaim(name string, value any) string {
	switch v := value.(type) {
	case float64:
		if name == "iat" || name == "nbf" || name == "exp" { // RFC 7519, section 2: NumericDate
			return time.Unix(int64(v), 0).UTC().Format(time.RFC3339)
		}
	case json.Number:
		return v.String()
	case []any:
		parts := make([]string, len(v))
		for i, part := range v {
			parts[i] = fmt.Sprint(part)
		}
		return cutShort(strings.Join(parts, " "))
	}
	return cutShort(fmt.Sprint(value))
}

func cutShort(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxClaim {
		return string(runes[:maxClaim]) + "…"
	}
	return text
}
