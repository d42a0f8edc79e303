package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"handoff/domain/listing"
	"handoff/infra/httpapi"
	"handoff/infra/microsoft/simulation"
	"handoff/infra/microsoft/simulation/hub"
)

// chat is the conversation that the demo has by itself: the customer's widget
// and the desk of the human agent.
type chat struct {
	widget *hub.Widget
	ana    *hub.Desk
}

// answer is what has to arrive in the widget.
const answer = "Yes. I'll send your money back."

// converse plays customer and human agent: the customer writes to the bot, which
// hands over, and gets the human agent's answer in the same widget.
func (r *relayed) converse(ctx context.Context) error {
	r.say("", "")
	var c chat
	var err error
	if c.widget, err = r.cloud.Hub().Open(hub.Chat{AppID: simulation.WidgetAppID, Name: "R. Bakker"}); err != nil {
		return fmt.Errorf("open the widget: %w", err)
	}
	if c.ana, err = r.cloud.Hub().Desk(simulation.Ana); err != nil {
		return fmt.Errorf("go to the desk: %w", err)
	}
	r.chat = c
	for _, act := range []func() error{
		func() error { return r.shows(ctx, hub.Bot, "How can I help?") },
		func() error { return c.widget.Say("refund please") },
		func() error { return r.shows(ctx, hub.Bot, "order number") },
		func() error { return c.widget.Say("A-1234") },
		func() error { return r.offered(ctx) },
		func() error { return c.ana.Accept(c.widget.ID()) },
		func() error { return c.widget.Say("Are you there?") },
		func() error { return c.ana.Say(c.widget.ID(), answer) },
		func() error { return r.shows(ctx, hub.Agent, answer) },
	} {
		if err := act(); err != nil {
			return fmt.Errorf("converse: %w", err)
		}
	}
	return nil
}

// shows waits until the widget shows a text of somebody's.
func (r *relayed) shows(ctx context.Context, from hub.Sender, text string) error {
	_, err := r.await(ctx, fmt.Sprintf("the widget to show %q", text), func(c hub.Conversation) bool {
		return slices.ContainsFunc(c.Messages, func(m hub.Message) bool {
			return m.From == from && !m.Private && strings.Contains(m.Text, text)
		})
	})
	return err
}

// offered waits until the conversation is offered to Ana, whose queue the rules
// of the connection say, with what the bot knew.
func (r *relayed) offered(ctx context.Context) error {
	c, err := r.await(ctx, "the offer to Ana", func(c hub.Conversation) bool { return c.Offered == simulation.Ana })
	if err != nil {
		return err
	}
	if c.QueueName != "Refunds" || c.Context["OrderNumber"] != "A-1234" {
		return fmt.Errorf("the desk got the conversation in queue %q with %v", c.QueueName, c.Context)
	}
	r.say("desk", "Ana de Wit is offered the conversation in queue %s, with %d context variables", c.QueueName, len(c.Context))
	link, _ := c.Context["HandoffContextUrl"].(string)
	return r.opens(ctx, link)
}

// opens follows the link that the human agent finds among the variables.
func (r *relayed) opens(ctx context.Context, link string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, http.NoBody)
	if err != nil {
		return fmt.Errorf("open HandoffContextUrl: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("open HandoffContextUrl: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	var seen httpapi.EscalationContext
	if err := json.NewDecoder(res.Body).Decode(&seen); err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("open HandoffContextUrl: it answers %s: %w", res.Status, err)
	}
	if seen.Context == nil || seen.Transcript == nil {
		return errors.New("open HandoffContextUrl: there is no context")
	}
	r.say("desk", "HandoffContextUrl opens in Handoff: %d messages, %d variables", len(seen.Transcript.Messages), len(seen.Variables))
	return nil
}

// await tells what happens until the conversation is as wanted.
func (r *relayed) await(ctx context.Context, what string, as func(hub.Conversation) bool) (c hub.Conversation, err error) {
	err = r.hops.until(ctx, func() (bool, error) {
		c, err = r.cloud.Hub().Conversation(r.chat.widget.ID())
		return as(c), err
	})
	if err != nil {
		return c, fmt.Errorf("wait for %s: %w", what, err)
	}
	return c, nil
}

// end has the human agent end the conversation, once the log knows of her.
func (r *relayed) end(ctx context.Context) error {
	for _, factType := range []string{"RouteConfirmed", "HumanAgentJoined"} {
		if err := r.hops.fact(ctx, factType); err != nil {
			return err
		}
	}
	id := r.chat.widget.ID()
	if err := errors.Join(r.chat.ana.End(id), r.chat.ana.Close(id)); err != nil {
		return fmt.Errorf("end the conversation: %w", err)
	}
	for _, factType := range []string{"EscalationCompleted", "RelayEnded"} {
		if err := r.hops.fact(ctx, factType); err != nil {
			return err
		}
	}
	return nil
}

// explain tells why the escalation went where it went, and that the log is whole.
func (r *relayed) explain(ctx context.Context) error {
	list, err := r.client.Escalations(ctx, listing.EscalationQuery{})
	if err != nil || len(list.Items) != 1 {
		return fmt.Errorf("list escalations: %d, want 1: %w", len(list.Items), err)
	}
	why, err := r.client.Why(ctx, list.Items[0].ID)
	if err != nil {
		return fmt.Errorf("ask why: %w", err)
	}
	r.say("", "")
	r.say("why", "%s", why.Sentence)
	for _, l := range why.Lines {
		r.say("", "          %s", l)
	}
	if why.Hub == nil || !why.Hub.Confirmed {
		return fmt.Errorf("ask why: the hub's choice is told as %+v, want it confirmed", why.Hub)
	}
	r.say("", "          the hub chose its queue %s: confirmed", why.Hub.Queue.Name)
	v, err := r.client.Verify(ctx, "")
	if err != nil || !v.OK {
		return fmt.Errorf("verify: %+v: %w", v.Problems, err)
	}
	r.say("audit", "%d facts, chain intact", v.Facts)
	r.say("done", "the human agent's answer arrived in the widget in which the customer had written")
	return nil
}
