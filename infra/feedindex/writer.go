package feedindex

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/feedindex/parallel"
)

const (
	// settle is how long what is written now may still be incomplete, and by how
	// much clocks may differ that are kept right.
	settle = 5 * time.Minute
	// skew is by how much a clock may differ that nobody keeps right: that of
	// the machine from which history was imported.
	skew = 48 * time.Hour
	// keptStreams is how many streams a writer remembers, twice over: some 40
	// bytes each.
	keptStreams = 500_000
	// workers is how many requests are under way at once.
	workers = 16
	// maxConflicts bounds how often a place in the feed is taken by another
	// writer first. Each time somebody's segment was stored.
	maxConflicts = 100
)

// Commits finds commits in the log.
type Commits interface {
	// Commit returns the commit that holds a version of a stream, or a fault of
	// kind NotFound.
	Commit(ctx context.Context, stream events.StreamID, version int) (eventlog.Commit, error)
}

// Writer takes commits into the index. It remembers what it wrote and read, so
// one is kept as long as its process. It is safe for concurrent use, and does
// one thing at a time. There may be any number of writers.
type Writer struct {
	*Index
	log   Commits
	codec *events.Codec

	mu     sync.Mutex
	known  *memory // nil before the first use
	next   int64   // position of the next fact, if nobody else wrote meanwhile
	minute string  // the last one that has a row in the time partition
}

// Writer returns a writer into the index of the given log.
func (x *Index) Writer(log Commits, codec *events.Codec) *Writer {
	return &Writer{Index: x, log: log, codec: codec}
}

// Add gives the commits of a batch their places in the feed, in the order given,
// and completes everything that follows from them. It may be told of the same
// commit any number of times, in any order and by any writer: each commit has
// one place. Where a commit before it in its stream has none yet, that is read
// from the log and gets its place first.
//
// Commits that can't follow those before them in their stream, because one is
// unreadable, are left out with those that come after them, and reported. They
// are taken in with the next commit of their stream that comes once it can be
// read. After an error the same call is to be made again.
func (w *Writer) Add(ctx context.Context, batch []eventlog.Change) (leftOut []error, err error) {
	changes, leftOut := readable(batch)
	if len(changes) == 0 {
		return leftOut, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	arrived := oldest(changes)
	if err := w.open(ctx, arrived); err != nil {
		return nil, fmt.Errorf("open the feed: %w", err)
	}
	lost, err := w.add(ctx, changes, arrived)
	if err != nil {
		return nil, fmt.Errorf("index %d commits: %w", len(changes), err)
	}
	return append(leftOut, lost...), nil
}

// readable returns the new commits of a batch, and why others can't be read.
func readable(batch []eventlog.Change) (changes []eventlog.Change, leftOut []error) {
	for i := range batch {
		switch c := &batch[i]; {
		case !c.Stored: // others watch out for what nobody may do
		case c.Err != nil:
			leftOut = append(leftOut, fmt.Errorf("leave out commit %s@%d: %w", c.Stream, c.After.Version+1, c.Err))
		case len(c.Facts) > 0:
			changes = append(changes, *c)
		}
	}
	return changes, leftOut
}

// oldest returns when the log stored the first of them. It says how far back
// one must look for a repetition.
func oldest(changes []eventlog.Change) time.Time {
	at := func(c eventlog.Change) time.Time {
		if c.At.IsZero() {
			return c.Facts[0].At()
		}
		return c.At
	}
	return at(slices.MinFunc(changes, func(a, b eventlog.Change) int { return at(a).Compare(at(b)) }))
}

func (w *Writer) add(ctx context.Context, changes []eventlog.Change, arrived time.Time) (leftOut []error, err error) {
	var own []segment
	for conflicts := 0; ; {
		p, err := w.plan(ctx, changes, arrived, own)
		if err != nil {
			return nil, err
		}
		if len(p.fresh) == 0 {
			return p.leftOut, errors.Join(w.derive(ctx, own), w.again(ctx, p.repeated, arrived))
		}
		s, stored, err := w.append(ctx, p.fresh)
		if err == nil && !stored {
			conflicts++
			err = w.giveWay(ctx, conflicts)
		}
		if err != nil {
			return nil, err
		}
		if stored {
			own = append(own, s)
		}
	}
}

// append stores as many of the entries as a row holds, unless another writer
// took the place.
func (w *Writer) append(ctx context.Context, entries []Entry) (segment, bool, error) {
	s := segment{Written: milliseconds(w.now())}
	s.Entries = entries[:cut(s.Written, entries)]
	stored, err := w.table.Put(ctx, Row{Partition: feedPartition, Order: place(w.next), Data: pack(s.Written, s.Entries)}, true)
	if err != nil || !stored {
		return segment{}, false, err
	}
	w.pass(s)
	return s, true, nil
}

// pass goes on to behind a segment.
func (w *Writer) pass(s segment) {
	w.known.remember(s)
	w.next = s.Entries[len(s.Entries)-1].end()
}

// giveWay reads what another writer wrote where this one was about to.
func (w *Writer) giveWay(ctx context.Context, conflicts int) error {
	if conflicts > maxConflicts {
		return fault.New(fault.Unavailable, "feed-contended", "Too many write the feed at once; try again.")
	}
	if conflicts > 1 {
		pause := time.NewTimer(rand.N(min(time.Duration(conflicts)*5*time.Millisecond, 200*time.Millisecond)))
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return w.follow(ctx)
}

// open reads the feed from some time before arrived, once.
func (w *Writer) open(ctx context.Context, arrived time.Time) error {
	if w.known != nil {
		return nil
	}
	since := arrived.Add(-settle)
	from, err := w.positionAt(ctx, since)
	if err != nil {
		return err
	}
	w.known, w.next = newMemory(keptStreams, from, since), from
	if err := w.follow(ctx); err != nil {
		w.known = nil // half is not enough
		return err
	}
	return nil
}

// follow reads what was written to the feed since.
func (w *Writer) follow(ctx context.Context) error {
	for s, err := range w.segments(ctx, Range{Partition: feedPartition, From: place(w.next)}) {
		if err != nil {
			return err
		}
		if first := s.Entries[0].Position; first != w.next {
			return fmt.Errorf("feedindex: the feed goes on at %d, not at %d", first, w.next)
		}
		w.pass(s)
	}
	return nil
}

// derive writes the rows that follow from segments.
func (w *Writer) derive(ctx context.Context, segments []segment) error {
	var rows []Row
	for _, s := range segments {
		rows = append(rows, s.rows(w.now())...)
		if t := s.timeRow(); t.Order != w.minute {
			rows = append(rows, t)
		}
	}
	err := parallel.Each(ctx, workers, len(rows), func(ctx context.Context, i int) error {
		_, err := w.table.Put(ctx, rows[i], false)
		return err
	})
	if err != nil {
		return fmt.Errorf("complete %d segments: %w", len(segments), err)
	}
	if len(segments) > 0 {
		w.minute = segments[len(segments)-1].timeRow().Order
	}
	return nil
}

// again writes what follows from the segments in which commits are that were
// told before: whoever was told first may have been interrupted.
func (w *Writer) again(ctx context.Context, repeated map[commitKey]bool, arrived time.Time) error {
	if len(repeated) == 0 {
		return nil
	}
	from, err := w.positionAt(ctx, arrived.Add(-settle))
	if err != nil {
		return err
	}
	for s, err := range w.segments(ctx, Range{Partition: feedPartition, From: place(from)}) {
		if err != nil {
			return fmt.Errorf("look for repeated commits: %w", err)
		}
		if !s.holds(repeated) {
			continue
		}
		if err := w.derive(ctx, []segment{s}); err != nil {
			return err
		}
	}
	return nil
}

func (s segment) holds(any map[commitKey]bool) bool {
	for i := range s.Entries {
		if any[s.Entries[i].key()] {
			return true
		}
	}
	return false
}
