package leaks

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Kind is what a secret is.
type Kind string

// The kinds of secrets.
const (
	Credential   Kind = "credential" // a value of a credentials Secret
	ClientID     Kind = "client_id"  // the vendor's pages and ID tokens may show it
	SigningKey   Kind = "signing key"
	Assertion    Kind = "assertion"
	RefreshToken Kind = "refresh token"
	AccessToken  Kind = "access token"
	IDToken      Kind = "ID token" // by its signature
	Claims       Kind = "claims of an ID token"
	Code         Kind = "code"
	Verifier     Kind = "code verifier"
	State        Kind = "state"
	Ticket       Kind = "ticket"
	HashKey      Kind = "hash key"
	Foreign      Kind = "content of somebody's Secret"
)

const (
	// window is how much of a secret is looked for: a leak that is cut short is one, too.
	window = 20
	// shortest is the length of the shortest form that is looked for.
	shortest = 12
	// anchor is how many bytes of a form the search goes by.
	anchor = 8
)

// needle is one form of a piece of a secret.
type needle struct {
	text, form string
	secret     *secret
}

type secret struct {
	kind  Kind
	about string
}

// Canaries are the secrets of a run.
type Canaries struct {
	mu      sync.Mutex
	known   map[string]bool
	needles map[string][]needle // by their first bytes
	kinds   map[Kind]int
}

// NewCanaries is none yet.
func NewCanaries() *Canaries {
	return &Canaries{known: map[string]bool{}, needles: map[string][]needle{}, kinds: map[Kind]int{}}
}

// Add takes note of a secret; about says whose it is.
func (c *Canaries) Add(kind Kind, about, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(value) < shortest || c.known[value] {
		return
	}
	c.known[value] = true
	c.kinds[kind]++
	whose := &secret{kind, about}
	for _, piece := range pieces(kind, value) {
		for form, text := range forms(piece) {
			if len(text) >= shortest {
				c.needles[text[:anchor]] = append(c.needles[text[:anchor]], needle{text, form, whose})
			}
		}
	}
}

// Count is how many secrets of a kind there are.
func (c *Canaries) Count(kind Kind) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kinds[kind]
}

// Meant tells whether a secret of a kind, and of somebody, is meant to be in a place.
type Meant func(kind Kind, about string) bool

// Any are secrets of some kinds, whose ever they are.
func Any(kinds ...Kind) Meant {
	return func(kind Kind, _ string) bool { return slices.Contains(kinds, kind) }
}

// Of are secrets of some kinds that are one OAuthToken's. Claims are nobody's own: other ID tokens of the vendor state most of them, too.
func Of(owner string, kinds ...Kind) Meant {
	return func(kind Kind, about string) bool {
		return (about == owner || kind == Claims) && slices.Contains(kinds, kind)
	}
}

// Find names the secrets that a text holds, but for those that are meant to be there.
func (c *Canaries) Find(text []byte, meant Meant) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []string
	told := map[*secret]bool{} // one place of it is enough
	for i := 0; i+anchor <= len(text); i++ {
		for _, n := range c.needles[string(text[i:i+anchor])] {
			if bytes.HasPrefix(text[i:], []byte(n.text)) && !meant(n.secret.kind, n.secret.about) && !told[n.secret] {
				told[n.secret] = true
				found = append(found, fmt.Sprintf("the %s of %s (%s) at byte %d: ...%s[HERE]...", n.secret.kind, n.secret.about, n.form, i, before(text, i)))
			}
		}
	}
	return found
}

// before is what stands before a leak.
func before(text []byte, i int) string {
	return strings.ToValidUTF8(string(text[max(0, i-160):i]), "?")
}

// pieces are those parts of a secret that nothing else has in common with it.
func pieces(kind Kind, value string) []string {
	switch {
	case kind == SigningKey: // not the armour, and not the beginning, which all keys of an algorithm share
		body := strings.Split(strings.TrimSpace(value), "\n")
		return body[2 : len(body)-1]
	case kind == Assertion:
		return slices.Concat(windows(value[len(value)/3:]), windows(signatureOf(value)))
	case kind == IDToken && strings.Count(value, ".") == 2:
		return windows(value[strings.LastIndex(value, ".")+1:])
	}
	return windows(value)
}

// windows are the whole of what is short; beginning, middle and end of what is long.
func windows(value string) []string {
	if len(value) <= window {
		return []string{value}
	}
	middle := (len(value) - window) / 2
	return []string{value[:window], value[middle : middle+window], value[len(value)-window:]}
}

// signatureOf is the signature of an assertion, which is all that makes it good.
func signatureOf(assertion string) string {
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
		xml, err := encoding.DecodeString(assertion)
		if err != nil {
			continue
		}
		_, value, _ := strings.Cut(string(xml), "SignatureValue>")
		value, _, _ = strings.Cut(value, "<")
		return value
	}
	return ""
}

// forms are the texts that a value may have become, by the name of the encoding.
func forms(value string) map[string]string {
	all := map[string]string{
		"raw": value, "query-escaped": url.QueryEscape(value), "path-escaped": url.PathEscape(value), "HTML-escaped": html.EscapeString(value),
		"hex": hex.EncodeToString([]byte(value)), "upper-case hex": strings.ToUpper(hex.EncodeToString([]byte(value))),
		"JSON-escaped": inJSON(value), "twice JSON-escaped": inJSON(inJSON(value)), "quoted by Go": inside(strconv.Quote(value)),
		"quoted by Go in ASCII": inside(strconv.QuoteToASCII(value)), "list of bytes": bytesOf(value, " "),
		"JSON list of bytes": bytesOf(value, ","),
	}
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + value))
		first, last := (shift*8+5)/6, (shift+len(value))*8/6 // what neighbours don't change
		all[fmt.Sprintf("base64, shifted by %d", shift)] = text[first:last]
		all[fmt.Sprintf("base64 for URLs, shifted by %d", shift)] = strings.NewReplacer("+", "-", "/", "_").Replace(text[first:last])
	}
	return all
}

// bytesOf is a value as its bytes in decimal, as formatting a []byte leaves it.
func bytesOf(value, separator string) string {
	numbers := make([]string, len(value))
	for i := range len(value) {
		numbers[i] = strconv.Itoa(int(value[i]))
	}
	return strings.Join(numbers, separator)
}

func inJSON(value string) string {
	encoded, err := json.Marshal(value)
	if err != nil { // a string always has a JSON form
		panic(err)
	}
	return inside(string(encoded))
}

// inside is a text without its quotes.
func inside(quoted string) string { return quoted[1 : len(quoted)-1] }
