// Package events defines Handoff's facts: what may be appended to the event
// log, how a fact is written, sealed, chained and read back, in every version
// that was ever released.
//
// A fact has a clear part, which is JSON that anybody with access to the log
// may read, and may have a private part, which is sealed under the key of its
// conversation before it is stored. Folding a stream needs clear parts only:
// destroying a key makes the private parts unreadable for ever and changes no
// state. A fact is hashed as stored, so erasing breaks no hash.
//
// A fact that was released never changes. A new meaning is a new version, an
// upcast from the old one, and a new golden file beside the old.
//
// The package depends on nothing of Handoff and does no I/O.
package events

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// StreamID names a stream. It is derived from a secret of the tenant (see
// keyring), so it tells nobody what it stands for.
type StreamID = uuid.UUID

// Kind is the kind of a stream; one aggregate type each.
type Kind string

// The kinds of streams.
const (
	KindConnection   Kind = "connection"
	KindReservation  Kind = "reservation"
	KindConversation Kind = "conversation"
	KindDelivery     Kind = "delivery"
)

// KeyID names the key under which a private part is sealed: the stream and a
// generation, which grows by one with each erasure. Empty: nothing is sealed.
type KeyID string

// NewKeyID returns the name of a stream's key of the given generation.
func NewKeyID(stream StreamID, generation int) KeyID {
	return KeyID(stream.String() + "." + strconv.Itoa(generation))
}

// Header is everything that is stored of a fact beside its two parts. Every
// field of it is covered by the hash.
type Header struct {
	Stream      StreamID
	Version     int // 1 for the first fact of a stream
	Kind        Kind
	Type        string // such as EscalationRaised
	Schema      int    // version of the type
	Tenant      string
	Connection  string // empty where the stream belongs to no connection
	Time        int64  // nanoseconds since 1970, UTC
	Commit      string // the command that appended it; facts of one commit share it
	Causation   string // id of what led to it: a fact or a request
	Correlation string // id shared by all that one request led to
	Actor       string // principal id, never a name
	Key         KeyID
	Trace       string // W3C traceparent, or empty
}

// ID returns the fact's id: it *is* stream@version.
func (h Header) ID() string { return h.Stream.String() + "@" + strconv.Itoa(h.Version) }

// At returns the time of the fact.
func (h Header) At() time.Time { return time.Unix(0, h.Time).UTC() }

// Hash is a SHA-256.
type Hash [sha256.Size]byte

// IsZero reports whether h is the hash before a stream's first fact.
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns the hash in hexadecimal.
func (h Hash) String() string { return fmt.Sprintf("%x", h[:]) }

// Record is a fact as stored.
type Record struct {
	Header
	Clear []byte // JSON
	// Sealed holds the sealed bytes where they are stored inline, or is nil
	// where SealedSum refers to a blob. Without a private part both are zero.
	Sealed    []byte
	SealedSum Hash // SHA-256 of the sealed bytes, zero if there are none
	Hash      Hash // chains this fact to the one before it
	Position  int64
}

// HasSealed reports whether the fact has a private part, inline or as a blob.
func (r Record) HasSealed() bool { return !r.SealedSum.IsZero() }

const chainDomain = "handoff/fact/v1"

// Chain returns the hash of r after a fact with hash prev:
// SHA-256(domain, prev, each header field with its length, clear, SHA-256(sealed)).
func Chain(prev Hash, r *Record) Hash {
	var usual [2048]byte // on the stack: most facts fit
	b := field(usual[:0], chainDomain)
	b = append(b, prev[:]...)
	b = number(b, len(r.Stream))
	b = append(b, r.Stream[:]...)
	b = number(b, r.Version)
	b = field(b, string(r.Kind))
	b = field(b, r.Type)
	b = number(b, r.Schema)
	b = number(b, r.Time)
	for _, s := range [...]string{r.Tenant, r.Connection, r.Commit, r.Causation, r.Correlation, r.Actor, string(r.Key), r.Trace} {
		b = field(b, s)
	}
	b = number(b, len(r.Clear))
	b = append(b, r.Clear...)
	b = append(b, r.SealedSum[:]...)
	return sha256.Sum256(b)
}

// field appends a text with its length.
func field(b []byte, s string) []byte {
	return append(number(b, len(s)), s...)
}

// number appends a number in 8 bytes, big-endian.
func number[N int | int64](b []byte, n N) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(n))
}

// SumSealed returns the address of sealed bytes, zero for none.
func SumSealed(sealed []byte) Hash {
	if len(sealed) == 0 {
		return Hash{}
	}
	return sha256.Sum256(sealed)
}

// AssociatedData returns what a private part is bound to when it is sealed:
// stream, version, type and key, so that sealed bytes moved elsewhere in the
// log do not open.
func AssociatedData(h Header) []byte {
	b := make([]byte, 0, 128)
	b = append(b, "handoff/sealed/v1\x00"...)
	b = append(b, h.Stream[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Version))
	b = append(b, h.Type...)
	b = append(b, 0)
	return append(b, h.Key...)
}
