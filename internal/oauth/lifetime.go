package oauth

import (
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxLifetime bounds what is believed of a token. Servers say "never expires" with the largest number they have, and a hundred years is
// as good; it also keeps every sum of times within what a time.Time can be printed as.
const maxLifetime = 100 * 365 * 24 * time.Hour

// number is what JSON calls one, and what servers put into strings.
var number = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?$`)

// errNegativeLifetime is a token that is over before it begins.
var errNegativeLifetime = errors.New("negative lifetime")

// parseLifetime reads a number of seconds that may be a number or a string, with a fraction, an exponent or spaces: all of it has been
// seen. Fractions are cut off, so that no token is thought to live longer than it does. A value that means "not told" (absent, null, 0
// or an empty string) is 0 without a fault; one that means nothing is 0 with a fault for the user, which quotes nothing.
func parseLifetime(raw json.RawMessage) (lifetime time.Duration, fault string, err error) {
	text := strings.TrimSpace(string(raw))
	if strings.HasPrefix(text, `"`) {
		text = strings.TrimSpace(stringOf(raw))
	}
	if text == "" || text == "null" {
		return 0, "", nil
	}
	if !number.MatchString(text) {
		return 0, "The answer's expires_in is not a number of seconds.", nil
	}
	seconds, _ := strconv.ParseFloat(text, 64) // out of range: infinite, which the bound below catches
	switch {
	case seconds < 0:
		return 0, "", errNegativeLifetime
	case seconds >= maxLifetime.Seconds():
		return maxLifetime, "", nil
	}
	return time.Duration(math.Floor(seconds)) * time.Second, "", nil
}

// stringOf is the value of a JSON string, and empty for any other value.
func stringOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return text
}

// refreshLifetimeOf reads the two names under which servers tell how long a refresh token lives; RFC 6749 has none. What can't be read
// is as good as absent.
func refreshLifetimeOf(members object) time.Duration {
	for _, name := range []string{"refresh_token_expires_in", "refresh_expires_in"} {
		if lifetime, _, err := parseLifetime(members[name]); err == nil && lifetime > 0 {
			return lifetime
		}
	}
	return 0
}
