package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Subject is who a token is for, as the ID token says (OpenID Connect Core, section 2); empty where there is none, or where it was made for
// another client. Two persons never have the same. Its signature is not checked: it came from the token endpoint itself, over TLS (section
// 3.1.3.7, item 6).
func (t *Token) Subject(clientID string) string {
	parsed, err := jwt.ParseSigned(t.IDToken.Reveal(), idTokenAlgorithms())
	if err != nil {
		return ""
	}
	var claims jwt.Claims
	if parsed.UnsafeClaimsWithoutVerification(&claims) != nil || !slices.Contains(claims.Audience, clientID) {
		return ""
	}
	return showSubject(claims.Subject)
}

// showSubject is the subject as it is, for it is compared: nothing may be left out or cut off. One that OpenID Connect Core, section 2, does
// not allow would be no good for a status, and is named by its hash.
func showSubject(subject string) string {
	if len(subject) <= maxSubjectLength && isPrintable(subject) && strings.TrimSpace(subject) == subject {
		return subject
	}
	sum := sha256.Sum256([]byte(subject))
	return "sha256:" + base64.RawURLEncoding.EncodeToString(sum[:])
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
