package api_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"handoff/domain/check"
	"handoff/domain/connection"
	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/functions/api"
	"handoff/tests/functiontest"
)

const checkedRules = `version: 1
fallback: general
queues: [{id: general, name: General}, {id: test, name: Test, hub_queue: h}]
`

// chats is a hub in which chats can be opened.
type chats struct {
	marks  []string
	closed []string
	err    error
}

func (c *chats) OpenChat(_ context.Context, s connection.State, mark string) (string, error) {
	if s.Tenant != functiontest.Tenant {
		return "", errors.New("no tenant")
	}
	c.marks = append(c.marks, mark)
	return "chat", c.err
}

func (c *chats) LookChat(_ context.Context, _ connection.State, chat string) (check.Seen, error) {
	return check.Seen{State: "Active", Record: chat}, c.err
}

func (c *chats) CloseChat(_ context.Context, _ connection.State, chat string) error {
	c.closed = append(c.closed, chat)
	return c.err
}

// Last implements api.Positions.
func (c *chats) Last(context.Context) (int64, error) { return 17, nil }

// checkable is a connection on a path, by rules, and its hub.
func checkable(t *testing.T, path, routing, rules string) (*functiontest.Bench, *api.Handler, *chats) {
	t.Helper()
	b, h, _ := setUp(t)
	hub := &chats{}
	h.Opener, h.Chats, h.Positions = hub, hub, hub
	facts := functiontest.Ready("store-bot", rules)
	b.Give("store-bot", append(facts, &events.OmnichannelSet{Path: path, Routing: routing})...)
	return b, h, hub
}

func TestBeginCheck(t *testing.T) {
	t.Parallel()
	named := strings.Replace(checkedRules, "fallback", "check: {queue: general, phrase: a human}\nfallback", 1)
	for sentence, c := range map[string]struct {
		path, routing, rules string
		plan                 check.Plan
		say, queue, code     string
	}{
		"with what is usual":           {"relay", "handoff", checkedRules, check.Plan{}, check.DefaultSay, "test", ""},
		"as the rules say":             {"relay", "handoff", named, check.Plan{}, "a human", "general", ""},
		"with another phrase":          {"relay", "handoff", named, check.Plan{Say: "help"}, "help", "general", ""},
		"in a queue that is asked for": {"relay", "handoff", checkedRules, check.Plan{Queue: "general", ToPeople: true}, check.DefaultSay, "general", ""},
		"not in people's queue":        {"relay", "handoff", checkedRules, check.Plan{Queue: "general"}, "", "", "check-queue-of-people"},
		"not in one that is not there": {"relay", "handoff", checkedRules, check.Plan{Queue: "nowhere", ToPeople: true}, "", "", "check-queue-missing"},
		"not without any":              {"relay", "handoff", functiontest.Rules, check.Plan{}, "", "", "check-queue-missing"},
		"not where the hub chooses":    {"relay", "hub", checkedRules, check.Plan{}, "", "", "check-hub-chooses"},
		"there only if that is meant":  {"relay", "hub", checkedRules, check.Plan{ToPeople: true}, check.DefaultSay, "test", ""},
		"not with a whole speech":      {"relay", "handoff", checkedRules, check.Plan{Say: strings.Repeat("a", 501)}, "", "", "limit-exceeded"},
		"beside a bot of its own":      {"advise", "hub", functiontest.Rules, check.Plan{}, "", "", ""},
		"to which nothing can be said": {"advise", "hub", functiontest.Rules, check.Plan{Say: "help"}, "", "", "check-says-nothing"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b, h, hub := checkable(t, c.path, c.routing, c.rules)
			got, err := h.BeginCheck(t.Context(), admin, "store-bot", c.plan)
			if c.code != "" {
				if wantCode(t, err, c.code); len(hub.marks) > 0 {
					t.Error("a chat was opened all the same")
				}
				return
			}
			if err != nil || got.Chat != "chat" || got.Say != c.say || got.Queue.ID != c.queue || got.After != 17 || !got.Until.Equal(b.Clock.Add(check.Lifetime)) {
				t.Fatalf("begun = %+v, %v", got, err)
			}
			m, ok, err := check.Open(functiontest.Tenant, "store-bot", hub.marks[0], b.Keys.Ref, b.Clock)
			if want := c.path == "relay"; err != nil || ok != want || ok && (m.ID != got.ID || m.By != admin.ID || m.Queue != got.Queue || m.Say != c.say) {
				t.Errorf("mark = %+v, %t, %v", m, ok, err)
			}
		})
	}
}

func TestChecksThatAreNotPossible(t *testing.T) {
	t.Parallel()
	_, h, hub := checkable(t, "relay", "handoff", checkedRules)
	if got, err := h.LookCheck(t.Context(), admin, "store-bot", "chat"); err != nil || got.Record != "chat" {
		t.Errorf("seen = %+v, %v", got, err)
	}
	if err := h.EndCheck(t.Context(), admin, "store-bot", "chat"); err != nil || len(hub.closed) != 1 {
		t.Errorf("closed %v, %v", hub.closed, err)
	}
	_, err := h.BeginCheck(t.Context(), admin, "no-bot", check.Plan{})
	wantCode(t, err, "connection-not-found")
	hub.err = fault.New(fault.Conflict, "live-chat-outside-hours", "Closed.")
	_, err = h.BeginCheck(t.Context(), admin, "store-bot", check.Plan{})
	wantCode(t, err, "live-chat-outside-hours")

	b, other, _ := setUp(t)
	b.Give("desk-bot", functiontest.Ready("desk-bot", functiontest.Rules)...)
	_, err = other.BeginCheck(t.Context(), admin, "desk-bot", check.Plan{})
	wantCode(t, err, "check-not-possible")
	wantCode(t, other.EndCheck(t.Context(), admin, "desk-bot", "chat"), "check-not-possible")
}

func TestWhyACheckWentWhereItWent(t *testing.T) {
	t.Parallel()
	b, h, _ := setUp(t)
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	stream := b.Stream(events.KindConversation, "store-bot", "c")
	raised := b.Raised(1, "Refund")
	routed, err := b.Rules.Decide(t.Context(), b.Stream(events.KindConnection, "store-bot"), rulesOf(b, functiontest.Rules), raised, b.Clock)
	if err != nil {
		t.Fatal(err)
	}
	routed.Queue = events.Queue{ID: "test", Name: "Test"}
	b.GiveTo(stream, events.KindConversation, "store-bot",
		&events.RelayStarted{Session: 1}, &events.CheckRecognised{Session: 1, Queue: routed.Queue}, raised, routed)
	w, err := h.Why(t.Context(), admin, escid.Of(stream, 1))
	const want = `It went to Test (test), for a check raised it and no customer. By the rules: It would have gone to Refunds (refunds) because rule "refunds" matched: `
	if err != nil || !strings.HasPrefix(w.Sentence, want) || w.Queue.ID != "test" {
		t.Errorf("why = %+v, %v", w, err)
	}
}
