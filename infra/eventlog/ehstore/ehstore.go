// Package ehstore is eventhorizon's event store over any event log of Handoff,
// for code that is written against eventhorizon.
//
// It keeps what eventhorizon's interface promises and its memory store does
// not: history is never replaced, a save to the wrong version is refused, and
// no event is ever nil. What the interface can't carry is lost on the way:
//
//   - the commit's id. Each Save makes one, so a save whose answer was lost is
//     a conflict when it is repeated, not a success.
//   - the folded state. A commit made here carries none, which is version 0
//     and makes a Ledger refold the stream from its facts.
//   - the head with its hash. Save reads it, which costs a read, and an event
//     store knows an aggregate by its id alone, not by its tenant: a store is
//     made for one tenant and finds no other's aggregates.
//   - private parts, cause, correlation, actor and trace. They are beside the
//     event in the fact, never in its metadata.
//
// Handoff's own functions use the Ledger, which carries all of them.
package ehstore

import (
	"context"
	"errors"
	"fmt"

	eh "github.com/looplab/eventhorizon"
	"github.com/looplab/eventhorizon/uuid"

	"handoff/events"
	"handoff/infra/eventlog"
)

// Codec turns an event's data and metadata into the clear part of a fact, and
// back exactly. It is safe for concurrent use.
type Codec interface {
	Encode(e eh.Event) (clear []byte, schema int, err error)
	Decode(r events.Record) (data eh.EventData, metadata map[string]any, err error)
}

// Store is an event store for one tenant. It is safe for concurrent use. The
// log stays its owner's: Close leaves it open.
type Store struct {
	log    eventlog.Log
	codec  Codec
	tenant string
	newID  func() string
}

var _ eh.EventStore = (*Store)(nil)

// New returns a store over log. newID makes the ids of commits.
func New(log eventlog.Log, codec Codec, tenant string, newID func() string) *Store {
	return &Store{log: log, codec: codec, tenant: tenant, newID: newID}
}

// Save appends the events of one aggregate as one commit after the given
// version.
func (s *Store) Save(ctx context.Context, saved []eh.Event, originalVersion int) error {
	err := check(saved, originalVersion)
	if err == nil {
		err = s.append(ctx, saved, originalVersion)
	}
	if _, conflict := errors.AsType[*eventlog.ConflictError](err); conflict {
		err = fmt.Errorf("%w: %w", eh.ErrEventConflictFromOtherSave, err)
	}
	if err == nil {
		return nil
	}
	failed := &eh.EventStoreError{Err: err, Op: eh.EventStoreOpSave, AggregateVersion: originalVersion, Events: saved}
	if len(saved) > 0 {
		failed.AggregateType, failed.AggregateID = saved[0].AggregateType(), saved[0].AggregateID()
	}
	return failed
}

// check reports what is wrong with the events themselves.
func check(saved []eh.Event, originalVersion int) error {
	if len(saved) == 0 {
		return eh.ErrMissingEvents
	}
	for i, e := range saved {
		switch {
		case e.AggregateID() != saved[0].AggregateID():
			return eh.ErrMismatchedEventAggregateIDs
		case e.AggregateType() != saved[0].AggregateType():
			return eh.ErrMismatchedEventAggregateTypes
		case e.Version() != originalVersion+i+1:
			return eh.ErrIncorrectEventVersion
		}
	}
	return nil
}

func (s *Store) append(ctx context.Context, saved []eh.Event, originalVersion int) error {
	stream := saved[0].AggregateID()
	snap, err := s.log.Load(ctx, stream)
	if err != nil {
		return err
	}
	if snap.Version != originalVersion {
		return &eventlog.ConflictError{Stream: stream, Expected: eventlog.Head{Version: originalVersion}, Actual: snap.Head}
	}
	c := eventlog.Commit{
		Stream: stream, Tenant: s.tenant, Connection: snap.Connection, Kind: events.Kind(saved[0].AggregateType()),
		ID: s.newID(), After: snap.Head,
	}
	for _, e := range saved {
		clear, schema, err := s.codec.Encode(e)
		if err != nil {
			return fmt.Errorf("encode %s: %w", e, err)
		}
		c.Facts = append(c.Facts, events.Record{
			Header: events.Header{Type: string(e.EventType()), Schema: schema, Time: e.Timestamp().UnixNano()}, Clear: clear,
		})
	}
	eventlog.ChainCommit(&c)
	_, err = s.log.Append(ctx, c)
	return err
}

// Load returns all events of an aggregate.
func (s *Store) Load(ctx context.Context, id uuid.UUID) ([]eh.Event, error) {
	return s.LoadFrom(ctx, id, 1)
}

// LoadFrom returns the events of an aggregate from a version on: none if it is
// the next version, eh.ErrAggregateNotFound if there is no such aggregate.
func (s *Store) LoadFrom(ctx context.Context, id uuid.UUID, version int) ([]eh.Event, error) {
	loaded, err := s.load(ctx, id, version)
	if err == nil {
		return loaded, nil
	}
	return nil, &eh.EventStoreError{Err: err, Op: eh.EventStoreOpLoad, AggregateID: id, AggregateVersion: version}
}

func (s *Store) load(ctx context.Context, id uuid.UUID, version int) ([]eh.Event, error) {
	var loaded []eh.Event
	for r, err := range s.log.Read(ctx, id, version) {
		if err != nil {
			return nil, err
		}
		if r.Tenant != s.tenant {
			return nil, eh.ErrAggregateNotFound
		}
		data, metadata, err := s.codec.Decode(r)
		if err != nil {
			return nil, fmt.Errorf("decode %s: %w", r.ID(), err)
		}
		loaded = append(loaded, eh.NewEvent(eh.EventType(r.Type), data, r.At(),
			eh.ForAggregate(eh.AggregateType(r.Kind), id, r.Version), eh.WithMetadata(metadata)))
	}
	if len(loaded) > 0 {
		return loaded, nil
	}
	snap, err := s.log.Load(ctx, id)
	if err == nil && (snap.Version == 0 || snap.Tenant != s.tenant) {
		err = eh.ErrAggregateNotFound
	}
	return nil, err
}

// Close does nothing: the log has another owner.
func (s *Store) Close() error { return nil }
