package crash_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"handoff/domain/emission"
	"handoff/domain/escid"
	"handoff/events"
	"handoff/tests/harness"
)

// census counts what the log holds.
type census struct {
	raised, routed map[string]int // by escalation
	added          map[string]int
	owed           map[string]int // events that the facts lead to, by connection and id
	delivered      map[string]int // by delivery
}

// count reads the whole log.
func (s *stand) count(ctx context.Context) (census, error) {
	c := census{raised: map[string]int{}, routed: map[string]int{}, added: map[string]int{}, owed: map[string]int{}, delivered: map[string]int{}}
	for f, err := range s.admin.Facts(ctx, 0) {
		if err != nil {
			return c, err
		}
		r, err := f.Record()
		if err == nil {
			err = c.add(r)
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *census) add(r events.Record) error {
	var clear struct {
		Number int `json:"number"`
	}
	if err := json.Unmarshal(r.Clear, &clear); err != nil {
		return fmt.Errorf("read fact %s: %w", r.ID(), err)
	}
	id := escid.Of(r.Stream, clear.Number)
	event := r.Connection + " " + emission.EventID(r.Stream, clear.Number, r.Version)
	switch r.Type {
	case "EscalationRaised":
		c.raised[id]++
	case "EscalationRouted":
		c.routed[id]++
		c.owed[event]++
	case "EscalationContextAdded":
		c.added[id]++
		if c.routed[id] > 0 { // else it is part of the routed event
			c.owed[event]++
		}
	case "Delivered":
		c.delivered[r.Stream.String()]++
	}
	return nil
}

// settled waits until what the log owes is delivered, and returns what the log
// holds then.
func (s *stand) settled(ctx context.Context) (census, error) {
	c, err := s.count(ctx)
	if err != nil {
		return c, err
	}
	owed := map[string]int{}
	for event := range c.owed {
		connection, _, _ := strings.Cut(event, " ")
		owed[connection]++
	}
	for connection, n := range owed {
		if err := s.receiver.Wait(ctx, connection, n); err != nil {
			return c, err
		}
	}
	if err := s.admin.Settled(ctx); err != nil {
		return c, err
	}
	return s.count(ctx)
}

// audit compares what was acknowledged with what is there, once everything that
// is owed was delivered. It returns the escalations that are missing somewhere
// and those that are somewhere twice.
func (s *stand) audit(ctx context.Context, t *testing.T, acknowledged []raised) (lost, doubled []string) {
	t.Helper()
	c, err := s.settled(ctx)
	if err != nil {
		t.Errorf("%v\n%s", err, s.site.Tail())
	}
	arrived := s.arrivals(t)
	s.compare(t, c, arrived)
	s.verify(ctx, t)
	return c.judge(acknowledged, arrived)
}

// judge finds what was acknowledged and is not in the log, routed and at the
// receiver, and what is at any of these places more than once. Every bot tried
// until it was acknowledged, so nothing else may be in the log either.
func (c census) judge(acknowledged []raised, arrived map[string]arrival) (lost, doubled []string) {
	seen := map[string]bool{}
	for _, r := range acknowledged {
		times := []int{c.raised[r.id], c.routed[r.id], arrived[r.connection].routed[r.id]}
		if slices.Min(times) < 1 || c.added[r.id] < r.added {
			lost = append(lost, r.id)
		}
		if slices.Max(times) > 1 || c.added[r.id] > r.added || seen[r.id] {
			doubled = append(doubled, r.id)
		}
		seen[r.id] = true
	}
	for _, id := range slices.Sorted(maps.Keys(c.raised)) {
		if !seen[id] {
			doubled = append(doubled, id)
		}
	}
	return lost, doubled
}

// compare checks that what is owed is what arrived and was recorded, once each.
func (s *stand) compare(t *testing.T, c census, arrived map[string]arrival) {
	t.Helper()
	total := 0
	var unknown, again []string
	for connection, at := range arrived {
		total += len(at.events)
		for _, e := range at.events {
			if c.owed[connection+" "+e.ID] == 0 {
				unknown = append(unknown, e.ID)
			}
		}
	}
	if len(unknown) > 0 {
		t.Errorf("events arrived to which no fact leads: %s", some(unknown))
	}
	if len(c.owed) != total {
		t.Errorf("%d different events arrived, the log leads to %d", total, len(c.owed))
	}
	if len(c.delivered) != total {
		t.Errorf("%d deliveries are recorded as done, %d events arrived", len(c.delivered), total)
	}
	for id, n := range c.delivered {
		if n != 1 {
			again = append(again, id)
		}
	}
	if len(again) > 0 {
		t.Errorf("deliveries are recorded as done more than once: %s", some(again))
	}
}

// arrival is what one endpoint took.
type arrival struct {
	events []harness.Event // in order
	routed map[string]int  // different routed events of each escalation
}

// arrivals returns what the endpoints took, and checks that it came in the order
// of each conversation.
func (s *stand) arrivals(t *testing.T) map[string]arrival {
	t.Helper()
	for _, p := range s.receiver.Problems() {
		t.Error(p)
	}
	all := map[string]arrival{}
	for _, name := range s.names {
		a := arrival{
			events: slices.SortedFunc(maps.Values(s.receiver.Taken(name)), func(x, y harness.Event) int { return cmp.Compare(x.Order, y.Order) }),
			routed: map[string]int{},
		}
		last, again := map[string]string{}, 0
		for _, e := range a.events {
			if e.Sequence <= last[e.Subject] {
				t.Errorf("%s: event %s came after %s of the same conversation", name, e.ID, last[e.Subject])
			}
			last[e.Subject] = e.Sequence
			again += e.Times - 1
			if e.Type == emission.Routed {
				a.routed[e.Subject]++
			}
		}
		t.Logf("%s: %d events, %d of them sent again under the same id", name, len(a.events), again)
		all[name] = a
	}
	return all
}

func (s *stand) verify(ctx context.Context, t *testing.T) {
	t.Helper()
	v, err := s.admin.Verify(ctx)
	if err != nil {
		t.Error(err)
	} else if !v.OK {
		t.Errorf("verify: %+v", v)
	}
}
