package oauthtest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
)

// codeLife is how long a code can be exchanged (RFC 6749, section 4.1.2: ten minutes at most).
const codeLife = time.Minute

// code is an authorization code that was handed out. Its fields are the vault's to guard.
type code struct {
	client      clientKey
	redirectURI string
	challenge   string // empty: none was sent
	scope       string
	subject     string
	end         time.Time
	used        bool
	replayed    bool
	family      *family // that came of it; nil: none
	accessToken string  // that came of it
}

// newCode makes a client's code for what an authorization request asked for.
func (v *vault) newCode(now time.Time, client clientKey, query url.Values, subject string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sweep(now)
	value := rand.Text()
	v.codes[value] = &code{
		client: client, redirectURI: query.Get("redirect_uri"), challenge: query.Get("code_challenge"),
		scope: query.Get("scope"), subject: subject, end: now.Add(codeLife),
	}
	return value
}

// spend uses a code up, whatever is wrong with what comes with it. A second use revokes what the first gave (RFC 6749, section 4.1.2).
func (v *vault) spend(now time.Time, client Client, form url.Values) (*code, *refusal) {
	v.mu.Lock()
	defer v.mu.Unlock()
	known := v.codes[form.Get("code")]
	if known == nil || known.client != (clientKey{client.Vendor, client.ID}) {
		return nil, refuse(invalidGrant, "the code is not known")
	}
	if known.used {
		known.replayed = true
		v.undo(known)
		return nil, refuse(invalidGrant, "the code was used before")
	}
	known.used = true
	verifier := form.Get("code_verifier")
	switch sum := sha256.Sum256([]byte(verifier)); {
	case !now.Before(known.end):
		return nil, refuse(invalidGrant, "the code has expired")
	case form.Get("redirect_uri") != known.redirectURI:
		return nil, refuse(invalidGrant, "redirect_uri differs from that of the authorization request")
	case known.challenge != "" && base64.RawURLEncoding.EncodeToString(sum[:]) != known.challenge:
		return nil, refuse(invalidGrant, "the code verifier does not match")
	case known.challenge != "" && !isVerifier(verifier):
		return nil, refuse(invalidGrant, "the code verifier must have 43 to 128 unreserved characters")
	case known.challenge == "" && verifier != "": // RFC 9700, section 2.1.1: somebody took the challenge away
		return nil, refuse(invalidGrant, "there was no code challenge")
	}
	return known, nil
}

// gave takes note of what came of a code, and takes it back where the code came a second time meanwhile.
func (v *vault) gave(spent *code, line *family, accessToken string) {
	spent.family, spent.accessToken = line, accessToken
	if spent.replayed {
		v.undo(spent)
	}
}

// undo ends all that came of a code.
func (v *vault) undo(spent *code) {
	delete(v.access, spent.accessToken)
	if spent.family != nil {
		spent.family.revoked = true
	}
}

// isVerifier follows RFC 7636, section 4.1.
func isVerifier(verifier string) bool {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	return len(verifier) >= 43 && len(verifier) <= 128 && strings.Trim(verifier, unreserved) == ""
}

// authorizationCode is RFC 6749, section 4.1.3, for all vendors that have it.
func authorizationCode(x *exchange, client Client) (permit, *refusal) {
	if r := x.require("code", "redirect_uri"); r != nil {
		return permit{}, r
	}
	spent, r := x.server.vault.spend(x.server.now(), client, x.form)
	if r != nil {
		return permit{}, r
	}
	permitted := permit{scope: spent.scope, subject: spent.subject, startsFamily: client.RefreshTokens, code: spent}
	scopes := strings.Fields(spent.scope + " " + x.form.Get("scope"))
	switch client.Vendor {
	case Genesys: // its forum: refresh tokens are for clients with a secret
		permitted.startsFamily = permitted.startsFamily && client.Authentication != None
	case ABBYY:
		permitted.startsFamily = permitted.startsFamily && slices.Contains(scopes, "offline_access")
	case SFR, BrightPattern, Generic:
	}
	return permitted, nil
}

// idToken is an ID token (OpenID Connect Core, section 2), signed with the client's secret as section 10.1 has it; empty without the scope
// openid.
func (x *exchange) idToken(client Client, p permit) string {
	if p.subject == "" || !slices.Contains(strings.Fields(p.scope), "openid") {
		return ""
	}
	now := x.server.now()
	claims, err := json.Marshal(map[string]any{
		"iss": x.issuer(), "sub": p.subject, "aud": client.ID, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	})
	if err != nil {
		return ""
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(claims)
	mac := hmac.New(sha256.New, []byte(client.Secret))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}
