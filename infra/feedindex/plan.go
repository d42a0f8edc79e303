package feedindex

import (
	"context"
	"fmt"
	"time"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/feedindex/parallel"
)

// commitKey names a commit by the version of its first fact.
type commitKey struct {
	stream  events.StreamID
	version int
}

func (e *Entry) key() commitKey { return commitKey{e.Stream, e.Version} }

func keyOf(c *eventlog.Change) commitKey { return commitKey{c.Stream, c.After.Version + 1} }

// plan is what is to be done with a batch.
type plan struct {
	w     *Writer
	batch map[commitKey]*eventlog.Change
	own   map[commitKey]bool // stored in the same call
	ahead map[events.StreamID]int
	lost  map[events.StreamID]bool // streams of which one commit can't be read
	next  int64

	fresh    []Entry
	repeated map[commitKey]bool
	leftOut  []error
}

// plan finds out which of the commits are new to the feed.
func (w *Writer) plan(ctx context.Context, changes []eventlog.Change, arrived time.Time, own []segment) (*plan, error) {
	p := &plan{
		w: w, next: w.next, batch: make(map[commitKey]*eventlog.Change), own: make(map[commitKey]bool),
		ahead: make(map[events.StreamID]int), lost: make(map[events.StreamID]bool), repeated: make(map[commitKey]bool),
	}
	for i := range changes {
		p.batch[keyOf(&changes[i])] = &changes[i]
	}
	for _, s := range own {
		for i := range s.Entries {
			p.own[s.Entries[i].key()] = true
		}
	}
	if err := p.lookUp(ctx, changes, arrived); err != nil {
		return nil, err
	}
	for i := range changes {
		if err := p.take(ctx, &changes[i]); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// take places a commit, those before it that have no place yet first.
func (p *plan) take(ctx context.Context, c *eventlog.Change) error {
	if p.lost[c.Stream] {
		return nil
	}
	at := p.version(c.Stream)
	if c.Head().Version <= at {
		if _, planned := p.ahead[c.Stream]; !planned && !p.own[keyOf(c)] {
			p.repeated[keyOf(c)] = true
		}
		return nil
	}
	for at < c.After.Version {
		missing, err := p.commit(ctx, c.Stream, at+1)
		if err == nil {
			err = p.place(missing, at)
		}
		if err != nil {
			return p.leave(ctx, c.Stream, err)
		}
		at = missing.Head().Version
	}
	return p.leave(ctx, c.Stream, p.place(c, at))
}

// version returns up to which version a stream has its place.
func (p *plan) version(id events.StreamID) int {
	if v, planned := p.ahead[id]; planned {
		return v
	}
	return p.w.known.version(id)
}

func (p *plan) commit(ctx context.Context, stream events.StreamID, version int) (*eventlog.Change, error) {
	if c := p.batch[commitKey{stream, version}]; c != nil {
		return c, nil
	}
	c, err := p.w.log.Commit(ctx, stream, version)
	return &eventlog.Change{Commit: c}, err
}

// place gives a commit the next place, if it follows the version that its
// stream has reached.
func (p *plan) place(c *eventlog.Change, at int) error {
	if c.After.Version != at {
		return fault.Newf(fault.Unprocessable, "commit-unreadable", "A commit of stream %s begins after version %d, but another ends at %d.", c.Stream, c.After.Version, at)
	}
	e, err := describe(p.w.codec, c)
	if err != nil {
		return err
	}
	e.Position = p.next
	p.next = e.end()
	p.fresh, p.ahead[e.Stream] = append(p.fresh, e), e.Last()
	return nil
}

// leave leaves a stream out because of what is in it. An error that says
// nothing about that is returned.
func (p *plan) leave(ctx context.Context, stream events.StreamID, err error) error {
	if !Unreadable(ctx, err) {
		return err
	}
	p.lost[stream] = true
	p.leftOut = append(p.leftOut, fmt.Errorf("leave out stream %s: %w", stream, err))
	return nil
}

// lookUp reads how far the streams of a batch are in the feed that the writer
// knows nothing of.
func (p *plan) lookUp(ctx context.Context, changes []eventlog.Change, arrived time.Time) error {
	unknown := make(map[events.StreamID]*eventlog.Change) // the earliest of each
	for i := range changes {
		c := &changes[i]
		if u := unknown[c.Stream]; p.w.known.version(c.Stream) == 0 && (u == nil || c.After.Version < u.After.Version) {
			unknown[c.Stream] = c
		}
	}
	if since := arrived.Add(-settle); len(unknown) > 0 && !p.w.known.knows(since) {
		if err := p.w.glean(ctx, since, unknown); err != nil {
			return err
		}
	}
	var late []*eventlog.Change
	for _, c := range unknown {
		if c.After.Version > 0 && p.w.known.version(c.Stream) == 0 {
			late = append(late, c)
		}
	}
	found, failed := make([]int, len(late)), make([]error, len(late))
	_ = parallel.Each(ctx, workers, len(late), func(ctx context.Context, i int) error {
		found[i], failed[i] = p.w.find(ctx, late[i])
		return nil
	})
	for i, c := range late {
		if err := p.leave(ctx, c.Stream, failed[i]); err != nil {
			return err
		}
		p.w.known.note(c.Stream, found[i])
	}
	return nil
}

// glean notes what the feed says of the given streams from an instant up to
// where the writer's memory begins.
func (w *Writer) glean(ctx context.Context, since time.Time, wanted map[events.StreamID]*eventlog.Change) error {
	from, err := w.positionAt(ctx, since)
	if err != nil {
		return err
	}
	for s, err := range w.segments(ctx, Range{Partition: feedPartition, From: place(from), To: place(w.known.old.from - 1)}) {
		if err != nil {
			return err
		}
		for i := range s.Entries {
			if e := &s.Entries[i]; wanted[e.Stream] != nil {
				w.known.note(e.Stream, e.Last())
			}
		}
	}
	return nil
}

// find returns up to which version the stream of a commit is in the feed, if
// nothing that is known says so. It begins to look where the commit before it
// should be; that costs a read of the log and one or two segments. Only if that
// is not there, which is as good as never, it looks far.
func (w *Writer) find(ctx context.Context, c *eventlog.Change) (int, error) {
	for _, look := range []struct {
		version int
		back    time.Duration
	}{{c.After.Version, settle}, {1, skew}} {
		before, err := w.log.Commit(ctx, c.Stream, look.version)
		if err != nil {
			return 0, err
		}
		v, err := w.search(ctx, c.Stream, before.Facts[0].At().Add(-look.back), c.After.Version)
		if err != nil || v > 0 {
			return v, err
		}
	}
	return 0, nil
}

// searchPage is how many segments a search reads at once.
const searchPage = 4

// search returns up to which version a stream is in the part of the feed that
// was written between an instant and what the writer remembers. It stops where
// it finds the wanted version.
func (w *Writer) search(ctx context.Context, stream events.StreamID, since time.Time, wanted int) (version int, err error) {
	from, err := w.positionAt(ctx, since)
	if err != nil {
		return 0, err
	}
	for s, err := range w.segments(ctx, Range{Partition: feedPartition, From: place(from), To: place(w.known.old.from - 1), Page: searchPage}) {
		if err != nil {
			return 0, err
		}
		for i := range s.Entries {
			if e := &s.Entries[i]; e.Stream == stream {
				version = max(version, e.Last())
			}
		}
		if version >= wanted {
			break
		}
	}
	return version, nil
}
