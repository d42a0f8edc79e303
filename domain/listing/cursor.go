package listing

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"math"

	"handoff/domain/fault"
)

// A cursor is where the page before ended, in base 64 with a checksum. It holds
// nothing that its bearer could not ask for: another one's cursor, or one that
// was made up, is but another place in one's own list.

// Seal returns the cursor of a place in a list, which a letter names.
func Seal(list byte, place []byte) string {
	b := append([]byte{list}, place...)
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}

// Unseal returns the place in a cursor of the given list, nil for no cursor, or
// an Invalid fault cursor-invalid.
func Unseal(list byte, cursor string) ([]byte, error) {
	if cursor == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	n := len(b) - 4
	if err != nil || n < 1 || b[0] != list || binary.BigEndian.Uint32(b[n:]) != crc32.ChecksumIEEE(b[:n]) {
		return nil, invalid()
	}
	return b[1:n], nil
}

func invalid() error {
	return fault.New(fault.Invalid, "cursor-invalid", "The cursor is not one that this list gave. Begin again without it.")
}

// Before returns the position at which a page of a list that goes by position
// begins, exclusively: newest first.
func Before(list byte, cursor string) (int64, error) {
	place, err := Unseal(list, cursor)
	if err != nil || place == nil {
		return math.MaxInt64, err
	}
	pos, n := binary.Varint(place)
	if n != len(place) {
		return 0, invalid()
	}
	return pos, nil
}

// After returns the cursor for what follows a position.
func After(list byte, pos int64) string { return Seal(list, binary.AppendVarint(nil, pos)) }

// Rows returns how many rows the page has.
func (p Page) Rows() int {
	if p.Limit <= 0 {
		return DefaultPage
	}
	return min(p.Limit, MaxPage)
}

// Cut takes the row off that tells that more follow, and reports whether it was
// there.
func Cut[T any](rows []T, limit int) ([]T, bool) {
	if len(rows) <= limit {
		return rows, false
	}
	return rows[:limit], true
}
