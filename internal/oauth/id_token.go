package oauth

import (
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Subject is who a token is for, as the ID token says (OpenID Connect Core, section 2); empty where there is none, or where it was made for
// another client. Its signature is not checked: it came from the token endpoint itself, over TLS (section 3.1.3.7, item 6).
func (t *Token) Subject(clientID string) string {
	parsed, err := jwt.ParseSigned(t.IDToken.Reveal(), idTokenAlgorithms())
	if err != nil {
		return ""
	}
	var claims jwt.Claims
	if parsed.UnsafeClaimsWithoutVerification(&claims) != nil || !slices.Contains(claims.Audience, clientID) {
		return ""
	}
	return (&Request{}).quote(claims.Subject, maxSubjectLength)
}

// maxSubjectLength is that of OpenID Connect Core, section 2.
const maxSubjectLength = 255

// idTokenAlgorithms are all that sign: which one did does not matter here.
func idTokenAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.HS256, jose.HS384, jose.HS512, jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
		jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}
