// Package escid writes and reads the ids of escalations.
//
// An escalation is number n of one conversation's stream, and its id says just
// that: "esc_", the 16 bytes of the stream as 26 digits of Crockford's base 32
// in lower case, and "-n" where n is above 1. So an id needs no index to be
// found, and tells nobody the conversation that the stream was derived from.
package escid

import (
	"encoding/binary"
	"strconv"
	"strings"

	"handoff/domain/fault"
	"handoff/events"
)

// Prefix begins every id.
const Prefix = "esc_"

const (
	digits    = "0123456789abcdefghjkmnpqrstvwxyz" // crockford.com/base32.html: no i, l, o, u
	length    = 26                                 // ceil(128 / 5)
	maxNumber = 999_999_999
)

// Of returns the id of escalation number n, counted from 1, of a conversation.
func Of(stream events.StreamID, n int) string {
	id := make([]byte, len(Prefix)+length, len(Prefix)+length+4)
	copy(id, Prefix)
	hi, lo := binary.BigEndian.Uint64(stream[:8]), binary.BigEndian.Uint64(stream[8:])
	for i := len(id) - 1; i >= len(Prefix); i-- {
		id[i] = digits[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	if n > 1 {
		id = strconv.AppendInt(append(id, '-'), int64(n), 10)
	}
	return string(id)
}

// Parse returns the stream and number of an id, or an Invalid fault
// escalation-id-invalid. It reads upper case too, I and L as 1 and O as 0, as
// Crockford asks, since ids are read out over telephones.
func Parse(id string) (events.StreamID, int, error) {
	if len(id) < len(Prefix)+length || !strings.EqualFold(id[:len(Prefix)], Prefix) {
		return events.StreamID{}, 0, invalid(id)
	}
	stream, ok := decode(id[len(Prefix) : len(Prefix)+length])
	n, fine := number(id[len(Prefix)+length:])
	if !ok || !fine {
		return events.StreamID{}, 0, invalid(id)
	}
	return stream, n, nil
}

func decode(s string) (stream events.StreamID, ok bool) {
	var hi, lo uint64
	for i := range len(s) {
		d := value(s[i])
		if d < 0 || i == 0 && d > 7 { // 26 digits hold 130 bits, the first two are zero
			return stream, false
		}
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(d)
	}
	binary.BigEndian.PutUint64(stream[:8], hi)
	binary.BigEndian.PutUint64(stream[8:], lo)
	return stream, true
}

func value(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return value(c + 'a' - 'A')
	case c == 'i' || c == 'l':
		return 1
	case c == 'o':
		return 0
	}
	return strings.IndexByte(digits, c)
}

// number reads the "-n" after the digits, with one spelling for each n.
func number(s string) (int, bool) {
	if s == "" {
		return 1, true
	}
	n, err := strconv.Atoi(s[1:])
	ok := err == nil && s[0] == '-' && n > 1 && n <= maxNumber && strconv.Itoa(n) == s[1:]
	return n, ok
}

func invalid(id string) error {
	if len(id) > 64 {
		id = id[:64] + "…"
	}
	return fault.Newf(fault.Invalid, "escalation-id-invalid",
		"%q is not the id of an escalation; one looks like esc_7zz2m0jx5cq8vb4s9k1d6ehw3r or the same with -2.", id)
}
