package oauth

import (
	"encoding/base64"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

const (
	maxCodeLength        = 64
	maxDescriptionLength = 200
	// maxQuoted bytes of what a server says are looked at.
	maxQuoted = 4096
	// minSecretLength is that of the shortest value that is looked for: shorter ones stand in any text by chance.
	minSecretLength = 4
	// minPrefixLength is that of the shortest beginning of a secret that is taken for a cut secret.
	minPrefixLength = 8
)

// quote makes a server's words fit for a condition: only the characters of RFC 6749, section 5.2; nothing that this request sent, since
// servers like to repeat what they refuse, nor anything else of the credentials Secret, which another request may have sent; nothing that
// differs each time, since the same problem must give the same text; not long.
func (r *Request) quote(text string, limit int) string {
	text = text[:min(len(text), maxQuoted)]
	secrets := r.secrets()
	text = redact(keepErrorCharacters(redact(text, secrets)), secrets)
	text = wordLike.ReplaceAllStringFunc(text, starVariable)
	return strings.TrimSpace(text[:min(len(text), limit)])
}

// keepErrorCharacters drops what RFC 6749, section 5.2, does not let an error be made of: all but printable ASCII, and quotes and
// backslashes. White space of any kind and length becomes a space.
func keepErrorCharacters(text string) string {
	kept := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r < 0x20 || r > 0x7e || r == '"' || r == '\\':
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(kept), " ")
}

// secrets are the values that this request sends and those of the credentials Secret, longest first, in the forms in which a server may
// repeat them. Values that are public are among them: a scope or a client_id may come from the credentials Secret, and messages quote nothing
// of it. Of a value of several lines, as keys are, each line counts.
func (r *Request) secrets() []string {
	values := headerSecrets(r.authorization.Reveal())
	body, _ := url.ParseQuery(r.body.Reveal()) // what can be read of it is enough
	for name, list := range body {
		if name != "grant_type" && name != "token_type_hint" {
			values = append(values, list...)
		}
	}
	for _, value := range r.credentials {
		values = append(values, value.Reveal())
		values = append(values, strings.Split(value.Reveal(), "\n")...)
	}
	var forms []string
	for _, value := range values {
		forms = append(forms, formsOf(value)...)
	}
	forms = slices.DeleteFunc(forms, func(form string) bool { return len(form) < minSecretLength })
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(forms)
}

// headerSecrets are the value of an Authorization header, and the two values in it where it is Basic (RFC 7617, section 2).
func headerSecrets(header string) []string {
	_, credentials, _ := strings.Cut(header, " ")
	decoded, _ := base64.StdEncoding.DecodeString(credentials)
	id, secret, _ := strings.Cut(string(decoded), ":")
	plainID, _ := url.QueryUnescape(id)
	plainSecret, _ := url.QueryUnescape(secret)
	return []string{header, credentials, string(decoded), id, secret, plainID, plainSecret}
}

func formsOf(value string) []string {
	forms := []string{value, url.QueryEscape(value), url.PathEscape(value), html.EscapeString(value)}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		forms = append(forms, encoding.EncodeToString([]byte(value)))
	}
	for _, form := range slices.Clone(forms) {
		forms = append(forms, keepErrorCharacters(form))
	}
	return forms
}

// redact replaces secrets in a text, whole or cut after their beginning, whatever their case.
func redact(text string, secrets []string) string {
	var kept strings.Builder
	for i := 0; i < len(text); {
		length := 0
		for _, secret := range secrets {
			length = max(length, secretLength(text[i:], secret))
		}
		if length == 0 {
			kept.WriteByte(text[i])
			i++
			continue
		}
		kept.WriteString(redacted)
		i += length
	}
	return kept.String()
}

// secretLength is how many bytes at the beginning of a text are a secret or the beginning of one.
func secretLength(text, secret string) int {
	length := 0
	for length < min(len(text), len(secret)) && lower(text[length]) == lower(secret[length]) {
		length++
	}
	if length < min(minPrefixLength, len(secret)) {
		return 0
	}
	return length
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// wordLike is a run of characters that dates, numbers and identifiers are made of.
var wordLike = regexp.MustCompile(`[A-Za-z0-9_./:~@%+-]+`)

// The kinds of token that differ each time: numbers, dates, times and addresses; identifiers in hexadecimal; other long identifiers.
var (
	numeric     = regexp.MustCompile(`^([0-9]+(ms|s|sec|m|min|h)?|[0-9][0-9TZ:.+/-]{3,})$`)
	hexadecimal = regexp.MustCompile(`^[0-9A-Fa-f-]{8,}$`)
	identifier  = regexp.MustCompile(`^[^:/]{16,}$`)
)

// starVariable replaces a token by * where it looks as if it differed each time, and leaves its punctuation.
func starVariable(text string) string {
	core := strings.Trim(text, ".:/-")
	hasDigit := strings.ContainsAny(core, "0123456789")
	if hasDigit && (numeric.MatchString(core) || hexadecimal.MatchString(core) || identifier.MatchString(core)) {
		return strings.Replace(text, core, "*", 1)
	}
	return text
}
