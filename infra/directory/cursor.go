package directory

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"math"

	"handoff/domain/fault"
	"handoff/domain/listing"
)

// A cursor is where the page before ended, in base 64 with a checksum. It holds
// nothing that its bearer could not ask for: another one's cursor, or one that
// was made up, is but another place in one's own list.

func seal(list byte, place []byte) string {
	b := append([]byte{list}, place...)
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}

// unseal returns the place in a cursor of the given list, nil for no cursor.
func unseal(list byte, cursor string) ([]byte, error) {
	if cursor == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	n := len(b) - 4
	if err != nil || n < 1 || b[0] != list || binary.BigEndian.Uint32(b[n:]) != crc32.ChecksumIEEE(b[:n]) {
		return nil, fault.New(fault.Invalid, "cursor-invalid", "The cursor is not one that this list gave. Begin again without it.")
	}
	return b[1:n], nil
}

// before returns the position at which a page of a list begins, exclusively.
func before(list byte, cursor string) (int64, error) {
	place, err := unseal(list, cursor)
	if err != nil || place == nil {
		return math.MaxInt64, err
	}
	pos, n := binary.Varint(place)
	if n != len(place) {
		return 0, fault.New(fault.Invalid, "cursor-invalid", "The cursor is not one that this list gave. Begin again without it.")
	}
	return pos, nil
}

// after returns the cursor for what follows a position.
func after(list byte, pos int64) string { return seal(list, binary.AppendVarint(nil, pos)) }

// limit returns how many rows a page has.
func limit(p listing.Page) int {
	if p.Limit <= 0 {
		return listing.DefaultPage
	}
	return min(p.Limit, listing.MaxPage)
}

// cut takes the row off that tells that more follow, and reports whether it was
// there.
func cut[T any](rows []T, limit int) ([]T, bool) {
	if len(rows) <= limit {
		return rows, false
	}
	return rows[:limit], true
}
