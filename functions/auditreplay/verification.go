package auditreplay

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"handoff/domain/audit"
	"handoff/domain/refold"
	"handoff/events"
	"handoff/infra/eventlog"
)

// verification checks whole streams, one after the other. Several may check
// different streams at the same time; add puts their results together.
type verification struct {
	*Handler
	upTo cut  // the facts that count
	then head // an earlier one
	past cut  // the facts that it was about

	out    audit.Verified
	seen   int64 // facts that count
	stream stream
	now    []leaf
	before []leaf // of the earlier head
}

// stream is what is known of the stream that is walked.
type stream struct {
	id     events.StreamID
	head   eventlog.Head
	now    eventlog.Head // at the last fact that counts
	past   eventlog.Head // at the last that the earlier head was about
	fold   refold.Folder
	last   events.Record // without its bytes
	ends   bool          // last is where the stored head says that the stream ends
	broken bool
}

func (v *verification) check(ctx context.Context, s eventlog.Step) error {
	if s.Stream != v.stream.id {
		v.endStream()
		v.stream = stream{id: s.Stream, fold: refold.New(s.Kind, s.Stream)}
	}
	if s.Version == 0 {
		v.breach(s.Record, "head-differs", "A head is stored for the stream, and not one of its facts.")
		return nil
	}
	v.out.Facts++
	v.chain(s.Record)
	if err := v.sealed(ctx, s.Record); err != nil {
		return err
	}
	v.fold(s)
	v.stream.head = eventlog.Head{Version: s.Version, Hash: s.Hash}
	v.stream.last, v.stream.ends = events.Record{Header: s.Header, Position: s.Position}, s.Carried != nil
	if v.upTo.has(s) {
		v.seen, v.stream.now = v.seen+1, v.stream.head
	}
	if v.past.has(s) {
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
func (v *verification) fold(s eventlog.Step) {
	f, err := v.Ledger.Decode(s.Record)
	if err != nil || v.stream.fold == nil {
		v.breach(s.Record, "fact-unreadable", "The fact can't be read by this version of Handoff.")
		return
	}
	v.stream.fold.Fold(f)
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
	v.before = appendLeaf(v.before, v.stream.id, v.stream.past)
}
