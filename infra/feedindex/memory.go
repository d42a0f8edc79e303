package feedindex

import (
	"time"

	"handoff/events"
)

// memory is what a writer knows of the feed: how far each stream is in it, as
// told by the segments from a place on. It forgets the older half when it is
// full.
type memory struct {
	young, old generation
	limit      int // streams of a generation
}

type generation struct {
	versions map[events.StreamID]int32
	// from is the position of the first segment that it knows, and since an
	// instant from which on all segments are known.
	from  int64
	since time.Time
}

func newMemory(limit int, from int64, since time.Time) *memory {
	g := generation{versions: make(map[events.StreamID]int32), from: from, since: since}
	return &memory{young: g, old: g, limit: limit}
}

// version returns up to which version a stream is in the feed, 0 where no
// segment that is known says so.
func (m *memory) version(id events.StreamID) int {
	if v := m.young.versions[id]; v > 0 {
		return int(v)
	}
	return int(m.old.versions[id])
}

// note keeps that a stream is in the feed up to a version.
func (m *memory) note(id events.StreamID, version int) {
	if version > m.version(id) {
		m.young.versions[id] = int32(version)
	}
}

// remember takes a segment in that is the next one.
func (m *memory) remember(s segment) {
	if len(m.young.versions) >= m.limit {
		m.old = m.young
		m.young = generation{versions: make(map[events.StreamID]int32), from: s.Entries[0].Position, since: s.Written}
	}
	for i := range s.Entries {
		m.note(s.Entries[i].Stream, s.Entries[i].Last())
	}
}

// knows reports whether every segment is known that was written since t.
func (m *memory) knows(t time.Time) bool { return !t.Before(m.old.since) }
