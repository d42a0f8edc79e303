package dynamolanes

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"handoff/domain/delivery"
)

// Item is an item of the table.
type Item struct {
	P, O string // its partition, and its place there
	// N is its revision. It is 0 for an item that is not there, begins at the
	// time of its making, so that it never has one of an item of the same name
	// before it, and grows with every change.
	N int64
	// Due puts it into the index of what is due. Zero leaves it out.
	Due  time.Time
	Body []byte // JSON
}

// next returns the item after a change.
func (i Item) next(due time.Time, body []byte) Item {
	i.N, i.Due, i.Body = i.N+1, due, body
	return i
}

// made returns the item as it is made.
func (i Item) made(now, due time.Time, body []byte) Item {
	i.N, i.Due, i.Body = now.UnixNano(), due, body
	return i
}

// Store keeps items.
type Store interface {
	// Read returns up to limit items of a partition in their order, from a place
	// on. It sees every Swap that returned before it was called.
	Read(ctx context.Context, p, from string, limit int) ([]Item, error)
	// Swap puts is in the place of was, whose P and O it has, and returns false
	// if the item there is of another revision. The zero Item for is deletes. An
	// error leaves open whether it was done.
	Swap(ctx context.Context, was, is Item) (bool, error)
}

// Index finds lanes.
type Index interface {
	// Due yields the partitions that begin with a prefix and hold an item that is
	// due by an instant, or at any time where that is zero. It may lag behind the
	// Store by a moment.
	Due(ctx context.Context, prefix string, until time.Time) iter.Seq2[string, error]
}

// Work is both.
type Work interface {
	Store
	Index
}

const (
	lanePrefix    = "lane#"
	breakerPrefix = "breaker#"
	// headline is the place of what is said of a partition as a whole. It comes
	// before the rows, which begin with digits.
	headline = "!"
)

// laneOf returns the lane of an item. Nobody but this package reads it.
func laneOf(i delivery.Item) string {
	return lanesOf(i.Tenant, i.Subject.Connection, i.Subject.Endpoint) + i.Subject.Stream
}

// lanesOf returns how the lanes of a tenant begin, or those of a connection, or
// those of an endpoint. Names have no # in them.
func lanesOf(names ...string) string {
	var p strings.Builder
	p.WriteString(lanePrefix)
	for _, n := range names {
		if n == "" {
			break
		}
		p.WriteString(n + "#")
	}
	return p.String()
}

func breakerOf(i delivery.Item) string {
	return breakerPrefix + strings.Join([]string{i.Tenant, i.Subject.Connection, i.Subject.Endpoint}, "#")
}

// lane is what stands in the headline of a lane. Its due is when the lane is to
// be looked at, or when the lease of the worker that is at it ends.
type lane struct {
	Lease string `json:"lease,omitempty"` // of the worker that is at it
	Waits bool   `json:"waits,omitempty"` // for a transcript; nothing failed
	// Head is the row that the rest is about; of another row nothing is known.
	Head   string `json:"head,omitempty"`
	Tries  int    `json:"tries,omitempty"`  // attempts since it is in the lane
	Errors int    `json:"errors,omitempty"` // in a row, of our own
	Code   string `json:"code,omitempty"`   // of the last attempt
	HTTP   int    `json:"http,omitempty"`

	due time.Time
}

// row is a delivery that waits.
type row struct {
	Item    delivery.Item `json:"item"`
	Queued  time.Time     `json:"queued"`
	Expires time.Time     `json:"expires"` // from then on the next attempt is the last

	stored Item
}

func rowName(i delivery.Item) string { return fmt.Sprintf("%010d", i.Subject.Version) }

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("dynamolanes: " + err.Error()) // texts, numbers and times always encode
	}
	return b
}

func decodeRow(i Item) (row, error) {
	r := row{stored: i}
	if err := json.Unmarshal(i.Body, &r); err != nil {
		return r, fmt.Errorf("read row %s of %s: %w", i.O, i.P, err)
	}
	return r, nil
}

func decodeLane(i Item) (lane, error) {
	l := lane{due: i.Due}
	if err := json.Unmarshal(i.Body, &l); err != nil {
		return l, fmt.Errorf("read lane %s: %w", i.P, err)
	}
	return l, nil
}

// sight is a lane as it was found: its headline, if there is one, and its first
// row, if there is one.
type sight struct {
	lane
	item Item
	head *row
}

func (s *sight) empty() bool { return s.item.N == 0 && s.head == nil }

// look reads a lane: one read unit while two items are within 4 KB.
func (q *Queue) look(ctx context.Context, p string) (sight, error) {
	s := sight{item: Item{P: p, O: headline}}
	found, err := q.work.Read(ctx, p, headline, 2)
	if err != nil {
		return s, err
	}
	if len(found) > 0 && found[0].O == headline {
		s.item = found[0]
		if s.lane, err = decodeLane(found[0]); err != nil {
			return s, err
		}
		found = found[1:]
	}
	if len(found) > 0 {
		r, err := decodeRow(found[0])
		if err != nil {
			return s, err
		}
		s.head = &r
	}
	return s, nil
}

// save changes the headline, or makes it. False says that somebody else changed
// it since the look.
func (q *Queue) save(ctx context.Context, s *sight, becomes lane) (bool, error) {
	is := s.item.next(becomes.due, encode(becomes))
	if s.item.N == 0 {
		is = s.item.made(q.now(), becomes.due, encode(becomes))
	}
	ok, err := q.work.Swap(ctx, s.item, is)
	if ok {
		s.item, s.lane = is, becomes
	}
	return ok, err
}
