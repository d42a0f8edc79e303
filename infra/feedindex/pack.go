package feedindex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"handoff/events"
)

// formatV1 begins what this file writes. A change of the layout takes the next
// number and leaves the reading of this one in place.
const formatV1 = 1

// maxData is how many bytes of a row are filled, of the 400 KiB that an item of
// DynamoDB holds with its keys.
const maxData = 350 << 10

// errPacked reports bytes that this package did not write.
var errPacked = errors.New("feedindex: the packed entries end early or go on too long")

// segment is a row of the feed, or the part of one that is about something.
type segment struct {
	Written time.Time // in milliseconds
	Entries []Entry   // in order of position
}

// Bits of an entry.
const (
	bitRaised = 1 << iota
	bitEnded
	bitDeadline
	bitMoved
	bitParked
	bitRequested
	bitImported

	bitsNumber = bitRaised | bitEnded | bitDeadline | bitMoved
)

// owner is what streams share: a tenant with one of its connections and a kind
// of stream. Each is written once a row.
type owner struct {
	tenant, connection string
	kind               events.Kind
}

// packer writes entries:
// format, instant, owners (tenant, connection, kind), entries. Of an entry: stream,
// bits, distance from the end of the one before it, owner, version, facts,
// milliseconds from the instant; number, deadline and new owner where it has
// them. Numbers are varints of encoding/binary, text has its length before it.
type packer struct {
	written int64 // milliseconds
	index   map[owner]int
	owners  []byte
	entries []byte
	end     int64 // of the last entry
}

func newPacker(written time.Time) *packer {
	return &packer{written: written.UnixMilli(), index: make(map[owner]int)}
}

func (p *packer) owner(o owner) uint64 {
	i, known := p.index[o]
	if !known {
		i = len(p.index)
		p.index[o] = i
		p.owners = appendText(appendText(appendText(p.owners, o.tenant), o.connection), string(o.kind))
	}
	return uint64(i)
}

func (p *packer) add(e *Entry) {
	bits := bitsOf(e)
	b := append(append(p.entries, e.Stream[:]...), bits)
	b = binary.AppendUvarint(b, uint64(e.Position-p.end))
	b = binary.AppendUvarint(b, p.owner(owner{e.Tenant, e.Connection, e.Kind}))
	b = binary.AppendUvarint(b, uint64(e.Version))
	b = binary.AppendUvarint(b, uint64(e.Facts))
	b = binary.AppendVarint(b, e.Time.UnixMilli()-p.written)
	if bits&bitsNumber != 0 {
		b = binary.AppendUvarint(b, uint64(e.Number))
	}
	if bits&bitDeadline != 0 {
		b = binary.AppendVarint(b, e.Deadline.UnixMilli()-p.written)
	}
	if bits&bitMoved != 0 {
		b = binary.AppendUvarint(b, p.owner(owner{e.Tenant, e.Moved, e.Kind}))
	}
	p.entries, p.end = b, e.end()
}

func bitsOf(e *Entry) (bits byte) {
	set := func(bit byte, is bool) {
		if is {
			bits |= bit
		}
	}
	set(bitRaised, e.Raised)
	set(bitEnded, e.Ended)
	set(bitDeadline, !e.Deadline.IsZero())
	set(bitMoved, e.Moved != "")
	set(bitParked, e.Parked)
	set(bitRequested, e.Requested)
	set(bitImported, e.Imported)
	return bits
}

func (p *packer) size() int { return len(p.owners) + len(p.entries) }

func (p *packer) bytes() []byte {
	b := binary.AppendVarint([]byte{formatV1}, p.written)
	b = binary.AppendUvarint(b, uint64(len(p.index)))
	return append(append(b, p.owners...), p.entries...)
}

// pack writes entries in order of position, none of which overlaps another.
func pack(written time.Time, entries []Entry) []byte {
	p := newPacker(written)
	for i := range entries {
		p.add(&entries[i])
	}
	return p.bytes()
}

// cut returns how many of the entries one row holds.
func cut(written time.Time, entries []Entry) int {
	p := newPacker(written)
	for i := range entries {
		if p.add(&entries[i]); p.size() > maxData && i > 0 {
			return i
		}
	}
	return len(entries)
}

// unpack undoes pack.
func unpack(data []byte) (segment, error) {
	u := unpacker{rest: data}
	if v := u.take(1); len(v) == 1 && v[0] != formatV1 {
		return segment{}, fmt.Errorf("feedindex: entries are packed in the unknown way %d; a newer version may read it", v[0])
	}
	written := u.varint()
	owners := make([]owner, 0, 4)
	for n := u.uvarint(); u.err == nil && n > 0; n-- {
		owners = append(owners, owner{u.text(), u.text(), events.Kind(u.text())})
	}
	s := segment{Written: time.UnixMilli(written).UTC(), Entries: make([]Entry, 0, len(u.rest)/24)}
	end := int64(0)
	for u.err == nil && len(u.rest) > 0 {
		e := u.entry(owners, written, end)
		end = e.end()
		s.Entries = append(s.Entries, e)
	}
	if u.err != nil {
		return segment{}, u.err
	}
	return s, nil
}

// unpacker reads what pack wrote. After the first error it reads zeros.
type unpacker struct {
	rest []byte
	err  error
}

func (u *unpacker) entry(owners []owner, written, end int64) (e Entry) {
	copy(e.Stream[:], u.take(uint64(len(e.Stream))))
	var bits byte
	if b := u.take(1); len(b) == 1 {
		bits = b[0]
	}
	e.Position = end + u.count()
	o := u.owner(owners)
	e.Tenant, e.Connection, e.Kind = o.tenant, o.connection, o.kind
	e.Version, e.Facts = int(u.count()), int(u.count())
	e.Time = time.UnixMilli(written + u.varint()).UTC()
	e.Raised, e.Ended, e.Parked = bits&bitRaised != 0, bits&bitEnded != 0, bits&bitParked != 0
	e.Requested, e.Imported = bits&bitRequested != 0, bits&bitImported != 0
	if bits&bitsNumber != 0 {
		e.Number = int(u.count())
	}
	if bits&bitDeadline != 0 {
		e.Deadline = time.UnixMilli(written + u.varint()).UTC()
	}
	if bits&bitMoved != 0 {
		e.Moved = u.owner(owners).connection
	}
	return e
}

func (u *unpacker) owner(all []owner) owner {
	i := u.uvarint()
	if i >= uint64(len(all)) {
		u.err = errPacked
		return owner{}
	}
	return all[i]
}

func (u *unpacker) take(n uint64) []byte {
	if u.err != nil || n > uint64(len(u.rest)) {
		u.err = errPacked
		return nil
	}
	b := u.rest[:n]
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

// count reads a number that is not negative and that sums of others don't
// overflow.
func (u *unpacker) count() int64 {
	v := u.uvarint()
	if v > 1<<56 {
		u.err = errPacked
		return 0
	}
	return int64(v)
}

func (u *unpacker) varint() int64 {
	v, n := binary.Varint(u.rest)
	u.take(uint64(max(n, 0)))
	if n <= 0 {
		u.err = errPacked
	}
	return v
}

func (u *unpacker) text() string { return string(u.take(u.uvarint())) }

// appendText appends a text with its length.
func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
