package controller

import (
	"time"

	"tokensync.dev/tokensync/internal/oauth"
)

// Keys of a refresh token in a state Secret.
const (
	keyRefreshToken          = "refresh_token"
	keyRefreshTokenIssuedAt  = "refresh_token_issued_at"
	keyRefreshTokenExpiresAt = "refresh_token_expires_at"
	keyRefreshTokenLife      = "refresh_token_life"
	keyRefreshTokenBinding   = "refresh_token_binding"
	keyRefreshInProgress     = "refresh_in_progress"

	// prefixPrevious stands before the keys of the refresh token that a seed has replaced.
	prefixPrevious = "previous_"
)

// refreshToken is a refresh token with what is known of it, which must not be taken for another's.
type refreshToken struct {
	Value     oauth.Sensitive
	IssuedAt  time.Time     // when the grant that it belongs to was given
	ExpiresAt time.Time     // its end; zero: unknown
	Life      time.Duration // of one whose end each refresh moves; 0: the end stands
	Binding   string        // of client and endpoint, for which alone it is good; empty: unknown
	Intent    *intent       // a use of it whose result is not known; nil: none
}

// parseRefreshToken reads a refresh token from a state Secret, from keys with a prefix. One that stands there alone is a refresh token of
// which nothing is known: earlier versions wrote the one before a seed so.
func parseRefreshToken(data map[string][]byte, prefix string) refreshToken {
	text := func(key string) string { return string(data[prefix+key]) }
	r := refreshToken{Value: oauth.NewSensitive(text(keyRefreshToken)), Binding: text(keyRefreshTokenBinding)}
	if raw, ok := data[prefix+keyRefreshInProgress]; ok {
		r.Intent = parseIntent(raw)
	}
	if r.Value.IsEmpty() {
		return refreshToken{Intent: r.Intent}
	}
	r.IssuedAt, _ = parseTime(text(keyRefreshTokenIssuedAt))
	r.ExpiresAt, _ = parseTime(text(keyRefreshTokenExpiresAt))
	r.Life, _ = time.ParseDuration(text(keyRefreshTokenLife))
	return r
}

// put writes a refresh token as parseRefreshToken reads it.
func (r refreshToken) put(prefix string, put func(key, value string)) {
	put(prefix+keyRefreshToken, r.Value.Reveal())
	put(prefix+keyRefreshTokenBinding, r.Binding)
	if r.Life > 0 {
		put(prefix+keyRefreshTokenLife, r.Life.String())
	}
	if !r.IssuedAt.IsZero() {
		put(prefix+keyRefreshTokenIssuedAt, formatTime(r.IssuedAt))
	}
	if !r.ExpiresAt.IsZero() {
		put(prefix+keyRefreshTokenExpiresAt, formatTime(r.ExpiresAt))
	}
	if r.Intent != nil {
		put(prefix+keyRefreshInProgress, r.Intent.String())
	}
}

// held is the refresh token of a keepsake.
func (k keepsake) held() refreshToken {
	return refreshToken{Value: k.RefreshToken, IssuedAt: k.IssuedAt, ExpiresAt: k.ExpiresAt, Life: k.Life, Binding: k.Binding, Intent: k.Intent}
}

// holding is the keepsake with another refresh token.
func (k keepsake) holding(r refreshToken) keepsake {
	k.RefreshToken, k.IssuedAt, k.ExpiresAt, k.Life, k.Binding, k.Intent = r.Value, r.IssuedAt, r.ExpiresAt, r.Life, r.Binding, r.Intent
	return k
}
