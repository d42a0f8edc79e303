package dynamolog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"handoff/events"
	"handoff/infra/eventlog"
)

// formatV1 begins what this file writes. A change of the layout takes the next
// number and leaves the reading of this one in place: items are never rewritten.
const formatV1 = 1

// errPacked reports bytes that this package did not write.
var errPacked = errors.New("dynamolog: the packed facts end early or go on too long")

// Where a fact's sealed bytes are.
const (
	sealedNone   = iota
	sealedInline // their length follows; they stand in the item's attribute x
	sealedBlob   // their sum follows
)

// pack writes what a commit carries beside its plain attributes: the state, and
// of each fact what it does not share with all of them. Sealed bytes, which do
// not compress, are appended to sealed.
func pack(c *eventlog.Commit) (packed, sealed []byte) {
	b := append(make([]byte, 0, 1024+len(c.State)), formatV1)
	b = binary.AppendVarint(b, int64(c.StateVersion))
	b = appendText(b, c.State)
	b = binary.AppendUvarint(b, uint64(len(c.Facts)))
	for i := range c.Facts {
		r := &c.Facts[i]
		b = binary.AppendVarint(b, int64(r.Schema))
		b = binary.AppendVarint(b, r.Time)
		for _, s := range [...]string{r.Type, r.Causation, r.Correlation, r.Actor, shortKey(c.Stream, r.Key), r.Trace} {
			b = appendText(b, s)
		}
		b = appendText(b, r.Clear)
		switch {
		case !r.HasSealed():
			b = append(b, sealedNone)
		case len(r.Sealed) == 0 || len(r.Sealed) > eventlog.InlineLimit:
			b = append(append(b, sealedBlob), r.SealedSum[:]...)
		default:
			b = binary.AppendUvarint(append(b, sealedInline), uint64(len(r.Sealed)))
			sealed = append(sealed, r.Sealed...)
		}
	}
	return b, sealed
}

// unpack undoes pack. The commit's plain attributes are there already; hashes
// are not.
func unpack(c *eventlog.Commit, packed, sealed []byte) error {
	u := unpacker{rest: packed}
	if v := u.take(1); len(v) == 1 && v[0] != formatV1 {
		return fmt.Errorf("dynamolog: facts are packed in the unknown way %d; a newer version may read it", v[0])
	}
	c.StateVersion, c.State = int(u.varint()), u.bytes()
	count := u.uvarint()
	for i := 0; u.err == nil && uint64(i) < count; i++ {
		r := events.Record{Header: events.Header{
			Stream: c.Stream, Version: c.After.Version + i + 1, Kind: c.Kind, Tenant: c.Tenant, Connection: c.Connection, Commit: c.ID,
			Schema: int(u.varint()), Time: u.varint(), Type: u.text(), Causation: u.text(), Correlation: u.text(), Actor: u.text(),
			Key: longKey(c.Stream, u.text()), Trace: u.text(),
		}, Clear: u.bytes()}
		sealed = u.sealed(&r, sealed)
		c.Facts = append(c.Facts, r)
	}
	if u.err == nil && (len(c.Facts) == 0 || len(u.rest) > 0 || len(sealed) > 0) {
		return errPacked
	}
	return u.err
}

// ownKey stands for the name of the stream in the name of a key.
const ownKey = "\x01"

// shortKey leaves out the stream's name, 36 bytes that the item has already and
// that no compression finds.
func shortKey(stream events.StreamID, key events.KeyID) string {
	if generation, ok := strings.CutPrefix(string(key), stream.String()); ok {
		return ownKey + generation
	}
	return "\x00" + string(key)
}

func longKey(stream events.StreamID, s string) events.KeyID {
	if generation, ok := strings.CutPrefix(s, ownKey); ok {
		return events.KeyID(stream.String() + generation)
	}
	return events.KeyID(strings.TrimPrefix(s, "\x00"))
}

// appendText appends bytes with their length.
func appendText[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// unpacker reads what pack wrote. After the first error it reads zeros.
type unpacker struct {
	rest []byte
	err  error
}

func (u *unpacker) take(n uint64) []byte {
	if u.err != nil || n > uint64(len(u.rest)) {
		u.err = errPacked
		return nil
	}
	b := u.rest[:n:n]
	u.rest = u.rest[n:]
	return b
}

func (u *unpacker) uvarint() uint64 {
	v, n := binary.Uvarint(u.rest)
	u.take(uint64(max(n, 0)))
	if n <= 0 {
		u.err = errPacked
	}
	return v
}

func (u *unpacker) varint() int64 {
	v, n := binary.Varint(u.rest)
	u.take(uint64(max(n, 0)))
	if n <= 0 {
		u.err = errPacked
	}
	return v
}

func (u *unpacker) bytes() []byte { return u.take(u.uvarint()) }
func (u *unpacker) text() string  { return string(u.bytes()) }

// sealed reads where the fact's sealed bytes are, takes them from those given,
// and returns the others.
func (u *unpacker) sealed(r *events.Record, all []byte) []byte {
	mode := u.take(1)
	switch {
	case u.err != nil || mode[0] == sealedNone:
	case mode[0] == sealedBlob:
		copy(r.SealedSum[:], u.take(uint64(len(r.SealedSum))))
	default:
		n := u.uvarint()
		if n > uint64(len(all)) {
			u.err = errPacked
			return nil
		}
		r.Sealed, all = all[:n:n], all[n:]
		r.SealedSum = events.SumSealed(r.Sealed)
	}
	return all
}
