package oauth

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Token is what a token endpoint answered (RFC 6749, section 5.1).
type Token struct {
	// AccessToken is the token itself, never empty.
	AccessToken Sensitive
	// RefreshToken is empty where the answer holds none.
	RefreshToken Sensitive
	// IDToken is empty where the answer holds none (OpenID Connect Core, section 3.1.3.3).
	IDToken Sensitive
	// TokenType is always "Bearer", whatever the case in the answer (RFC 6749, section 7.1).
	TokenType string
	// Scope is the answer's scope; empty where it holds none, which means the scope asked for (RFC 6749, section 5.1).
	Scope string
	// RequestedAt is the time just before the request was sent, in whole seconds, UTC. Lifetimes count from here: the answer may
	// have travelled long.
	RequestedAt time.Time
	// Lifetime is expires_in in whole seconds; 0 where the answer does not tell (see LifetimeFault).
	Lifetime time.Duration
	// LifetimeFault says, in words for a user, why expires_in could not be used although it was there; empty otherwise. It quotes
	// nothing of the answer.
	LifetimeFault string
	// RefreshTokenLifetime is refresh_expires_in or refresh_token_expires_in where the answer has one, else 0.
	RefreshTokenLifetime time.Duration
	// Extra holds the other members of the answer by name, decoded as encoding/json does with UseNumber.
	Extra map[string]any
}

// Format implements fmt.Formatter. Nothing of a token is printed: members that only the vendor knows may be secret as well.
func (t Token) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, "token "+redacted) }

// LogValue implements slog.LogValuer.
func (t Token) LogValue() slog.Value { return slog.StringValue("token " + redacted) }

// MarshalText implements encoding.TextMarshaler, which JSON, YAML and logr's printers use.
func (t Token) MarshalText() ([]byte, error) { return []byte("token " + redacted), nil }
