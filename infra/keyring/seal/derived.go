package seal

import (
	"encoding/binary"
	"encoding/hex"

	"github.com/google/uuid"
)

// Namer derives names that tell nobody what they stand for. Equal inputs give
// equal names under one secret, and names under two secrets have nothing in
// common. It is safe for concurrent use.
type Namer struct{ streams, refs Secret }

// NewNamer returns the namer of a tenant's id secret.
func NewNamer(s Secret) *Namer {
	return &Namer{streams: s.Derive("handoff/stream/v1"), refs: s.Derive("handoff/ref/v1")}
}

// Stream returns the id of the stream of the given kind that stands for parts:
// the first 16 bytes of an HMAC-SHA-256 over kind and parts, each with its
// length before it, as a UUIDv8 (RFC 9562 section 5.8: 122 bits are the
// maker's, the rest says version 8, variant 10).
func (n *Namer) Stream(kind string, parts ...string) uuid.UUID {
	data := appendField(make([]byte, 0, 256), kind)
	for _, p := range parts {
		data = appendField(data, p)
	}
	id := uuid.UUID(n.streams.MAC(data)[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Ref returns 16 bytes in hexadecimal that stand for value among those of the
// same label; the same value under another label gives something else. A value
// that can be guessed, such as an e-mail address, is hidden by the secret only:
// whoever holds that can try guesses.
func (n *Namer) Ref(label, value string) string {
	return hex.EncodeToString(n.refs.Derive("handoff/ref/v1\x00" + label).MAC([]byte(value))[:16])
}

func appendField(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(len(s))), s...)
}
