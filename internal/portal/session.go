package portal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"tokensync.dev/tokensync/internal/consent"
	"tokensync.dev/tokensync/internal/oauth"
)

// attemptNameLength is how much of an attempt's hash names its cookie and its outcome: enough to tell attempts apart, and no secret.
const attemptNameLength = 16

// attemptName names the attempt of a state.
func attemptName(state oauth.Sensitive) string { return consent.Hash(state)[:attemptNameLength] }

// cookie makes a cookie that scripts can't read. SameSite is Lax, since Strict would be lost on the way back from the vendor. With https it
// has the prefix __Host-, so that no neighbouring host can set it (RFC 6265bis, section 4.1.3.2).
func (s *site) cookie(name, value string) *http.Cookie {
	made := &http.Cookie{Name: s.cookieName(name), Value: value, HttpOnly: true, SameSite: http.SameSiteLaxMode, Path: "/"}
	if s.URL.Scheme == "https" {
		made.Secure = true
	} else if s.URL.Path != "" {
		made.Path = s.URL.Path
	}
	return made
}

func (s *site) cookieName(name string) string {
	if s.URL.Scheme == "https" {
		return "__Host-tokensync-" + name
	}
	return "tokensync-" + name
}

// browserCookie is the name of the cookie that a form is bound to.
const browserCookie = "browser"

// browser is the key in this browser's cookie, and whether it had one.
func (s *site) browser(r *http.Request) (key oauth.Sensitive, known bool) {
	if sent, err := r.Cookie(s.cookieName(browserCookie)); err == nil && len(sent.Value) >= keyLength {
		return oauth.NewSensitive(sent.Value), true
	}
	return consent.NewSecret(), false
}

// keyLength is that of what NewSecret draws.
const keyLength = 43

// formToken binds a form to a ticket and to the browser that was shown it.
func formToken(browser, ticket oauth.Sensitive) string { return derived(browser, "form", ticket) }

// attemptSecrets are the state and the key of the one attempt that a browser can begin with a ticket. Nobody else can know them, and the browser
// gets the same ones however often it asks.
func attemptSecrets(browser, ticket oauth.Sensitive) (state, key oauth.Sensitive) {
	return oauth.NewSensitive(derived(browser, "state", ticket)), oauth.NewSensitive(derived(browser, "key", ticket))
}

// derived is a secret that a browser and a ticket make together. No replica needs a key for it: the cookie is the key, and nobody else can read it.
func derived(browser oauth.Sensitive, purpose string, ticket oauth.Sensitive) string {
	mac := hmac.New(sha256.New, []byte(browser.Reveal()))
	mac.Write([]byte("tokensync " + purpose + " " + ticket.Reveal()))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// fromElsewhere tells whether a browser says that a form came from another site's page. For a page that gives no referrer, as the portal's own do,
// it says that the origin is null (Fetch, "append a request Origin header"), which any page can have; and it tells Sec-Fetch-Site, which counts
// first, to trustworthy addresses alone (Fetch Metadata), so not over plain http. Where null is all that is said, what the form is bound to
// decides: its token or state, and this browser's cookie.
func (s *site) fromElsewhere(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "null" {
		return false
	}
	return s.origins.Check(r) != nil
}

func equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

// keepAttempt gives the browser what it needs to come back with: which OAuthToken, and a key of its own for this attempt.
func (s *site) keepAttempt(w http.ResponseWriter, state, key oauth.Sensitive, of client.ObjectKey) {
	made := s.cookie(attemptName(state), of.Namespace+"/"+of.Name+"/"+key.Reveal()) //nolint:gosec // cookie sets what is wanted
	made.MaxAge = int(consent.AttemptLife.Seconds())
	http.SetCookie(w, made)
}

// attemptOf is what keepAttempt gave, by the attempt's name.
func (s *site) attemptOf(r *http.Request, name string) (of client.ObjectKey, key oauth.Sensitive, ok bool) {
	sent, err := r.Cookie(s.cookieName(name))
	if err != nil {
		return of, key, false
	}
	parts := strings.Split(sent.Value, "/")
	if len(parts) != 3 || len(validation.IsDNS1123Label(parts[0])) > 0 || len(validation.IsDNS1123Subdomain(parts[1])) > 0 {
		return of, key, false // strangers may send any cookie: the API server is asked for nothing that can't be there
	}
	return client.ObjectKey{Namespace: parts[0], Name: parts[1]}, oauth.NewSensitive(parts[2]), true
}
