package deliver_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/domain/delivery"
	"handoff/domain/emission"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/functions/deliver"
)

func names(items []delivery.Item) []string {
	var all []string
	for _, i := range items {
		all = append(all, strings.TrimPrefix(i.Subject.EventType, "handoff.")+" to "+i.Subject.Connection+"/"+i.Subject.Endpoint)
	}
	return all
}

func TestPlan(t *testing.T) {
	t.Parallel()
	late := raised(1)
	late.TranscriptPending = true
	other := route(1)
	other.Connection, other.Moved = "other-bot", true
	both := func(typ string) []string {
		return []string{"escalation." + typ + ".v1 to store-bot/desk", "escalation." + typ + ".v1 to store-bot/log"}
	}
	for sentence, c := range map[string]struct {
		facts   []events.Fact
		after   time.Duration // between the first facts and the last one
		want    []string
		hurried []string
	}{
		"a routed escalation goes to all endpoints":  {facts: []events.Fact{raised(1), route(1)}, want: both("routed")},
		"a raised one to none":                       {facts: []events.Fact{raised(1)}},
		"added context after a route":                {facts: []events.Fact{raised(1), route(1), &events.EscalationContextAdded{Number: 1}}, want: both("context_added")},
		"added context before a route is part of it": {facts: []events.Fact{raised(1), &events.EscalationContextAdded{Number: 1}}},
		"accepted":                {facts: []events.Fact{raised(1), route(1), &events.EscalationAccepted{Number: 1}}, want: both("accepted")},
		"completed":               {facts: []events.Fact{raised(1), route(1), &events.EscalationCompleted{Number: 1}}, want: both("completed")},
		"failed":                  {facts: []events.Fact{raised(1), route(1), &events.EscalationFailed{Number: 1}}, want: both("failed")},
		"expired":                 {facts: []events.Fact{raised(1), route(1), &events.EscalationExpired{Number: 1}}, want: both("expired")},
		"failed before any route": {facts: []events.Fact{raised(1), &events.EscalationFailed{Number: 1}}},
		"the next one is not routed by the one before":  {facts: []events.Fact{raised(1), route(1), raised(2), &events.EscalationFailed{Number: 2}}},
		"after a move the target's endpoints":           {facts: []events.Fact{raised(1), route(1), other}, want: []string{"escalation.routed.v1 to other-bot/target"}},
		"an event filter counts":                        {facts: []events.Fact{raised(1), other, &events.EscalationAccepted{Number: 1}}},
		"an erasure is told to all that may have it":    {facts: []events.Fact{raised(1), route(1), other, &events.ContextErased{}}, want: []string{"context.erased.v1 to store-bot/desk", "context.erased.v1 to store-bot/log", "context.erased.v1 to other-bot/target", "context.erased.v1 to other-bot/off"}, hurried: []string{"escalation.routed.v1 to other-bot/target"}},
		"a transcript in time hurries the routed event": {facts: []events.Fact{late, route(1), &events.TranscriptStored{Number: 1}}, after: time.Second, hurried: both("routed")},
		"a missing transcript hurries it too":           {facts: []events.Fact{late, route(1), &events.TranscriptMissing{Number: 1}}, after: time.Second, hurried: both("routed")},
		"a late transcript is an event of its own":      {facts: []events.Fact{late, route(1), &events.TranscriptStored{Number: 1}}, after: time.Minute, want: both("context_added"), hurried: both("routed")},
		"a deadline is nobody's business":               {facts: []events.Fact{raised(1), route(1), &events.EscalationDeadlineSet{Number: 1}}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.connect("other-bot", endpoint("target", "thin", emission.Routed), endpoint("off", "thin"), &events.EndpointDisabled{Endpoint: "off", Code: "removed"})
			last := len(c.facts) - 1
			if last > 0 {
				b.say(c.facts[:last]...)
			}
			b.now = start.Add(c.after)
			b.say(c.facts[last])
			items := b.handle()
			if got := names(items); !slices.Equal(got, c.want) {
				t.Errorf("planned %q, want %q", got, c.want)
			}
			if got := names(b.queue.hurried); !slices.Equal(got, c.hurried) {
				t.Errorf("hurried %q, want %q", got, c.hurried)
			}
			if again := b.handle(); !slices.Equal(again, items) {
				t.Errorf("planned again: %v, want %v", again, items)
			}
		})
	}
}

// planned returns the bench with a routed escalation and its item for an
// endpoint.
func planned(t *testing.T, id string, all ...events.Fact) (*bench, delivery.Item) {
	t.Helper()
	b := newBench(t)
	if all == nil {
		all = []events.Fact{raised(1), route(1)}
	}
	b.say(all...)
	items := b.handle()
	i := slices.IndexFunc(items, func(i delivery.Item) bool { return i.Subject.Endpoint == id })
	if i < 0 {
		t.Fatalf("nothing is planned for %s: %v", id, items)
	}
	return b, items[i]
}

func (b *bench) attempt(item delivery.Item) delivery.Progress {
	b.t.Helper()
	p, err := b.Attempt(b.t.Context(), item, false)
	if err != nil {
		b.t.Fatalf("Attempt: %v", err)
	}
	return p
}

// history returns the facts of a delivery, in words.
func (b *bench) history(item delivery.Item) (all []string) {
	b.t.Helper()
	for r, err := range b.log.Read(b.t.Context(), item.ID, 1) {
		if err != nil {
			b.t.Fatal(err)
		}
		f, _ := b.Ledger.Decode(r)
		switch f := f.(type) {
		case *events.DeliveryAttempted:
			all = append(all, fmt.Sprintf("%d %s", f.Attempt, f.Code))
		case *events.DeliveryParked:
			all = append(all, "parked "+f.Code)
		default:
			all = append(all, r.Type)
		}
	}
	return all
}

func (b *bench) wantHistory(item delivery.Item, want ...string) {
	b.t.Helper()
	if got := b.history(item); !slices.Equal(got, want) {
		b.t.Errorf("history = %q, want %q", got, want)
	}
}

func TestConfirmed(t *testing.T) {
	t.Parallel()
	b, item := planned(t, "desk")
	if p := b.attempt(item); p.Status != delivery.Delivered || !p.Tried {
		t.Errorf("progress = %+v", p)
	}
	if p := b.attempt(item); p.Status != delivery.Delivered || p.Tried || len(b.sender.sent) != 1 {
		t.Errorf("attempted again: %+v, sent %d times", p, len(b.sender.sent))
	}
	b.wantHistory(item, "1 delivered", "Delivered")
	if got := (delivery.Endpoint{Tenant: tenant, Connection: "store-bot", ID: "desk", URL: "https://desk.example/"}); b.sender.to[0] != got {
		t.Errorf("sent to %+v", b.sender.to[0])
	}
	if !strings.Contains(string(b.sender.sent[0].Data), private) {
		t.Errorf("the full event says nothing private: %s", b.sender.sent[0].Data)
	}
	if snap, _ := b.log.Load(t.Context(), item.ID); snap.Connection != "store-bot" || snap.Tenant != tenant || snap.Kind != events.KindDelivery {
		t.Errorf("the delivery's stream is %+v", snap)
	}
}

func TestRetriesSendTheSameEvent(t *testing.T) {
	t.Parallel()
	b, item := planned(t, "desk")
	b.sender.answer = func(int) (string, error) { return "status-500", nil }
	var p delivery.Progress
	for n := 1; n <= delivery.MaxAttempts(); n++ {
		p = b.attempt(item)
		ended := start.Add(time.Second)
		if p.Status == delivery.Pending && p.RetryAt.Before(ended.Add(delivery.Wait(n, 0, 0))) {
			t.Errorf("attempt %d is repeated at %s", n, p.RetryAt)
		}
		b.say(&events.EscalationContextAdded{Number: 1, Context: &events.Context{Summary: "later"}})
	}
	if p.Status != delivery.Parked {
		t.Errorf("after all attempts: %+v", p)
	}
	for _, e := range b.sender.sent {
		if !reflect.DeepEqual(e, b.sender.sent[0]) {
			t.Errorf("a later attempt sent something else: %s", e.Data)
		}
	}
	if h := b.history(item); h[len(h)-1] != "parked retries-exhausted" || len(h) != delivery.MaxAttempts()+1 {
		t.Errorf("history = %q", h)
	}
}

func TestLastAttemptParks(t *testing.T) {
	t.Parallel()
	b, item := planned(t, "desk")
	b.sender.answer = func(int) (string, error) { return "timeout", nil }
	if p, err := b.Attempt(t.Context(), item, true); err != nil || p.Status != delivery.Parked {
		t.Errorf("Attempt = %+v, %v", p, err)
	}
	b.wantHistory(item, "1 timeout", "parked retries-exhausted")
}

func TestGoneDisablesTheEndpoint(t *testing.T) {
	t.Parallel()
	b, item := planned(t, "desk")
	b.sender.answer = func(int) (string, error) { return "endpoint-gone", nil }
	if p := b.attempt(item); p.Status != delivery.Parked {
		t.Errorf("progress = %+v", p)
	}
	b.wantHistory(item, "1 endpoint-gone", "parked endpoint-gone")
	b.say(&events.EscalationAccepted{Number: 1})
	if got := names(b.handle()); !slices.Equal(got, []string{"escalation.accepted.v1 to store-bot/log"}) {
		t.Errorf("planned after 410: %q", got)
	}
}

func TestGoneSparesAnEndpointWithAnotherURL(t *testing.T) {
	t.Parallel()
	b, item := planned(t, "desk")
	b.sender.answer = func(int) (string, error) {
		moved := endpoint("desk", "full")
		moved.URL = "https://new.example/"
		b.connect("store-bot", moved)
		return "endpoint-gone", nil
	}
	b.attempt(item)
	b.say(&events.EscalationAccepted{Number: 1})
	if got := names(b.handle()); len(got) != 2 {
		t.Errorf("planned = %q, want both endpoints", got)
	}
}

func TestDisabledSinceItWasPlanned(t *testing.T) {
	t.Parallel()
	b, item := planned(t, "desk")
	b.connect("store-bot", &events.EndpointDisabled{Endpoint: "desk", Code: "removed"})
	if p := b.attempt(item); p.Status != delivery.Parked || p.Tried || len(b.sender.sent) != 0 {
		t.Errorf("progress = %+v, sent %d times", p, len(b.sender.sent))
	}
	b.wantHistory(item, "1 endpoint-disabled", "parked endpoint-disabled")
}

func TestNoAttemptIsNoFact(t *testing.T) {
	t.Parallel()
	b, item := planned(t, "desk")
	b.sender.answer = func(int) (string, error) { return "", errors.New("the secrets can't be read") }
	if p, err := b.Attempt(t.Context(), item, false); err == nil {
		t.Errorf("Attempt = %+v, want an error", p)
	}
	b.wantHistory(item)
}

func TestCrashBetweenSendingAndAppending(t *testing.T) {
	t.Parallel()
	b, item := planned(t, "desk")
	b.log.broken = true
	if p, err := b.Attempt(t.Context(), item, false); err == nil {
		t.Errorf("Attempt = %+v, want an error", p)
	}
	b.log.broken = false
	b.attempt(item)
	if len(b.sender.sent) != 2 || b.sender.sent[0].ID != b.sender.sent[1].ID {
		t.Errorf("sent %d times under one id", len(b.sender.sent))
	}
	b.wantHistory(item, "1 delivered", "Delivered")
}

func TestErasureReachesWhatIsPending(t *testing.T) {
	t.Parallel()
	for sentence, erase := range map[string]func(*bench){
		"the key is destroyed":       (*bench).erase,
		"the key lives a bit longer": func(b *bench) { b.say(&events.ContextErased{}) },
		"and the next one was raised": func(b *bench) {
			b.erase()
			b.say(raised(2), route(2))
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b, item := planned(t, "desk")
			erase(b)
			b.attempt(item)
			if e := b.sender.sent[0]; strings.Contains(string(e.Data), private) || strings.Contains(string(e.Data), "Kx81c") || !strings.Contains(string(e.Data), `"erased":true`) || !e.Erased {
				t.Errorf("sent after the erasure: %s", e.Data)
			}
		})
	}
	t.Run("what is raised after it is whole", func(t *testing.T) {
		t.Parallel()
		b, _ := planned(t, "desk")
		b.erase()
		b.say(raised(2), route(2))
		b.attempt(b.handle()[0])
		if e := b.sender.sent[0]; !strings.Contains(string(e.Data), private) || e.Erased {
			t.Errorf("sent: %s", e.Data)
		}
	})
}

func TestErasureIsTold(t *testing.T) {
	t.Parallel()
	b, _ := planned(t, "desk")
	b.erase()
	b.attempt(b.handle()[0])
	if e := b.sender.sent[0]; e.Type != emission.ContextErased || !strings.Contains(string(e.Data), `"erased":true`) || strings.Contains(string(e.Data), "Kx81c") {
		t.Errorf("sent %s: %s", e.Type, e.Data)
	}
}

func TestWaitingForATranscript(t *testing.T) {
	t.Parallel()
	late := func() *events.EscalationRaised {
		r := raised(1)
		r.TranscriptPending, r.Context.Transcript = true, &events.Transcript{URL: "https://bot.example/t"}
		return r
	}
	stored := &events.TranscriptStored{Number: 1, Messages: 1, Transcript: &events.Transcript{Complete: true, Messages: []events.Message{{From: "bot", Text: "Hello"}}}}
	for sentence, c := range map[string]struct {
		endpoint string
		then     func(*bench)
		waits    bool
		says     string
	}{
		"a full event waits":              {endpoint: "desk", waits: true},
		"a thin event does not":           {endpoint: "log", says: `"pending":true`},
		"not for longer than ten seconds": {endpoint: "desk", then: func(b *bench) { b.now = start.Add(emission.TranscriptWait) }, says: `"pending":true`},
		"the transcript ends it":          {endpoint: "desk", then: func(b *bench) { b.say(stored) }, says: `"text":"Hello"`},
		"so does its absence":             {endpoint: "desk", then: func(b *bench) { b.say(&events.TranscriptMissing{Number: 1}) }, says: `"complete":false,"url"`},
		"an erasure ends it too":          {endpoint: "desk", then: (*bench).erase, says: `"erased":true`},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b, item := planned(t, c.endpoint, late(), route(1))
			if c.then != nil {
				c.then(b)
			}
			p := b.attempt(item)
			if c.waits {
				if !p.RetryAt.Equal(start.Add(emission.TranscriptWait)) || p.Tried || p.Status != delivery.Pending || len(b.history(item)) > 0 {
					t.Errorf("progress = %+v, history %q", p, b.history(item))
				}
				return
			}
			if p.Status != delivery.Delivered {
				t.Fatalf("progress = %+v", p)
			}
			data := string(b.sender.sent[0].Data)
			if !strings.Contains(data, c.says) || strings.Contains(c.says, "Hello") && strings.Contains(data, "pending") {
				t.Errorf("sent %s, want %s in it", data, c.says)
			}
		})
	}
}

func TestResend(t *testing.T) {
	t.Parallel()
	b, item := planned(t, "desk")
	b.attempt(item)
	by, name := identity.Principal{ID: "p-1", Tenant: tenant}, delivery.NameOf(item.ID)
	for range 2 { // asked twice it is one fact
		if s, err := b.Resend(t.Context(), by, name); err != nil || s.Status != delivery.Pending || s.Round != 2 {
			t.Fatalf("Resend = %+v, %v", s, err)
		}
	}
	if got := b.queue.put[len(b.queue.put)-1]; got != item {
		t.Errorf("a pending delivery is put in as %+v, want %+v", got, item)
	}
	p, err := b.Plan(t.Context(), b.notify(item.ID, 0))
	if err != nil || len(p.Items) != 1 || p.Items[0] != item {
		t.Fatalf("Plan = %+v, %v, want %+v", p, err, item)
	}
	b.attempt(p.Items[0])
	b.wantHistory(item, "1 delivered", "Delivered", "DeliveryResent", "2 delivered", "Delivered")
	for sentence, c := range map[string]struct {
		by   identity.Principal
		name string
	}{
		"another tenant's": {identity.Principal{Tenant: "other"}, name},
		"no such delivery": {by, "dlv_0zhc400000g00800000000001a"},
		"not a delivery":   {by, delivery.NameOf(b.conv)},
		"no name at all":   {by, "x"},
	} {
		if _, err := b.Resend(t.Context(), c.by, c.name); !fault.Is(err, "delivery-not-found") {
			t.Errorf("%s: Resend = %v", sentence, err)
		}
	}
}

func TestTypesAreAllThatLeadToEvents(t *testing.T) {
	t.Parallel()
	codec := events.Register()
	for name, version := range codec.Types() {
		f, err := codec.Decode(name, version, []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if emission.TypeOf(f) != "" && !slices.Contains(deliver.Types(), name) {
			t.Errorf("deliver is not told of %s", name)
		}
	}
	for _, name := range deliver.Types() {
		if codec.Types()[name] == 0 {
			t.Errorf("there is no fact %s", name)
		}
	}
}
