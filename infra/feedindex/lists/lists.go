// Package lists answers what people ask of a log on AWS: which escalations,
// connections and deliveries there are. It answers what package directory
// answers on one machine, and keeps nothing: candidates are read from the index,
// newest first, and what they are now from the log, several at a time.
//
// Where its answers differ from those of one machine:
//
//   - They lag behind by a second or two. What a row says is not late, but
//     whether there is one. Only ByCustomer misses nothing.
//   - A page looks at a limited number of commits. If it finds few rows among
//     them it is short, perhaps empty, and has a cursor all the same; a list has
//     ended when there is none.
//   - An id that is not whole is looked for among the newest commits only.
//   - In the list of a connection, an escalation that moved there stands where
//     it moved, not where it was raised; a parked delivery, among those, stands
//     where it was parked. Those of a customer and those of one id are sorted by
//     time.
//   - Pending deliveries are those that wait in a lane, tried or not.
//   - How many escalations of a connection are open is counted among its newest
//     commits, and no further back than one may stay open.
package lists

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"handoff/domain/delivery"
	"handoff/events"
	"handoff/infra/dynamolanes"
	"handoff/infra/eventlog"
	"handoff/infra/feedindex"
)

// Names derives the names of streams.
type Names interface {
	StreamID(tenant string, kind events.Kind, parts ...string) (events.StreamID, error)
}

// Lanes knows which deliveries wait.
type Lanes interface {
	// Waiting yields those of a tenant, or of one of its connections or
	// endpoints.
	Waiting(ctx context.Context, tenant, connection, endpoint string) iter.Seq2[dynamolanes.Row, error]
	// Find returns a delivery that waits, or false.
	Find(ctx context.Context, item delivery.Item) (dynamolanes.Row, bool, error)
}

// Lists answers. Index, Ledger and Now are needed by all questions, Names and
// Lanes by those about deliveries. It is safe for concurrent use.
type Lists struct {
	Index  *feedindex.Index
	Ledger *eventlog.Ledger
	Names  Names
	Lanes  Lanes
	Now    func() time.Time
	// Lifetime is how long an escalation may stay open, as long as it was ever
	// set; 0 means the longest that can be set.
	Lifetime time.Duration
}

const (
	// maxLifetime is the most that HANDOFF_ESCALATION_LIFETIME can be.
	maxLifetime = 90 * 24 * time.Hour
	// slack is what a deadline may be late by.
	slack = 24 * time.Hour
	// loaders is how many rows are read from the log at once.
	loaders = 16
	// maxLoaded is how many rows a page reads from the log, and maxLooked at how
	// many commits it looks: 40 bytes each.
	maxLoaded = 1000
	maxLooked = 200_000
	// maxSearched is the same for an id that is not whole.
	maxSearched = 1_000_000
	// maxWaiting is how many waiting deliveries are sorted.
	maxWaiting = 10_000
)

func (l *Lists) lifetime() time.Duration {
	if l.Lifetime <= 0 {
		return maxLifetime
	}
	return l.Lifetime
}

// candidate is a commit that may begin a row.
type candidate struct {
	feedindex.Entry
	// cut says that it is none: the page has looked far enough, and goes on
	// before its position next time.
	cut bool
}

// candidates are the entries that want accepts, up to the limits of a page.
func candidates(entries iter.Seq2[feedindex.Entry, error], want func(feedindex.Entry) bool, limit int) iter.Seq2[candidate, error] {
	return func(yield func(candidate, error) bool) {
		looked, loaded := 0, 0
		for e, err := range entries {
			wanted := err == nil && want(e)
			if looked++; wanted {
				loaded++
			}
			if looked > limit || loaded > maxLoaded {
				e.Position++ // this one is not done yet
				yield(candidate{e, true}, nil)
				return
			}
			if (wanted || err != nil) && !yield(candidate{e, false}, err) {
				return
			}
		}
	}
}

// facts yields the decoded facts of a stream, private parts left sealed.
func (l *Lists) facts(ctx context.Context, stream events.StreamID, observe func(events.Record, events.Fact)) error {
	for r, err := range l.Ledger.Log().Read(ctx, stream, 1) {
		if err != nil {
			return err
		}
		f, err := l.Ledger.Decode(r)
		if err != nil {
			return err
		}
		observe(r, f)
	}
	return nil
}

// leaveOut returns nil where a row is left out of a list because of what is in
// its stream: one that can't be read must not hide the others.
func leaveOut(ctx context.Context, stream events.StreamID, err error) error {
	if err == nil || !feedindex.Unreadable(ctx, err) {
		return err
	}
	slog.WarnContext(ctx, "stream left out of a list", "stream", stream.String(), "error", err)
	return nil
}
