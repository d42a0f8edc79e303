package standardwebhooks

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"

	"handoff/domain/fault"
)

const (
	prefix   = "whsec_"
	minBytes = 24 // both from the table in section "Signature scheme"
	maxBytes = 64
	redacted = prefix + "…"
)

// Secret is a symmetric signing secret. It shows itself to nobody but a caller
// of Reveal: fmt, slog and encoding/json print a placeholder. Its zero value
// signs nothing and verifies nothing. It is safe for concurrent use.
type Secret struct {
	// A pointer, because fmt ignores String where a Secret stands in an
	// unexported field, and prints an address instead of the key.
	key *[]byte
}

// Generate returns a new random secret.
func Generate() Secret {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails (crypto/rand.Read)
	return Secret{key: &key}
}

// ParseSecret reads a secret as people see it: whsec_ and base64 of 24 to 64
// bytes. Anything else is an Invalid fault webhook-secret-invalid, which does
// not repeat the input.
func ParseSecret(s string) (Secret, error) {
	text, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return Secret{}, malformed("It must begin with whsec_.")
	}
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return Secret{}, malformed("What follows whsec_ must be base64 with its padding.")
	}
	if len(key) < minBytes || len(key) > maxBytes {
		return Secret{}, malformed(fmt.Sprintf("It must have 24 to 64 bytes, and has %d.", len(key)))
	}
	return Secret{key: &key}, nil
}

func malformed(why string) error {
	return fault.New(fault.Invalid, "webhook-secret-invalid", "The signing secret can't be used. "+why)
}

// IsZero reports whether s is no secret at all.
func (s Secret) IsZero() bool { return s.key == nil }

// Reveal returns the secret as its owner must see it once, and as ParseSecret
// reads it. Never log it.
func (s Secret) Reveal() string {
	return prefix + base64.StdEncoding.EncodeToString(s.bytes())
}

func (s Secret) bytes() []byte {
	if s.key == nil {
		return nil
	}
	return *s.key
}

// String returns a placeholder.
func (s Secret) String() string { return redacted }

// GoString returns a placeholder.
func (s Secret) GoString() string { return redacted }

// LogValue returns a placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
