package relay

import (
	"cmp"
	"context"
	"time"

	"handoff/domain/conversation"
	"handoff/domain/escid"
	"handoff/domain/fault"
	"handoff/domain/relay"
	"handoff/events"
)

// hubside is what this turn knows of the hub.
type hubside struct {
	version int // of the fact that address is from
	address events.HubAddress
}

// address returns where the customer is.
func (t *turn) address(ctx context.Context) (events.HubAddress, error) {
	if t.hub.version == t.state.Address && t.hub.version > 0 {
		return t.hub.address, nil
	}
	f, err := t.fact(ctx, t.state.Address)
	if err != nil {
		return events.HubAddress{}, err
	}
	switch f := f.(type) {
	case *events.RelayStarted:
		if f.Opening != nil {
			t.hub = hubside{t.state.Address, f.Opening.Address}
			return t.hub.address, nil
		}
	case *events.MessagesTaken:
		if f.Said != nil && f.Said.Address != nil {
			t.hub = hubside{t.state.Address, *f.Said.Address}
			return t.hub.address, nil
		}
	}
	return events.HubAddress{}, unreadable(t.state.Address)
}

// send gives the customer a message. What the hub does not take as a message is
// dropped, and a fact says so; what it does not take for now is tried again.
func (t *turn) send(ctx context.Context, w relay.Waiting) (again bool, err error) {
	said, err := t.said(ctx, w.Version)
	if err != nil {
		return false, err
	}
	at, err := t.address(ctx)
	if err != nil {
		return false, err
	}
	err = t.Customer.Say(ctx, t.link, at, said.Messages[w.Index])
	switch k := fault.KindOf(err); {
	case err == nil:
		t.active = t.Now()
		return true, t.decide(ctx, relay.Pass{To: t.to, Fact: events.MessageRelayed{
			Session: t.state.Session, To: events.SideCustomer, Sequence: w.Sequence, At: t.Now().UTC(), LookAt: t.soon(),
		}})
	case k == fault.TooLarge || k == fault.Unprocessable || k == fault.Invalid:
		t.Log.WarnContext(ctx, "message not taken by the hub", "connection_id", t.link.Connection, "stream", t.home.ID.String(), "error", err)
		return true, t.decide(ctx, relay.Drop{To: t.to, Fact: events.MessagesRefused{
			Session: t.state.Session, From: events.SideBot, Sequence: w.Sequence, Code: fault.CodeOf(err),
		}})
	}
	return t.hubFailed(ctx, err, t.Now().Sub(w.At) >= t.HubPatience)
}

// recordPatience is how long the hub's records are waited for where it has taken
// the bot out of a conversation before the relay knows that the hub was told to
// escalate: either that was told, and its answer was lost, and a human agent has
// the conversation; or it is over.
const recordPatience = 2 * time.Minute

// escalate has the hub find a human agent.
func (t *turn) escalate(ctx context.Context) (again bool, err error) {
	at, err := t.address(ctx)
	if err != nil {
		return false, err
	}
	e, err := t.escalation(ctx)
	if err != nil {
		return false, err
	}
	omitted, err := t.Hub.Escalate(ctx, t.link, at, e)
	if err != nil {
		tried := t.Now().Sub(t.state.Raised)
		if over(err) && t.state.Number > 0 && tried < recordPatience {
			return false, later(err)
		}
		return t.hubFailed(ctx, err, tried >= t.HubPatience)
	}
	f := events.HubCommanded{Session: t.state.Session, Number: t.state.Number, Command: events.CommandEscalate, Omitted: len(omitted)}
	if len(omitted) > 0 {
		f.Details = &events.CommandDetails{Omissions: omitted}
	}
	return true, t.decide(ctx, relay.Command{To: t.to, Fact: f})
}

// escalation is what the hub is told: everything that is known of the
// conversation, and the queue that was decided on, by the name that it has in
// the rules: the same that a bot gets which asks for advice.
func (t *turn) escalation(ctx context.Context) (relay.Escalation, error) {
	if t.state.Number == 0 {
		return relay.Escalation{Summary: "The bot can't go on (" + t.state.Code + ")."}, nil
	}
	var v conversation.Viewer
	for o, err := range t.Ledger.ReadOpen(ctx, t.home.ID) {
		if err != nil {
			return relay.Escalation{}, err
		}
		v.Observe(o.Header, o.Fact, o.Erased)
	}
	e, ok := v.Escalation(t.state.Number)
	if !ok {
		return relay.Escalation{}, fault.Newf(fault.Internal, "escalation-not-found", "The relay knows escalation %d and the conversation does not.", t.state.Number)
	}
	id := escid.Of(t.home.ID, e.Number)
	url, err := t.Linker.ContextURL(ctx, t.link.Tenant, id, e.Deadline)
	if err != nil {
		return relay.Escalation{}, err
	}
	c, err := t.connection(ctx, t.link)
	if err != nil {
		return relay.Escalation{}, err
	}
	told := relay.Escalation{
		ID: id, Queue: e.Queue.ID, ContextURL: url, Topic: e.Raised.Topic, Language: e.Raised.Language, Bot: e.Raised.Bot,
	}
	if c.Omnichannel != nil && c.Omnichannel.Routing == events.RoutingHub && e.Check == nil {
		told.Queue = "" // the rules only predict
	}
	if e.Context != nil {
		told.Context, told.Summary = *e.Context, cmp.Or(e.Context.MessageToAgent, e.Context.Summary)
	}
	return told, nil
}

// close has the hub end the conversation: the bot ended it, or a check got
// nowhere.
func (t *turn) close(ctx context.Context) (again bool, err error) {
	at, err := t.address(ctx)
	if err != nil {
		return false, err
	}
	if err := t.Hub.End(ctx, t.link, at); err != nil {
		return t.hubFailed(ctx, err, t.Now().Sub(t.last()) >= t.HubPatience)
	}
	return true, t.decide(ctx, relay.Command{To: t.to, Fact: events.HubCommanded{Session: t.state.Session, Command: events.CommandEnd}})
}

// hubFailed draws the consequence of a call to the hub that failed: the relay
// ends where the conversation is over in the hub or the hub was tried for long
// enough, and the escalation with it, if the hub does not know of it. The
// customer is the hub's from then on, which looks after a conversation whose bot
// says nothing.
func (t *turn) hubFailed(ctx context.Context, cause error, tired bool) (again bool, err error) {
	if !over(cause) && !tired {
		return false, later(cause)
	}
	t.Log.ErrorContext(ctx, "relay ended, for the hub does not answer", "connection_id", t.link.Connection, "stream", t.home.ID.String(), "error", cause)
	s := t.state
	if e, open := t.whole.Open(); open && e.Number == s.Number && !s.Commanded {
		failed := conversation.Report{To: conversation.To(t.to), Number: e.Number, Status: conversation.Failed, Code: fault.CodeOf(cause)}
		if err := t.decide(ctx, failed); err != nil {
			return false, err
		}
	}
	if tell := t.state.Tell; len(tell) > 0 {
		if _, err := t.tell(ctx, relay.ToBot{State: tell[0]}, tell[0]); err != nil {
			return false, err
		}
	}
	return true, t.finish(ctx, fault.CodeOf(cause))
}

// tell tells the bot what became of its escalation, or that the conversation is
// over. It need not act on it, so a bot that can't be told is given up on after
// a while, and a fact says so.
func (t *turn) tell(ctx context.Context, what relay.ToBot, state string) (again bool, err error) {
	code := "bot-conversation-lost"
	if t.state.Bot.Opened > 0 {
		s, err := t.session(ctx)
		if err != nil {
			return false, err
		}
		err = t.Bot.Post(ctx, t.link, s, what)
		if err != nil && !fault.KindOf(err).Permanent() && t.Now().Sub(t.cause) < t.BotPatience {
			return false, err
		}
		if code = ""; err != nil {
			code = fault.CodeOf(err)
		}
	}
	return true, t.decide(ctx, relay.Told{To: t.to, Fact: events.BotTold{
		Session: t.state.Session, Number: t.state.Number, State: state, Code: code,
	}})
}
