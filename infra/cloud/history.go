package cloud

import (
	"context"
	"errors"
	"sync"
	"time"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/dynamolog"
	"handoff/infra/feedindex"
)

// importers is how many streams take commits of an import at once.
const importers = 16

// History is the whole log of a stack with its feed: what is replayed, verified,
// exported, and imported into. It is safe for concurrent use, but for Put.
type History struct {
	*dynamolog.Log
	eventlog.Feed

	index *feedindex.Index
	refs  *feedindex.Referred
	feed  *feedindex.Writer
	now   func() time.Time
}

// History returns the stack's log and feed.
func (c *Cloud) History() *History {
	log, index := c.EventLog(), feedindex.New(c.DB(), c.Need(IndexTable), c.Now)
	return &History{
		Log: log, Feed: index.Feed(log), index: index, now: c.Now,
		refs: feedindex.WithRefs(log, index, events.Register()), feed: index.Writer(log, events.Register()),
	}
}

// Last returns the position of the last fact in the feed.
func (h *History) Last(ctx context.Context) (int64, error) { return h.index.Last(ctx) }

// VersionsAt returns the version of every stream at a position of the feed.
func (h *History) VersionsAt(ctx context.Context, position int64) (map[events.StreamID]int, error) {
	return h.index.VersionsAt(ctx, position)
}

// Put appends commits that were copied from another log, those of different
// streams side by side, and then gives them their places in the feed in their
// order. Nobody is told of them: they were dealt with where they come from, and
// what was not, the stack's own check of what was never confirmed takes up.
func (h *History) Put(ctx context.Context, commits []eventlog.Commit) error {
	streams := make(map[events.StreamID][]eventlog.Commit)
	changes := make([]eventlog.Change, len(commits))
	for i, c := range commits {
		streams[c.Stream] = append(streams[c.Stream], c)
		changes[i] = eventlog.Change{At: h.now(), Stored: true, Imported: true, Commit: c}
	}
	if err := h.store(ctx, streams); err != nil {
		return err
	}
	left, err := h.feed.Add(ctx, changes)
	return errors.Join(err, errors.Join(left...))
}

func (h *History) store(ctx context.Context, streams map[events.StreamID][]eventlog.Commit) error {
	var wg sync.WaitGroup
	places, failed := make(chan struct{}, importers), make(chan error, len(streams))
	for _, commits := range streams {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			failed <- h.storeStream(ctx, commits)
		})
	}
	wg.Wait()
	close(failed)
	var errs []error
	for err := range failed {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (h *History) storeStream(ctx context.Context, commits []eventlog.Commit) error {
	for _, c := range commits {
		if err := h.refs.Refer(ctx, c); err != nil {
			return err
		}
		if _, err := h.Import(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// Reindex takes into the feed what the stream of changes never told of, such as
// commits of a day on which the indexer could not run. What is in the feed
// keeps its place. It returns how many facts the feed gained.
func (h *History) Reindex(ctx context.Context, progress func(done, all int64)) (gained int64, err error) {
	before, err := h.Last(ctx)
	if err != nil {
		return 0, err
	}
	var done int64
	for s, err := range h.Walk(ctx) {
		if err != nil {
			return 0, err
		}
		done++
		if s.Carried == nil {
			continue // the commits before the last one of a stream come with it
		}
		progress(done, before)
		c, err := h.Commit(ctx, s.Stream, s.Version)
		if err != nil {
			return 0, err
		}
		left, err := h.feed.Add(ctx, []eventlog.Change{{At: s.At(), Stored: true, Commit: c}})
		if err = errors.Join(err, errors.Join(left...)); err != nil {
			return 0, err
		}
	}
	after, err := h.Last(ctx)
	return after - before, err
}
