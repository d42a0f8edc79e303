package relaying

import (
	"context"
	"maps"
	"net/http"

	"handoff/domain/fault"
	"handoff/domain/relay"
	"handoff/events"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/connector"
	"handoff/infra/microsoft/omnichannel"
	"handoff/infra/microsoft/rest"
)

// Say implements relay.Customer: the customer sees the message, because it is
// bridged.
func (r *Relaying) Say(ctx context.Context, l relay.Link, to events.HubAddress, m events.Message) error {
	a := activity.Message(m.Text)
	maps.Copy(a, m.Extensions)
	return r.send(ctx, l, to, omnichannel.Bridged(a))
}

// Escalate implements relay.Hub.
func (r *Relaying) Escalate(ctx context.Context, l relay.Link, at events.HubAddress, e relay.Escalation) ([]events.Omission, error) {
	a, findings := omnichannel.Escalation{
		Queue: e.Queue, ID: e.ID, ContextURL: e.ContextURL, Summary: e.Summary, Topic: e.Topic, Language: e.Language, Bot: e.Bot, Context: e.Context,
	}.Message(r.o.Limits)
	var omitted []events.Omission
	for _, f := range findings {
		omitted = append(omitted, events.Omission{Name: f.Variable, Code: f.Code})
	}
	return omitted, r.send(ctx, l, at, a)
}

// End implements relay.Hub.
func (r *Relaying) End(ctx context.Context, l relay.Link, at events.HubAddress) error {
	return r.send(ctx, l, at, omnichannel.End("The bot ended the conversation."))
}

func (r *Relaying) send(ctx context.Context, l relay.Link, to events.HubAddress, a activity.Activity) error {
	s, err := r.sender(ctx, l)
	if err != nil {
		return explain(err)
	}
	if to.BotID != "" {
		a = a.With("from", map[string]string{"id": to.BotID})
	}
	_, err = s.Send(ctx, connector.Conversation{ServiceURL: to.ServiceURL, ID: to.ConversationID}, a)
	return explain(err)
}

// explain says what a failure means for the conversation. A bot that was taken
// out of it, or whose conversation is closed, is told from one that lacks a
// permission, though both are 403 (read from the SDK: error codes of Teams). What
// is refused for what it says is told from what is refused for who we are: that
// is mended by people, and worth another try.
func explain(err error) error {
	if err == nil || !fault.KindOf(err).Permanent() {
		return err
	}
	refused := rest.RefusalOf(err)
	switch {
	case refused != nil && refused.Code == "BotNotInConversationRoster":
		return fault.New(fault.Gone, "hub-conversation-over", "The hub has taken the bot out of the conversation, or closed it.").Because(err)
	case fault.KindOf(err) == fault.TooLarge, refused != nil && (refused.Status == http.StatusBadRequest || refused.Status == http.StatusNotFound):
		return err
	}
	return fault.New(fault.Forbidden, fault.CodeOf(err), "The hub does not let us speak.").Because(err)
}
