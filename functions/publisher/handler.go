// Package publisher tells functions what was appended. It answers the stream of
// changes of a log, and hands each fact to those who select its type: a bus that
// tells functions, queues that keep a conversation's facts in order, timers.
//
// Before anything of a commit is published it is checked: its facts follow those
// before it, and the state that it carries follows from them. What fails is
// poison. Its stream is parked: nothing of it is published any more, other
// streams go on, and somebody is told.
//
// A batch may come again, whole or in part, after a failure or a crash. What is
// published then is the same under the same ids, and those who are told bear
// repetition.
package publisher

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"time"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
)

// Log finds what was appended before a commit.
type Log interface {
	// Commit returns the commit that holds a version of a stream, or a fault of
	// kind NotFound.
	Commit(ctx context.Context, stream events.StreamID, version int) (eventlog.Commit, error)
	Read(ctx context.Context, stream events.StreamID, from int) iter.Seq2[events.Record, error]
}

// Sender passes facts on.
type Sender interface {
	// Send returns an error for each fact, nil for one that was taken. Where
	// order counts, no fact of a stream is taken behind one that failed.
	Send(ctx context.Context, facts []events.Notification) []error
}

// Parker remembers streams of which nothing is published.
type Parker interface {
	// Park parks a stream. One that is parked stays so for its first reason.
	Park(ctx context.Context, p eventlog.Poison) error
	// Parked reports whether a stream is parked. It may not know yet what
	// others parked in the last seconds.
	Parked(ctx context.Context, stream events.StreamID) (bool, error)
}

// Teller tells somebody of poison.
type Teller interface {
	Tell(ctx context.Context, p eventlog.Poison) error
}

// Meter counts what operators should see.
type Meter interface {
	Add(ctx context.Context, metric string, value float64)
}

// The metrics.
const (
	MetricNotAnInsert = "NotAnInsert"
	MetricParked      = "Parked"
	MetricPublished   = "Published"
	MetricPublishLag  = "PublishLagMillis"
	MetricRaised      = "EscalationsRaised"
	MetricRouted      = "EscalationsRouted"
	MetricGivenUp     = "DeliveriesParked"
)

// metricOf returns the metric that counts facts of a type, empty for none. All
// facts come by here, so what they say need be counted nowhere else.
func metricOf(typ string) string {
	switch typ {
	case "EscalationRaised":
		return MetricRaised
	case "EscalationRouted":
		return MetricRouted
	case "DeliveryParked":
		return MetricGivenUp
	}
	return ""
}

// Route is where facts of some types go.
type Route struct {
	To    Sender
	Types []string
	// Wants says whether a commit's facts go there; nil: those of every commit.
	Wants func(*eventlog.Commit) bool
}

// Handler publishes. Every field is needed. It is safe for concurrent use.
type Handler struct {
	Log   Log
	Codec *events.Codec
	// Routes are taken one after the other. Those that drop what they have seen
	// in the last minutes come first: where a later one fails, repeating their
	// part costs nothing.
	Routes []Route
	Parker Parker
	Teller Teller
	Meter  Meter
	Now    func() time.Time
}

// Rules returns the type of fact that each function on the bus is told of.
func Rules() map[string]string {
	return map[string]string{
		"connectionrequested": "ConnectionRequested",
		"appregistered":       "AppRegistered",
		"channelenabled":      "ChannelEnabled",
		"escalationraised":    "EscalationRaised",
		"transcriptfetch":     "EscalationRaised",
		"disconnected":        "Disconnected",
		"contexterased":       "ContextErased",
	}
}

// BusTypes returns the types of the facts that go to the bus, each once.
func BusTypes() []string {
	return slices.Compact(slices.Sorted(maps.Values(Rules())))
}

// Handle publishes a batch of changes, those of a stream in their order. failed
// is the sequence of the first change that must come again together with all
// behind it, empty if none must; err then says why.
func (h *Handler) Handle(ctx context.Context, batch []eventlog.Change) (failed string, err error) {
	b := burst{Handler: h, failed: len(batch), before: make(map[events.StreamID]*eventlog.Commit)}
	for i := range batch {
		if err := b.admit(ctx, i, &batch[i]); err != nil {
			b.fail(i, err)
			break
		}
	}
	for _, r := range h.Routes {
		b.send(ctx, r)
	}
	b.measure(ctx)
	if b.failed < len(batch) {
		return batch[b.failed].Sequence, fmt.Errorf("publish from %s: %w", nameOf(&batch[b.failed]), b.err)
	}
	return "", nil
}

// burst is a batch under way.
type burst struct {
	*Handler
	facts  []fact
	failed int // index of the first change that failed
	err    error
	before map[events.StreamID]*eventlog.Commit // last of each stream in the batch
}

// fact is a fact that may be told, with its commit and the index of its change.
type fact struct {
	events.Notification
	commit *eventlog.Commit
	change int
}

func (b *burst) fail(change int, err error) {
	if change < b.failed {
		b.failed, b.err = change, err
	}
}

// admit takes the facts of a change up, unless nobody may be told of them.
func (b *burst) admit(ctx context.Context, i int, c *eventlog.Change) error {
	if !c.Stored {
		b.Meter.Add(ctx, MetricNotAnInsert, 1)
		slog.ErrorContext(ctx, "log was changed other than by appending", "fact", nameOf(c))
		return nil
	}
	if c.Imported {
		return nil
	}
	reason, err := b.inspect(ctx, c)
	if err != nil {
		return fmt.Errorf("check %s: %w", nameOf(c), err)
	}
	if reason != "" {
		return b.park(ctx, eventlog.Poison{Stream: c.Stream, Version: c.After.Version + 1, Reason: reason})
	}
	parked, err := b.Parker.Parked(ctx, c.Stream)
	if err != nil {
		return fmt.Errorf("look whether %s is parked: %w", c.Stream, err)
	}
	if parked {
		b.Meter.Add(ctx, MetricParked, 1)
		return nil
	}
	for _, r := range c.Facts {
		b.facts = append(b.facts, fact{events.Notify(r), &c.Commit, i})
	}
	return nil
}

func (b *burst) park(ctx context.Context, p eventlog.Poison) error {
	b.Meter.Add(ctx, MetricParked, 1)
	slog.ErrorContext(ctx, "stream parked", "stream", p.Stream, "version", p.Version, "reason", p.Reason)
	if err := b.Parker.Park(ctx, p); err != nil {
		return fmt.Errorf("park stream %s: %w", p.Stream, err)
	}
	if err := b.Teller.Tell(ctx, p); err != nil {
		return fmt.Errorf("tell of poison in %s: %w", p.Stream, err)
	}
	return nil
}

// send passes facts on by a route, as far as nothing failed before them.
func (b *burst) send(ctx context.Context, r Route) {
	var told []events.Notification
	var from []int
	for _, f := range b.facts {
		if f.change < b.failed && slices.Contains(r.Types, f.Type) && (r.Wants == nil || r.Wants(f.commit)) {
			told, from = append(told, f.Notification), append(from, f.change)
		}
	}
	if len(told) == 0 {
		return
	}
	for i, err := range r.To.Send(ctx, told) {
		if err != nil && fault.KindOf(err).Permanent() {
			err = b.park(ctx, eventlog.Poison{Stream: told[i].Stream, Version: told[i].Version, Reason: fault.CodeOf(err)})
		}
		if err != nil {
			b.fail(from[i], err)
		}
	}
}

// measure tells what was published and how long the oldest of it waited.
func (b *burst) measure(ctx context.Context) {
	var lag time.Duration
	n := 0
	for _, f := range b.facts {
		if f.change >= b.failed {
			continue
		}
		n++
		lag = max(lag, b.Now().Sub(f.Time))
		if m := metricOf(f.Type); m != "" {
			b.Meter.Add(ctx, m, 1)
		}
	}
	if n > 0 {
		b.Meter.Add(ctx, MetricPublished, float64(n))
		b.Meter.Add(ctx, MetricPublishLag, float64(lag.Milliseconds()))
	}
}

// nameOf names a change by its first fact.
func nameOf(c *eventlog.Change) string {
	return events.Header{Stream: c.Stream, Version: c.After.Version + 1}.ID()
}
