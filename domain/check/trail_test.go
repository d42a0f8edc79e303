package check_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"handoff/domain/check"
	"handoff/events"
)

func begun(path string) check.Begun {
	return check.Begun{
		ID: "c1", Path: path, Chat: "chat", Record: "r1", Say: "a person, please", Queue: events.Queue{ID: "test", Name: "Test"},
		OpenedAt: now(), Until: now().Add(check.Lifetime),
	}
}

// way are the facts of a check that goes well.
func way() []events.Fact {
	const test = "Test"
	return []events.Fact{
		&events.RelayStarted{Session: 1}, &events.CheckRecognised{Session: 1, ID: "c1"},
		&events.MessagesTaken{From: events.SideCustomer, Refs: []string{"a"}},
		&events.BotConversationOpened{}, &events.MessageRelayed{To: events.SideBot},
		&events.MessagesTaken{From: events.SideBot, Refs: []string{"b"}}, &events.MessageRelayed{To: events.SideCustomer},
		&events.EscalationRaised{Number: 1}, &events.EscalationRouted{Number: 1, Route: events.Route{Rule: "refunds"}},
		&events.HubCommanded{Command: events.CommandEscalate}, &events.EscalationQueued{Queue: events.HubQueue{ID: "q", Name: test}},
		&events.RouteConfirmed{Queue: events.HubQueue{ID: "q", Name: test}},
		&events.EscalationFailed{Code: "customer-left-queue"}, &events.RelayEnded{Code: "failed"},
	}
}

// walk follows facts, one a second, the first n of them.
func walk(t *check.Trail, facts []events.Fact) {
	for i, f := range facts {
		h := events.Header{Stream: uuid.MustParse("00000000-0000-8000-8000-000000000001"), Time: now().Add(time.Duration(i) * time.Second).UnixNano()}
		t.Observe(h, f)
	}
}

func TestAWayThatIsGoneToItsEnd(t *testing.T) {
	t.Parallel()
	trail := check.NewTrail(begun(events.PathRelay))
	all := way()
	for i := range all {
		if arrived := i > 11; trail.Arrived() != arrived {
			t.Errorf("after %d facts: arrived %t, want %t", i, trail.Arrived(), arrived)
		}
		if i == 12 {
			trail.Close(now().Add(time.Minute))
		}
		walk(trail, all[:i+1])
	}
	hops := trail.Hops()
	if !trail.Passed() || !trail.Settled() || len(hops) != 11 {
		t.Errorf("hops = %+v, want all of them passed", hops)
	}
	if h := hops[7]; h.Name != check.HopQueued || h.Detail != "Test" || !h.At.Equal(now().Add(11*time.Second)) {
		t.Errorf("hop = %+v, want the queue with the time of its fact", h)
	}
}

func TestWaysThatEndEarly(t *testing.T) {
	t.Parallel()
	facts := way()
	overruled := append(slices.Clone(facts[:11]), &events.RouteOverruled{Queue: events.HubQueue{ID: "p", Name: "People"}})
	for sentence, c := range map[string]struct {
		facts []events.Fact
		seen  check.Seen
		hop   string
		state check.State
		next  string
	}{
		"the hub makes nothing of it":   {nil, check.Seen{}, check.HopGiven, check.Missing, "Look at the chat widget"},
		"the hub gives it to people":    {nil, check.Seen{State: "Open", Record: "r", Queue: events.HubQueue{ID: "q", Name: "People"}}, check.HopGiven, check.Missing, "queue People and not to the bot"},
		"somebody took it at once":      {nil, check.Seen{State: "Active", Record: "r", WithPerson: true, Queue: events.HubQueue{ID: "q"}}, check.HopGiven, check.Missing, "queue q and not to the bot"},
		"the hub can't reach Handoff":   {nil, check.Seen{State: "Active", WithBot: true}, check.HopGiven, check.Missing, "messaging endpoint"},
		"the hub says something else":   {nil, check.Seen{State: "Waiting", Record: "r"}, check.HopGiven, check.Missing, "Waiting"},
		"it is of another check":        {[]events.Fact{&events.CheckRecognised{ID: "c2"}, &events.BotConversationOpened{}}, check.Seen{}, check.HopGiven, check.Missing, "widget"},
		"the bot can't be reached":      {append(slices.Clone(facts[:3]), &events.BotLeft{Code: "direct-line-forbidden"}), check.Seen{}, check.HopBotReached, check.Missing, "direct-line-forbidden"},
		"the bot takes no message":      {facts[:4], check.Seen{}, check.HopSaid, check.Missing, "did not take"},
		"the bot is silent":             {facts[:5], check.Seen{}, check.HopHandedOver, check.Missing, "did not answer"},
		"the bot answers and stays":     {facts[:7], check.Seen{}, check.HopHandedOver, check.Missing, "did not hand over"},
		"the bot gives up":              {append(slices.Clone(facts[:7]), &events.BotLeft{Code: "bot-silent"}), check.Seen{}, check.HopHandedOver, check.Missing, "bot-silent"},
		"no rule can be used":           {facts[:8], check.Seen{}, check.HopRouted, check.Missing, "rules"},
		"the hub takes no command":      {facts[:9], check.Seen{}, check.HopHubTold, check.Missing, "command"},
		"nothing is seen of the queue":  {facts[:10], check.Seen{}, check.HopQueued, check.Missing, "Wait longer"},
		"the hub chooses another queue": {overruled, check.Seen{}, check.HopQueued, check.Wrong, `where HandoffQueue equals "test"`},
		"nobody closes it":              {facts[:12], check.Seen{}, check.HopClosed, check.Missing, "Close it there"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			trail := check.NewTrail(begun(events.PathRelay))
			trail.See(c.seen)
			walk(trail, c.facts)
			hops := trail.Hops()
			i := slices.IndexFunc(hops, func(h check.Hop) bool { return h.Next != "" })
			if i < 0 || hops[i].Name != c.hop || hops[i].State != c.state || !strings.Contains(hops[i].Next, c.next) {
				t.Fatalf("hops = %+v, want %s %s with %q", hops, c.hop, c.state, c.next)
			}
			for _, h := range hops[:i] {
				if h.State != check.OK {
					t.Errorf("%s = %s before it", h.Name, h.State)
				}
			}
			if trail.Passed() {
				t.Error("it passed all the same")
			}
		})
	}
}

func TestABotBesideHandoff(t *testing.T) {
	t.Parallel()
	trail := check.NewTrail(begun(events.PathAdvise))
	if trail.See(check.Seen{At: now(), State: "Active", Record: "r2", WithBot: true}); !trail.Arrived() || trail.Settled() || trail.Record != "r2" {
		t.Errorf("with the bot: %+v", trail.Hops())
	}
	trail.Close(now())
	trail.See(check.Seen{At: now(), State: "Closed"})
	unchecked := 0
	for _, h := range trail.Hops() {
		if h.State == check.NotChecked {
			unchecked++
		}
	}
	if !trail.Settled() || !trail.Passed() || unchecked != 3 {
		t.Errorf("hops = %+v, want it passed with 3 not checked", trail.Hops())
	}
	other := check.NewTrail(begun(events.PathAdvise))
	if other.See(check.Seen{State: "Open", Queue: events.HubQueue{ID: "q", Name: "People"}}); other.Passed() || !strings.Contains(other.Hops()[1].Next, "People") {
		t.Errorf("hops = %+v, want what to do about the bot", other.Hops())
	}
}
