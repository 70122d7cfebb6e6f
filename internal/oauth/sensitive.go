package oauth

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every printer shows of a Sensitive.
const redacted = "[redacted]"

// Sensitive is a string that must not be printed: a token, a password, a code, an assertion. No fmt verb, JSON encoder or structured
// logger shows its value; only Reveal does. The value stands behind a pointer, because fmt prints unexported fields of a struct by
// reflection, without asking their Format method. The zero value is the empty string.
type Sensitive struct{ value *string }

// NewSensitive wraps a value that must not be printed.
func NewSensitive(value string) Sensitive {
	if value == "" {
		return Sensitive{}
	}
	return Sensitive{value: &value}
}

// Reveal returns the value itself. Its result goes into a request, a Secret or a hash, and nowhere else.
func (s Sensitive) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsEmpty tells whether there is no value.
func (s Sensitive) IsEmpty() bool { return s.value == nil }

// Equal compares two values in constant time for equal lengths.
func (s Sensitive) Equal(other Sensitive) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// Format implements fmt.Formatter, so that no verb prints the value: a String method alone would leak it under %d or %x.
func (s Sensitive) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// LogValue implements slog.LogValuer.
func (s Sensitive) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, which JSON, YAML and logr's printers use.
func (s Sensitive) MarshalText() ([]byte, error) { return []byte(redacted), nil }
