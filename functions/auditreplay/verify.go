package auditreplay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain"
	"handoff/domain/audit"
	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/delivery"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/reservation"
	"handoff/events"
	"handoff/infra/eventlog"
)

// maxProblems is how many problems are told in full.
const maxProblems = 100

// headPrefix names the way in which heads are computed.
const headPrefix = "hh1-"

// Progress is told now and then how many of how many facts were checked.
type Progress func(done, total int64)

// Verify checks every fact of the log: that it is chained to the one before it,
// that sealed bytes are those that were sealed, that no version and no position
// is missing, and that each carried state follows from its facts. against may
// be a head that an earlier call returned; then it also checks that the log
// still holds what it held then.
//
// It keeps 48 bytes a stream in memory, twice that with an earlier head.
func (h *Handler) Verify(ctx context.Context, _ identity.Principal, against string, progress Progress) (audit.Verified, error) {
	then, err := parseHead(against)
	if err != nil {
		return audit.Verified{}, err
	}
	last, err := h.Walker.Last(ctx)
	if err != nil {
		return audit.Verified{}, fmt.Errorf("verify: %w", err)
	}
	v := verification{Handler: h, last: last, then: then, progress: progress}
	for step, err := range h.Walker.Walk(ctx) {
		if err == nil {
			err = v.check(ctx, step)
		}
		if err != nil {
			return audit.Verified{}, fmt.Errorf("verify: %w", err)
		}
	}
	return v.finish(), nil
}

// verification is a walk through the log.
type verification struct {
	*Handler
	last     int64 // position of the last fact that counts
	then     head
	progress Progress

	out    audit.Verified
	seen   int64 // facts up to last
	stream stream
	now    []leaf
	past   []leaf
}

// stream is what is known of the stream that is walked.
type stream struct {
	id     events.StreamID
	head   eventlog.Head
	now    eventlog.Head // at last
	past   eventlog.Head // at the earlier head's position
	fold   folder
	last   events.Record // without its bytes
	ends   bool          // last is where the stored head says that the stream ends
	broken bool
}

// leaf is one stream in a head.
type leaf [sha256.Size + 16]byte

func (v *verification) check(ctx context.Context, s eventlog.Step) error {
	if s.Stream != v.stream.id {
		v.endStream()
		v.stream = stream{id: s.Stream, fold: newFolder(s.Kind, s.Stream)}
	}
	v.out.Facts++
	if v.progress != nil && v.out.Facts%10_000 == 0 {
		v.progress(v.out.Facts, v.last)
	}
	v.chain(s.Record)
	if err := v.sealed(ctx, s.Record); err != nil {
		return err
	}
	v.fold(ctx, s)
	v.stream.head = eventlog.Head{Version: s.Version, Hash: s.Hash}
	v.stream.last, v.stream.ends = events.Record{Header: s.Header, Position: s.Position}, s.Carried != nil
	if s.Position <= v.last {
		v.seen, v.stream.now = v.seen+1, v.stream.head
	}
	if s.Position <= v.then.position {
		v.stream.past = v.stream.head
	}
	return nil
}

func (v *verification) chain(r events.Record) {
	if want := v.stream.head.Version + 1; r.Version != want {
		v.breach(r, "gap", fmt.Sprintf("Version %d follows version %d.", r.Version, want-1))
		return
	}
	if r.Hash != events.Chain(v.stream.head.Hash, &r) {
		v.breach(r, "chain-broken", "The fact, or the one before it, is not what was appended.")
	}
}

// sealed checks that sealed bytes, here or in a blob, are those of the sum that
// the chain covers.
func (v *verification) sealed(ctx context.Context, r events.Record) error {
	if !r.HasSealed() {
		return nil
	}
	b := r.Sealed
	if len(b) == 0 {
		var err error
		if b, err = v.Ledger.Log().Blob(ctx, r.SealedSum); errors.Is(err, eventlog.ErrNoBlob) {
			v.breach(r, "blob-missing", "The sealed part of the fact is missing.")
			return nil
		} else if err != nil {
			return err
		}
	}
	if events.SumSealed(b) != r.SealedSum {
		v.breach(r, "sealed-differs", "The sealed part of the fact is not what was appended.")
	}
	return nil
}

// fold refolds the stream and compares with what is carried at its head.
func (v *verification) fold(ctx context.Context, s eventlog.Step) {
	f, err := v.Ledger.Decode(s.Record)
	if err == nil && v.stream.fold != nil {
		err = v.stream.fold.ApplyEvent(ctx, eh.NewEvent(eh.EventType(s.Type), f, s.At(), eh.ForAggregate(eh.AggregateType(s.Kind), s.Stream, s.Version)))
	}
	if err != nil || v.stream.fold == nil {
		v.breach(s.Record, "fact-unreadable", "The fact can't be read by this version of Handoff.")
		return
	}
	if s.Carried == nil {
		return
	}
	if s.Carried.Hash != s.Hash {
		v.breach(s.Record, "head-differs", "The head that is stored for the stream is not the hash of its last fact.")
	}
	state, version, err := v.stream.fold.CarriedState()
	if err != nil || (version == s.Carried.StateVersion && !bytes.Equal(state, s.Carried.State)) {
		v.breach(s.Record, "state-differs", "The state that is carried with the stream does not follow from its facts.")
	}
}

func (v *verification) breach(r events.Record, code, detail string) {
	if v.stream.broken && code != "state-differs" {
		return // one broken fact breaks all behind it
	}
	v.stream.broken = true
	v.problem(audit.Breach{Fact: r.ID(), Stream: r.Stream.String(), Position: r.Position, Code: code, Detail: detail})
}

func (v *verification) problem(b audit.Breach) {
	if len(v.out.Problems) < maxProblems {
		v.out.Problems = append(v.out.Problems, b)
	}
}

func (v *verification) endStream() {
	if v.stream.head.Version == 0 {
		return
	}
	if !v.stream.ends {
		v.breach(v.stream.last, "head-differs", "The head that is stored for the stream is not at its last fact: facts are missing behind it.")
	}
	v.out.Streams++
	v.now = appendLeaf(v.now, v.stream.id, v.stream.now)
	v.past = appendLeaf(v.past, v.stream.id, v.stream.past)
}

func (v *verification) finish() audit.Verified {
	v.endStream()
	if v.seen != v.last {
		v.problem(audit.Breach{Position: v.last, Code: "gap", Detail: fmt.Sprintf("The log has %d facts up to position %d.", v.seen, v.last)})
	}
	v.out.Position, v.out.Head = v.last, head{v.last, combine(v.now)}.String()
	if v.then.given() {
		v.out.Against = v.compare()
	}
	v.out.OK = len(v.out.Problems) == 0
	return v.out
}

// compare says how the log relates to the earlier head.
func (v *verification) compare() string {
	switch {
	case v.then.position > v.last:
		v.problem(audit.Breach{Position: v.last, Code: "head-differs", Detail: fmt.Sprintf("The earlier head was taken at position %d; the log ends at %d: facts are missing.", v.then.position, v.last)})
		return "broken"
	case combine(v.past) != v.then.hash:
		v.problem(audit.Breach{Position: v.then.position, Code: "head-differs", Detail: "What the log held when the earlier head was taken is not what it holds of that time now."})
		return "broken"
	case v.then.position == v.last:
		return "same"
	}
	return "grown"
}

func appendLeaf(leaves []leaf, id events.StreamID, at eventlog.Head) []leaf {
	if at.Version == 0 {
		return leaves
	}
	var l leaf
	copy(l[:], id[:])
	h := sha256.New()
	h.Write(id[:])
	_ = binary.Write(h, binary.BigEndian, int64(at.Version))
	h.Write(at.Hash[:])
	h.Sum(l[16:16])
	return append(leaves, l)
}

// combine returns one hash over all streams, whatever order they came in.
func combine(leaves []leaf) events.Hash {
	slices.SortFunc(leaves, func(a, b leaf) int { return bytes.Compare(a[:], b[:]) })
	h := sha256.New()
	h.Write([]byte("handoff/head/v1\x00"))
	for i := range leaves {
		h.Write(leaves[i][:])
	}
	return events.Hash(h.Sum(nil))
}

// head is one hash over all streams at a position.
type head struct {
	position int64
	hash     events.Hash
}

func (h head) given() bool { return !h.hash.IsZero() }

// String returns the text by which people keep a head.
func (h head) String() string {
	return headPrefix + strconv.FormatInt(h.position, 10) + "-" + h.hash.String()
}

func parseHead(s string) (head, error) {
	if s == "" {
		return head{position: -1}, nil
	}
	position, sum, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(s), headPrefix), "-")
	n, err := strconv.ParseInt(position, 10, 64)
	b, err2 := hex.DecodeString(sum)
	if !ok || !strings.HasPrefix(strings.TrimSpace(s), headPrefix) || err != nil || err2 != nil || n < 0 || len(b) != sha256.Size {
		return head{}, fault.Newf(fault.Unprocessable, "head-invalid", "%q is no head. A head looks like %s<position>-<64 hexadecimal digits>.", s, headPrefix)
	}
	return head{n, events.Hash(b)}, nil
}

// folder folds the facts of one stream.
type folder interface {
	ApplyEvent(ctx context.Context, e eh.Event) error
	CarriedState() ([]byte, int, error)
}

func newFolder(k events.Kind, id events.StreamID) folder {
	switch k {
	case events.KindConnection:
		return fold(connection.Decider, id)
	case events.KindReservation:
		return fold(reservation.Decider, id)
	case events.KindConversation:
		return fold(conversation.Decider, id)
	case events.KindDelivery:
		return fold(delivery.Decider, id)
	}
	return nil
}

func fold[S any](d domain.Decider[S], id events.StreamID) folder {
	return d.NewAggregate(id, time.Time{})
}
