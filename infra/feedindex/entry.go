package feedindex

import (
	"fmt"
	"time"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Entry is what the index knows of one commit.
type Entry struct {
	// Position is that of the commit's first fact; the others follow it.
	Position int64
	Stream   events.StreamID
	Version  int // of the first fact
	Facts    int
	Kind     events.Kind
	// Tenant and Connection are those of the stream.
	Tenant, Connection string
	// Time is that of the last fact, in milliseconds.
	Time time.Time
	Marks
}

// Marks are what lists must know of a commit without reading it.
type Marks struct {
	// Number is that of the escalation which the marks below are about.
	Number    int
	Raised    bool      // there is an EscalationRaised
	Ended     bool      // one of the ends of an escalation
	Deadline  time.Time // that the escalation got, zero for none; in milliseconds
	Moved     string    // another connection whose rules apply from here on
	Parked    bool      // a DeliveryParked
	Requested bool      // a ConnectionRequested
	// Imported says that the commit was copied from another log. It is not known
	// of one that was read from the log because it was missing in the feed.
	Imported bool
}

// Last returns the version of the commit's last fact.
func (e Entry) Last() int { return e.Version + e.Facts - 1 }

// end returns the position after the commit.
func (e Entry) end() int64 { return e.Position + int64(e.Facts) }

// describe returns the entry of a commit. Facts of types that this version does
// not know leave no marks: that a commit has a place in the feed must not
// depend on who reads it.
func describe(codec *events.Codec, c *eventlog.Change) (Entry, error) {
	if len(c.Facts) == 0 {
		return Entry{}, fault.Newf(fault.Unprocessable, "commit-unreadable", "Stream %s has a commit without facts.", c.Stream)
	}
	e := Entry{
		Stream: c.Stream, Version: c.After.Version + 1, Facts: len(c.Facts), Kind: c.Kind, Tenant: c.Tenant, Connection: c.Connection,
		Time: milliseconds(c.Facts[len(c.Facts)-1].At()), Marks: Marks{Imported: c.Imported},
	}
	for i := range c.Facts {
		r := &c.Facts[i]
		if f, err := codec.Decode(r.Type, r.Schema, r.Clear); err == nil {
			e.mark(f)
		}
	}
	if e.Number < 0 || e.Version < 1 {
		return Entry{}, fault.Newf(fault.Unprocessable, "commit-unreadable", "Commit %s is about escalation %d.", e, e.Number)
	}
	return e, nil
}

// mark notes what a fact says. The facts of one commit are about one escalation.
func (e *Entry) mark(f events.Fact) {
	switch f := f.(type) {
	case *events.ConnectionRequested:
		e.Requested = true
	case *events.EscalationRaised:
		e.Raised, e.Number, e.Deadline = true, f.Number, milliseconds(f.ExpiresAt)
	case *events.EscalationDeadlineSet:
		e.Number, e.Deadline = f.Number, milliseconds(f.Deadline)
	case *events.EscalationRouted:
		if f.Moved || f.Connection != e.Connection {
			e.Number, e.Moved = f.Number, f.Connection
		}
	case *events.EscalationCompleted:
		e.Number, e.Ended = f.Number, true
	case *events.EscalationFailed:
		e.Number, e.Ended = f.Number, true
	case *events.EscalationExpired:
		e.Number, e.Ended = f.Number, true
	case *events.DeliveryParked:
		e.Parked = true
	}
}

func milliseconds(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }

// String names the commit.
func (e Entry) String() string { return fmt.Sprintf("%s@%d", e.Stream, e.Version) }
