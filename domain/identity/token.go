package identity

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
	"strings"

	"handoff/domain/fault"
)

// TokenPrefix begins every token, so that scanners find leaked ones.
const TokenPrefix = "hk_"

const (
	idBytes     = 5
	secretBytes = 32
	idDigits    = 8  // of 5 bits
	tokenDigits = 52 // ceil(256 / 5)
)

//nolint:gochecknoglobals // a table that never changes
var digits = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Token is what a caller proves its identity with: hk_<id>_<secret>, where id
// is 8 and secret 52 digits of RFC 4648 base 32 in lower case. The secret has
// 256 random bits. Formatting a token shows its id only.
type Token struct {
	id     string
	secret [secretBytes]byte
}

// NewToken returns the token of random bytes.
func NewToken(id [idBytes]byte, secret [secretBytes]byte) Token {
	return Token{id: digits.EncodeToString(id[:]), secret: secret}
}

// ParseToken reads a token, and only in the one way in which Reveal writes it.
// Anything else is an Unauthenticated fault key-invalid.
func ParseToken(s string) (Token, error) {
	id, secret, ok := strings.Cut(strings.TrimPrefix(s, TokenPrefix), "_")
	if !ok || len(id) != idDigits || len(secret) != tokenDigits {
		return Token{}, invalidKey()
	}
	t := Token{id: id}
	var idRaw [idBytes]byte
	if n, err := digits.Decode(idRaw[:], []byte(id)); err != nil || n != idBytes {
		return Token{}, invalidKey()
	}
	if n, err := digits.Decode(t.secret[:], []byte(secret)); err != nil || n != secretBytes {
		return Token{}, invalidKey()
	}
	// The decoder passes over line ends and the unused bits of the last digit.
	if t.Reveal() != s || digits.EncodeToString(idRaw[:]) != id {
		return Token{}, invalidKey()
	}
	return t, nil
}

// ID returns the public part, which is the principal's id.
func (t Token) ID() string { return t.id }

// Sum returns the SHA-256 of the secret, which is what a server stores. A plain
// hash is right here: it can only be undone by trying 2^256 secrets, so there is
// no dictionary that a salt or a slow hash would hinder.
func (t Token) Sum() [sha256.Size]byte { return sha256.Sum256(t.secret[:]) }

// Reveal returns the whole token. It is shown once, to whoever asked for it.
func (t Token) Reveal() string {
	return TokenPrefix + t.id + "_" + digits.EncodeToString(t.secret[:])
}

// Format implements fmt.Formatter: no verb shows the secret.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, TokenPrefix+t.id+"_…") }

func invalidKey() error {
	return fault.New(fault.Unauthenticated, "key-invalid", "The key is not valid. A key looks like hk_…_… and is shown once, when it is made.")
}
