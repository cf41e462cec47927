package identity

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a password or token as a client sent it. It cannot be printed, logged or marshalled
// by accident: the text stands behind a pointer, which no verb of fmt follows inside a struct.
type Secret struct{ p *string }

// NewSecret wraps s.
func NewSecret(s string) Secret { return Secret{&s} }

// Reveal returns the text; only code that checks or derives calls it.
func (s Secret) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// IsZero reports whether there is no text.
func (s Secret) IsZero() bool { return s.p == nil || *s.p == "" }

const masked = "[secret]"

// Format writes [secret] for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, masked) }

// LogValue is [secret].
func (s Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText is [secret].
func (s Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }
