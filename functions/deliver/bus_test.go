package deliver_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/domain/emission"
	"handoff/domain/fault"
	"handoff/events"
)

// bus keeps what it is given, up to a size.
type bus struct {
	limit int
	down  error
	got   []emission.Event
}

func (b *bus) Emit(_ context.Context, e emission.Event) error {
	if b.limit > 0 && len(e.Data) > b.limit {
		return fault.New(fault.TooLarge, "event-too-large", "It does not fit.")
	}
	if b.down == nil {
		b.got = append(b.got, e)
	}
	return b.down
}

func TestTheBusGetsEachEventOnce(t *testing.T) {
	t.Parallel()
	late := raised(1)
	late.TranscriptPending = true
	moved := route(1)
	moved.Connection, moved.Moved = "other-bot", true
	stored := &events.TranscriptStored{Number: 1, Messages: 1, Transcript: &events.Transcript{Complete: true, Messages: []events.Message{{From: "bot", Text: private}}}}
	for sentence, c := range map[string]struct {
		facts []events.Fact
		want  string // type and connection, or none
	}{
		"a routed escalation":                    {[]events.Fact{raised(1), route(1)}, emission.Routed + " /connections/store-bot"},
		"what is only raised is nobody's":        {[]events.Fact{raised(1)}, ""},
		"added context before a route":           {[]events.Fact{raised(1), &events.EscalationContextAdded{Number: 1}}, ""},
		"the move to a bot without endpoints":    {[]events.Fact{raised(1), route(1), moved}, emission.Routed + " /connections/other-bot"},
		"its end there":                          {[]events.Fact{raised(1), route(1), moved, &events.EscalationCompleted{Number: 1}}, emission.Completed + " /connections/other-bot"},
		"a transcript, though it is not late":    {[]events.Fact{late, route(1), stored}, emission.ContextAdded + " /connections/store-bot"},
		"not that there is none":                 {[]events.Fact{late, route(1), &events.TranscriptMissing{Number: 1}}, ""},
		"one erasure for all connections":        {[]events.Fact{raised(1), route(1), moved, &events.ContextErased{}}, emission.ContextErased + " /connections/other-bot"},
		"no erasure of what nobody was told of":  {[]events.Fact{raised(1), &events.ContextErased{}}, ""},
		"a deadline is nobody's business either": {[]events.Fact{raised(1), route(1), &events.EscalationDeadlineSet{Number: 1, Deadline: start.Add(time.Hour)}}, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b, out := newBench(t), &bus{}
			b.Bus = out
			b.connect("other-bot")
			b.say(c.facts...)
			b.handle()
			b.handle() // told twice it is the same event twice
			if c.want == "" {
				if len(out.got) > 0 {
					t.Errorf("the bus got %+v", out.got)
				}
				return
			}
			if len(out.got) != 2 || out.got[0].ID != out.got[1].ID || out.got[0].Type+" "+out.got[0].Source != c.want {
				t.Fatalf("the bus got %+v, want %s", out.got, c.want)
			}
			if strings.Contains(string(out.got[0].Data), private) {
				t.Errorf("a thin event says what is private: %s", out.got[0].Data)
			}
		})
	}
}

func TestFullEventsOnTheBus(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		limit int
		full  bool
	}{"fit": {0, true}, "or go without their context": {1000, false}} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b, out := newBench(t), &bus{limit: c.limit}
			b.Bus, b.BusMode = out, emission.Full
			r := raised(1)
			r.Context.LastPhrase = strings.Repeat("parcel ", 200)
			b.say(r, route(1))
			b.handle()
			if len(out.got) != 1 || strings.Contains(string(out.got[0].Data), private) != c.full {
				t.Errorf("the bus got %+v", out.got)
			}
		})
	}
}

func TestABusThatIsDownHoldsUpNoEndpoint(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Bus = &bus{down: errors.New("no bus")}
	b.say(raised(1), route(1))
	if err := b.Handle(t.Context(), b.notify(b.conv, 0)); !errors.Is(err, b.Bus.(*bus).down) {
		t.Errorf("Handle = %v, want the bus's error, so that it is called again", err)
	}
	if got := names(b.queue.put); len(got) != 2 {
		t.Errorf("planned %q, want both endpoints", got)
	}
}

func TestGiveUpIsAFact(t *testing.T) {
	t.Parallel()
	b, item := planned(t, "desk")
	for range 2 {
		if err := b.GiveUp(t.Context(), item, "fact-not-found"); err != nil {
			t.Fatal(err)
		}
	}
	b.wantHistory(item, "1 fact-not-found", "parked fact-not-found")
	if items, err := b.Owed(t.Context(), b.notify(b.conv, 0)); err != nil || !slices.Contains(items, item) {
		t.Errorf("Owed = %v, %v", items, err)
	}
}
