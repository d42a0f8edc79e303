package archive

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"handoff/domain/fault"
	"handoff/domain/refold"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/lru"
)

const (
	batchCommits = 256 // commits that a target takes at once
	keptStreams  = 1 << 16
)

// Target is a log that is copied to. Nothing else appends to it meanwhile.
type Target interface {
	eventlog.Feed
	Load(ctx context.Context, stream events.StreamID) (eventlog.Snapshot, error)
	Read(ctx context.Context, stream events.StreamID, from int) iter.Seq2[events.Record, error]
	Last(ctx context.Context) (int64, error)
	// Put appends commits, which follow one another in the feed. When it
	// returns nil they are durable and in the feed in this order. Commits that
	// are there already are left alone.
	Put(ctx context.Context, commits []eventlog.Commit) error
}

var errNoFact = errors.New("there is no such fact")

// at returns the fact at a position, which the feed begins with.
func at(feed iter.Seq2[events.Record, error], position int64) (events.Record, error) {
	for r, err := range feed {
		if err == nil && r.Position != position {
			err = errNoFact
		}
		return r, err
	}
	return events.Record{}, errNoFact
}

// Import copies everything that the archive holds and the target does not, and
// returns the position of the target's last fact. A target with facts that the
// archive does not have is refused with a fault archive-other-log.
//
// The chain of each stream is checked and each carried state is folded anew
// while facts go in, so a changed archive does not become a log.
func (a *Archive) Import(ctx context.Context, to Target, progress Progress) (int64, error) {
	all, err := a.Last()
	if err != nil {
		return 0, err
	}
	done, err := to.Last(ctx)
	if err != nil {
		return 0, fmt.Errorf("import: %w", err)
	}
	if done > all {
		return done, fault.Newf(fault.Conflict, "archive-other-log", "The log has %d facts and the archive %d: it is no beginning of it. Import into an empty log.", done, all)
	}
	if err := a.matches(ctx, to, done); err != nil {
		return done, err
	}
	i := importer{Archive: a, to: to, codec: events.Register(), streams: lru.New[events.StreamID, *stream](keptStreams)}
	for commit, err := range i.commits(done) {
		if err == nil {
			err = i.add(ctx, commit)
		}
		if err != nil {
			return done, fmt.Errorf("import after position %d: %w", done, err)
		}
		if len(i.batch) == batchCommits {
			if done, err = i.flush(ctx, done); err != nil {
				return done, err
			}
			progress(done, all)
		}
	}
	if done, err = i.flush(ctx, done); err == nil {
		progress(done, all)
	}
	return done, err
}

type importer struct {
	*Archive

	to      Target
	codec   *events.Codec
	streams *lru.Cache[events.StreamID, *stream]
	batch   []eventlog.Commit
}

// stream is where a stream ends after the facts that were read so far.
type stream struct {
	head   eventlog.Head
	folder refold.Folder
}

// commits yields the archive's facts by the commits that they belong to.
func (i *importer) commits(after int64) iter.Seq2[[]events.Record, error] {
	return func(yield func([]events.Record, error) bool) {
		var facts []events.Record
		for r, err := range i.Read(after) {
			if err != nil {
				yield(nil, err)
				return
			}
			if len(facts) > 0 && (facts[0].Stream != r.Stream || facts[0].Commit != r.Commit) {
				if !yield(facts, nil) {
					return
				}
				facts = nil
			}
			facts = append(facts, r)
		}
		if len(facts) > 0 {
			yield(facts, nil)
		}
	}
}

// add makes the commit that the facts were appended with.
func (i *importer) add(ctx context.Context, facts []events.Record) error {
	first := facts[0]
	s, err := i.stream(ctx, first)
	if err != nil {
		return err
	}
	c := eventlog.Commit{
		Stream: first.Stream, Tenant: first.Tenant, Kind: first.Kind, Connection: first.Connection, ID: first.Commit, After: s.head, Facts: facts,
	}
	for n := range facts {
		if err := i.fact(s, &facts[n]); err != nil {
			return fmt.Errorf("fact %s: %w", facts[n].ID(), err)
		}
	}
	if c.State, c.StateVersion, err = s.folder.CarriedState(); err != nil {
		return err
	}
	if err := c.Check(); err != nil {
		return fault.Newf(fault.Unprocessable, "archive-broken", "Fact %s of the archive was changed, or one before it is missing.", first.ID()).Because(err)
	}
	s.head = c.Head()
	i.batch = append(i.batch, c)
	return nil
}

// fact folds a fact and fetches its sealed part.
func (i *importer) fact(s *stream, r *events.Record) error {
	f, err := i.codec.Decode(r.Type, r.Schema, r.Clear)
	if err != nil {
		return err
	}
	s.folder.Fold(f)
	r.Position = 0 // the target gives its own, which will be the same
	if r.HasSealed() && len(r.Sealed) == 0 {
		r.Sealed, err = i.Blob(r.SealedSum)
	}
	return err
}

// stream returns where a stream ends, from memory or from the target.
func (i *importer) stream(ctx context.Context, r events.Record) (*stream, error) {
	if s, ok := i.streams.Get(r.Stream); ok {
		return s, nil
	}
	mark := i.streams.Mark(r.Stream)
	s := &stream{folder: refold.New(r.Kind, r.Stream)}
	if s.folder == nil {
		return nil, fault.Newf(fault.Unprocessable, "fact-unreadable", "Fact %s is of the kind %q, which this version does not know. Import with the version that exported.", r.ID(), r.Kind)
	}
	if err := i.restore(ctx, s, r); err != nil {
		return nil, fmt.Errorf("read stream %s: %w", r.Stream, err)
	}
	i.streams.Put(r.Stream, s, mark)
	return s, nil
}

// restore brings the stream to where it was before a fact. An import that was
// broken off may have left it further on than the feed: then it is folded anew.
func (i *importer) restore(ctx context.Context, s *stream, before events.Record) error {
	if before.Version == 1 {
		return nil
	}
	snap, err := i.to.Load(ctx, before.Stream)
	if err != nil {
		return err
	}
	if snap.Version < before.Version {
		s.head = snap.Head
		return s.folder.Restore(snap.State, snap.StateVersion, snap.Version)
	}
	for r, err := range i.to.Read(ctx, before.Stream, 1) {
		if err != nil {
			return err
		}
		if r.Version == before.Version {
			break
		}
		f, err := i.codec.Decode(r.Type, r.Schema, r.Clear)
		if err != nil {
			return err
		}
		s.folder.Fold(f)
		s.head = eventlog.Head{Version: r.Version, Hash: r.Hash}
	}
	return nil
}

func (i *importer) flush(ctx context.Context, done int64) (int64, error) {
	if len(i.batch) == 0 {
		return done, nil
	}
	if err := i.to.Put(ctx, i.batch); err != nil {
		return done, fmt.Errorf("import after position %d: %w", done, err)
	}
	for _, c := range i.batch {
		done += int64(len(c.Facts))
	}
	i.batch = i.batch[:0]
	return done, nil
}
