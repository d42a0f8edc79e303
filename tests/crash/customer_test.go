package crash_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
	"handoff/tests/harness"
)

// customer is one customer's whole conversation, from the greeting to the end
// by a human agent.
type customer struct {
	*between

	n        int
	widget   *hub.Widget
	said     []string    // to the bot, in order
	last     hub.Message // that was read
	repeated int         // messages that came again
}

func (c *customer) live(ctx context.Context) (err error) {
	if c.widget, err = c.Hub().Open(hub.Chat{AppID: simulation.WidgetAppID, Name: fmt.Sprintf("Customer %d", c.n)}); err != nil {
		return err
	}
	if err := c.delivered(ctx, nil); err != nil {
		return err
	}
	for _, turn := range []struct {
		says    []string
		answers []string
	}{
		{nil, []string{greeting}},
		{[]string{"open today"}, []string{hours}},
		{[]string{"in stock", "open today, by the way"}, []string{looking, stock, hours}},
		{[]string{"refund please"}, []string{question}},
		{[]string{"order"}, []string{thanks, "The conversation is being transferred."}},
	} {
		for _, text := range turn.says {
			if err := c.say(ctx, text); err != nil {
				return err
			}
		}
		if err := c.reads(ctx, turn.answers...); err != nil {
			return err
		}
	}
	return c.handled(ctx)
}

// say says something that no other customer says, and returns when the program
// has taken it.
func (c *customer) say(ctx context.Context, text string) error {
	text = fmt.Sprintf("%s (%d)", text, c.n)
	if err := c.widget.Say(text); err != nil {
		return err
	}
	c.said = append(c.said, text)
	return c.delivered(ctx, text)
}

// delivered has the hub send an activity with a text again for as long as nobody
// takes it; the first one of a conversation has none.
func (c *customer) delivered(ctx context.Context, text any) error {
	for tries := 0; ; {
		last, taken := 0, false
		_, err := c.Hub().Await(ctx, c.widget.ID(), func(v hub.Conversation) bool {
			times := 0
			for i, d := range v.Deliveries {
				if d.Activity["text"] == text {
					last, taken = i, taken || d.Status/100 == 2
					times++
				}
			}
			return times > tries
		})
		if err != nil || taken {
			return err
		}
		tries++
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		if err := c.Hub().Redeliver(c.widget.ID(), last); err != nil {
			return err
		}
	}
}

// reads wants these messages next, in this order. One may come once more before
// the next one for each time that the program was killed since.
func (c *customer) reads(ctx context.Context, want ...string) error {
	for i := 0; i < len(want); {
		m, err := c.widget.Read(ctx)
		if err != nil {
			return fmt.Errorf("read %q: %w", want[i], err)
		}
		switch {
		case m.Text == want[i]:
			i++
		case m.Text != c.last.Text:
			return fmt.Errorf("read %q after %q, want %q", m.Text, c.last.Text, want[i])
		case !c.killed(c.last.At, m.At):
			return fmt.Errorf("read %q again, and nobody was killed", m.Text)
		default:
			c.repeated++
		}
		c.last = m
	}
	return nil
}

// handled has a human agent take the conversation, answer and end it.
func (c *customer) handled(ctx context.Context) error {
	ana, err := c.Hub().Desk(simulation.Ana)
	if err != nil {
		return err
	}
	v, err := c.Hub().Conversation(c.widget.ID())
	if err != nil {
		return err
	}
	if v.QueueName != "Refunds" || v.Context["HandoffQueue"] != "refunds" || v.Context["OrderNumber"] != c.said[len(c.said)-1] {
		return fmt.Errorf("the hub has it in %s, with %v", v.QueueName, v.Context)
	}
	if err := ana.Accept(c.widget.ID()); err != nil {
		return err
	}
	answer := fmt.Sprintf("Your money is on its way, customer %d.", c.n)
	if err := ana.Say(c.widget.ID(), answer); err != nil {
		return err
	}
	if err := c.reads(ctx, "Ana de Wit has joined the conversation.", answer); err != nil {
		return err
	}
	return ana.End(c.widget.ID())
}

// judge waits until nothing is owed any more and compares what everybody was
// told with what was said, and with the log: each of these facts is there once
// for each customer.
func (b *between) judge(ctx context.Context, all []*customer) {
	b.t.Helper()
	var got map[string]int
	err := harness.Poll(ctx, func() (_ bool, err error) {
		got, err = b.census(ctx)
		return got["RelayEnded"] >= len(all) && got["BotTold"] >= 3*len(all), err
	})
	if err != nil {
		b.t.Errorf("wait for the end of %d relays: %v; facts %v", len(all), err, got)
		return
	}
	for _, typ := range []string{
		"EscalationRaised", "EscalationRouted", "EscalationQueued", "RouteConfirmed", "EscalationAccepted", "EscalationCompleted", "RelayEnded",
	} {
		if got[typ] != len(all) {
			b.t.Errorf("%d facts %s, want %d", got[typ], typ, len(all))
		}
	}
	b.heard(all)
	if v, err := b.admin.Verify(ctx); err != nil || !v.OK {
		b.t.Errorf("verify: %+v, %v", v, err)
	}
}

// census counts the facts by their type.
func (b *between) census(ctx context.Context) (map[string]int, error) {
	got := make(map[string]int)
	for f, err := range b.admin.Facts(ctx, 0) {
		if err != nil {
			return nil, err
		}
		got[f.Type]++
	}
	return got, nil
}

// heard compares what the bot was told with what customers said: each message
// once, in order, and what became of its hand-offs. Of that it may be told again.
func (b *between) heard(all []*customer) {
	b.t.Helper()
	for _, c := range all {
		var got []string
		for _, talk := range b.VirtualBots().Conversations() {
			for _, a := range talk.Activities {
				text, _ := a["text"].(string)
				if slices.Contains(c.said, text) {
					got = append(got, text)
				}
			}
		}
		if !slices.Equal(got, c.said) {
			b.t.Errorf("the bot got %q, want %q", got, c.said)
		}
	}
	for _, talk := range b.VirtualBots().Conversations() {
		var states []any
		for _, s := range talk.Statuses {
			states = append(states, s["state"])
		}
		begun := len(talk.Statuses) > 0
		if talk.AfterTransfer > 0 || begun != talk.Ended || begun && !slices.Equal(slices.Compact(states), []any{"accepted", "completed"}) {
			b.t.Errorf("the bot is told %v, ended %t, and %d messages after its transfer", states, talk.Ended, talk.AfterTransfer)
		}
	}
}
