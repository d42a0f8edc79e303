package relay_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"handoff/domain/check"
	"handoff/domain/conversation"
	"handoff/domain/fault"
	domain "handoff/domain/relay"
	"handoff/events"
	"handoff/tests/functiontest"
)

// begins has the hub give a chat to the bot that carries a mark, which is signed
// unless it is changed.
func (w *world) begins(say string, change func(*check.Mark), forge func(string) string) {
	w.Helper()
	m := check.Mark{ID: "c1", Connection: store, By: "admin", Say: say, Queue: events.Queue{ID: "test", Name: "Test"}, Until: w.Now().Add(check.Lifetime)}
	if change != nil {
		change(&m)
	}
	text, err := m.Sign(functiontest.Tenant, w.Keys.Ref)
	if err != nil {
		w.Fatal(err)
	}
	if forge != nil {
		text = forge(text)
	}
	raw, err := json.Marshal(text)
	if err != nil {
		w.Fatal(err)
	}
	err = w.h.Receive(w.Context(), link(), domain.Inbound{
		Kind: domain.Starts, ID: "a0", Channel: "lcw", Address: events.HubAddress{ServiceURL: "https://hub.example/", ConversationID: "19:a"},
		Variables: map[string]json.RawMessage{check.Variable: raw, "Loyalty": json.RawMessage(`"gold"`)},
	})
	if err != nil {
		w.Fatal(err)
	}
	w.pump()
}

func TestACheckGoesItsWholeWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.begins("person", nil, nil)
	if len(w.hub.escalations) != 1 || w.hub.escalations[0].Queue != "test" {
		t.Fatalf("the hub is told %+v, want the queue for checks once", w.hub.escalations)
	}
	s := w.state()
	if s.Last.Check == nil || s.Last.Queue.ID != "test" || s.Last.Rule == "" || !s.Last.Deadline.Equal(w.Clock.Add(check.Lifetime)) {
		t.Errorf("escalation = %+v, want the check's queue and end, and the rule that was tried", s.Last)
	}
	if got := w.bot.opened[0].Variables; len(got) != 1 || got["Loyalty"] == nil {
		t.Errorf("the bot is told %v, want everything but the mark", got)
	}
	w.report(&events.EscalationFailed{Number: 1, Code: "customer-left-queue"})
	w.wantGot("person", "(failed)", "(end)")
}

func TestWhatIsNoCheckIsACustomer(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		change func(*check.Mark)
		forge  func(string) string
	}{
		"a mark that somebody made up": {forge: func(string) string { return "let me in" }},
		"a mark with another ending":   {forge: func(s string) string { return s[:len(s)-2] }},
		"another connection's":         {change: func(m *check.Mark) { m.Connection = "bank-bot" }},
		"an old one":                   {change: func(m *check.Mark) { m.Until = m.Until.Add(-check.Lifetime) }},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.begins("person", c.change, c.forge)
			w.wantGot()
			w.wantSaid("Hello!")
			w.hears(domain.Speaks, "a1", "person")
			w.pump()
			if s := w.state(); s.Relay.Check != nil || s.Last.Check != nil || s.Last.Queue.ID != "refunds" {
				t.Errorf("state = %+v, %+v; want a customer's", s.Relay, s.Last)
			}
			if got := w.bot.opened[0].Variables; len(got) != 2 {
				t.Errorf("the bot is told %v, want all variables", got)
			}
		})
	}
}

// A check of which nothing comes bothers nobody.
func TestAChecksBotThatFailsLeadsToNoPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.begins("hush", nil, nil)
	for range 10 {
		w.wait(time.Minute)
		if err := w.h.Look(w.Context(), w.stream()); err != nil {
			t.Fatal(err)
		}
		w.pump()
	}
	if s := w.state(); len(w.hub.escalations) > 0 || w.hub.ended != 1 || s.Relay.Phase != domain.Over || s.Relay.Code != "bot-silent" || s.Last.Number > 0 {
		t.Errorf("%d escalations, %d ends, state %+v; want the hub told to end it", len(w.hub.escalations), w.hub.ended, s.Relay)
	}
	w.wantSaid()
}

// A hand-off that can't be read is what a check is there to find.
func TestACheckWhoseHandOffCantBeReadRaisesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bot.says = func(string) []domain.Spoken {
		return []domain.Spoken{{Unreadable: fault.New(fault.Unprocessable, "hand-off-unreadable", "It can't be read.")}}
	}
	w.begins("person", nil, nil)
	if s := w.state(); s.Last.Number > 0 || w.hub.ended != 1 || s.Relay.Code != "hand-off-unreadable" {
		t.Errorf("%d ends, state %+v, %+v; want it ended with the reason", w.hub.ended, s.Relay, s.Last)
	}
}

// Also a hub that chooses by itself is told which queue is for checks.
func TestAHubThatChoosesIsToldTheQueueOfAChecks(t *testing.T) {
	t.Parallel()
	for say, want := range map[string]string{"person": "test", "": ""} {
		w := newWorld(t)
		w.Give(store, &events.OmnichannelSet{Path: events.PathRelay, Routing: events.RoutingHub})
		if w.begins("person", nil, func(mark string) string {
			if say == "" {
				return "made up"
			}
			return mark
		}); say == "" {
			w.hears(domain.Speaks, "a1", "person")
			w.pump()
		}
		if len(w.hub.escalations) != 1 || w.hub.escalations[0].Queue != want {
			t.Errorf("the hub is told %+v, want the queue %q", w.hub.escalations, want)
		}
	}
}

func TestACheckEndsByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.begins("hello", nil, nil)
	w.wantSaid("You said hello", "Anything else?")
	until := w.Clock.Add(check.Lifetime)
	for w.state().Relay.Phase == domain.WithBot && !w.Clock.After(until.Add(time.Hour)) {
		next := w.state().Relay.LookAt
		if next.IsZero() {
			t.Fatal("nobody looks at it any more")
		}
		w.wait(next.Sub(w.Clock))
		if err := w.h.Look(w.Context(), w.stream()); err != nil {
			t.Fatal(err)
		}
		w.pump()
	}
	if w.Clock.After(until.Add(time.Minute)) || w.state().Relay.Phase != domain.Over {
		t.Errorf("the check is %s at %s, want it over at %s", w.state().Relay.Phase, w.Clock, until)
	}
	if got := w.Types(w.stream()); slices.Contains(got, "EscalationRaised") || w.state().Last.Status == conversation.Failed {
		t.Errorf("facts = %v, want no escalation", got)
	}
}
