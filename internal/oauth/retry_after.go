package oauth

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds the pause that a server can ask for.
const maxRetryAfter = time.Hour

// parseRetryAfter reads a Retry-After header (RFC 9110, section 10.2.3): seconds, or a date. The pause is at least a second where the
// server asks for one at all, also for one that is over, and at most an hour. It is 0 where the header is absent or unreadable.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if date, err := http.ParseTime(value); err == nil {
		return boundRetryAfter(date.Sub(now))
	}
	if value == "" || strings.Trim(value, "0123456789") != "" {
		return 0
	}
	seconds, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return maxRetryAfter // more digits than any pause has
	}
	return boundRetryAfter(time.Duration(seconds) * time.Second)
}

func boundRetryAfter(pause time.Duration) time.Duration {
	return min(max(pause.Round(time.Second), time.Second), maxRetryAfter)
}
