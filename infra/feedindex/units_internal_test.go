package feedindex

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"handoff/events"
	"handoff/infra/eventlog/dynamolog"
)

// life is what happens in an escalation's life, as batches hold it: commits of
// its conversation and of three deliveries.
func life(n int, at time.Time) []Entry {
	conversation, connection := uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, n)), fmt.Sprintf("store-bot-%d", n%20)
	e := func(stream events.StreamID, kind events.Kind, version, facts int, m Marks) Entry {
		return Entry{Stream: stream, Version: version, Facts: facts, Kind: kind, Tenant: "default", Connection: connection, Time: at, Marks: m}
	}
	all := []Entry{
		e(conversation, events.KindConversation, 1, 2, Marks{Number: 1, Raised: true, Deadline: at.Add(24 * time.Hour)}),
		e(conversation, events.KindConversation, 3, 1, Marks{}),
		e(conversation, events.KindConversation, 4, 1, Marks{Number: 1, Ended: true}),
	}
	for i := range 3 {
		all = append(all, e(uuid.NewSHA1(conversation, []byte{byte(i)}), events.KindDelivery, 1, 2, Marks{}))
	}
	return all
}

// TestWriteUnits prints what a commit costs the index, and holds it to a budget.
func TestWriteUnits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 9, 10, 12, 0, time.UTC)
	for _, c := range []struct {
		batch  int
		budget float64 // write units of a commit
	}{{1, 3.1}, {10, 3}, {100, 0.6}, {1000, 0.15}} {
		var all []Entry
		for n := 0; len(all) < 6*c.batch; n++ { // six batches, in which everything comes once
			all = append(all, life(n, now)...)
		}
		units, bytes := 0, 0
		for i := range 6 {
			s := segment{Written: now}
			position := int64(1)
			for k := range c.batch {
				e := all[(i+6*k)%len(all)]
				if c.batch > 1 {
					e = all[i*c.batch+k]
				}
				e.Position = position
				position = e.end()
				s.Entries = append(s.Entries, e)
			}
			data := pack(s.Written, s.Entries)
			bytes += len(data)
			units += unitsOf(Row{Partition: feedPartition, Order: place(1), Data: data})
			for _, r := range s.rows(now) {
				units += unitsOf(r)
			}
		}
		per := float64(units) / float64(6*c.batch)
		t.Logf("batches of %4d over 20 connections: %.2f write units a commit, %.2f an escalation of 6 commits, %d bytes a commit in the feed", c.batch, per, 6*per, bytes/(6*c.batch))
		if per > c.budget {
			t.Errorf("batches of %d cost %.2f write units a commit, want at most %.2f", c.batch, per, c.budget)
		}
	}
}

func unitsOf(r Row) int { return dynamolog.WriteUnits(item(r)) }
