package redisconn

import (
	"fmt"
	"io"
	"log/slog"
)

const masked = "***"

// Secret is a text that no output shows: every way to format or encode it gives
// "***". The zero value is the empty secret.
type Secret struct {
	// A pointer, because fmt does not call the methods of unexported fields: a
	// struct that holds a Secret in one prints an address instead.
	text *string
}

// NewSecret hides text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text, for handing it to Redis and nothing else.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal reports whether both hide the same text.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// String returns "***".
func (s Secret) String() string { return masked }

// GoString returns "***".
func (s Secret) GoString() string { return masked }

// Format writes "***" whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, masked) }

// LogValue logs "***".
func (s Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText encodes "***", which also serves YAML and map keys.
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// MarshalJSON encodes "***".
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + masked + `"`), nil }
