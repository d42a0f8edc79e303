package relaying

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/relay"
	"handoff/domain/transcript"
	"handoff/events"
	"handoff/infra/microsoft/activity"
	"handoff/infra/microsoft/botframework"
	"handoff/infra/microsoft/directline"
)

// markField is where a message has its mark: channelData comes back with the
// message when the conversation is read (documented: opaque to the channel).
const markField = "handoffMark"

// Open implements relay.Opener. It asks for a token at the bot's token endpoint,
// or with the bot's secret if there is one, and tells the bot what the hub knows before anything is said.
func (r *Relaying) Open(ctx context.Context, l relay.Link, o relay.Opening) (relay.BotConversation, error) {
	c, err := r.connection(ctx, l)
	if err != nil {
		return relay.BotConversation{}, err
	}
	bot := directline.Bot{TokenEndpoint: c.Omnichannel.TokenEndpoint, Base: r.o.Hosts.DirectLineBase}
	secret, err := r.o.Secrets.Secret(ctx, l.Tenant, connection.SecretName(c.ID, connection.SecretDirectLine))
	if err != nil && !fault.Is(err, "secret-not-found") {
		return relay.BotConversation{}, fmt.Errorf("secret of the bot of connection %s: %w", l.Connection, err)
	}
	bot.Secret = string(secret)
	s, err := r.bots.Start(ctx, bot, "dl_"+o.UserID)
	if err != nil {
		return relay.BotConversation{}, fmt.Errorf("begin a conversation with the bot: %w", err)
	}
	var first []activity.Activity
	if len(o.Variables) > 0 {
		first = append(first, directline.SetContext(o.Variables))
	}
	if o.Greet {
		first = append(first, directline.Greet())
	}
	for _, a := range first {
		if s, _, err = r.bots.Post(ctx, s, a); err != nil {
			return relay.BotConversation{}, fmt.Errorf("begin a conversation with the bot: %w", err)
		}
	}
	return conversationOf(s), nil
}

// Renew implements relay.Opener.
func (r *Relaying) Renew(ctx context.Context, _ relay.Link, s events.BotSession) (relay.BotConversation, error) {
	next, err := r.bots.Refresh(ctx, r.state(s))
	return conversationOf(next), err
}

func conversationOf(s directline.State) relay.BotConversation {
	return relay.BotConversation{
		BotSession: events.BotSession{BaseURL: s.Base, ConversationID: s.ConversationID, Token: s.Token, UserID: s.UserID},
		Expires:    s.Expires.UTC(),
	}
}

// state is the client's, for a conversation whose token a relay renews in time.
func (r *Relaying) state(s events.BotSession) directline.State {
	return directline.State{
		Base: s.BaseURL, ConversationID: s.ConversationID, Token: s.Token, UserID: s.UserID, Expires: r.o.Now().Add(time.Hour),
	}
}

// Post implements relay.Bot.
func (r *Relaying) Post(ctx context.Context, _ relay.Link, s events.BotSession, what relay.ToBot) error {
	_, _, err := r.bots.Post(ctx, r.state(s), toBot(what))
	return err
}

// toBot returns what a bot is told: a message as the customer wrote it; the
// state of its escalation (Microsoft, "Transition conversations from bot to
// human", handoff.status; documented); or the end.
func toBot(what relay.ToBot) activity.Activity {
	switch {
	case what.Message != nil:
		return activity.Message(what.Message.Text).With("channelData", map[string]string{markField: what.Mark})
	case what.State != "":
		return activity.Event("handoff.status", map[string]string{"state": what.State})
	}
	return directline.End()
}

// Listen implements relay.Bot. It polls, for a function has no use for a stream.
func (r *Relaying) Listen(ctx context.Context, _ relay.Link, s events.BotSession, watermark string, wait time.Duration) (relay.Heard, error) {
	end := r.o.Now().Add(wait)
	state := r.state(s)
	// Without a user our own words come back as well: they say what arrived.
	state.Watermark, state.UserID = watermark, ""
	next, fresh, err := r.bots.Await(ctx, state, wait)
	if err != nil {
		return relay.Heard{}, err
	}
	if len(fresh) == 0 {
		if err := sleep(ctx, end.Sub(r.o.Now())); err != nil {
			return relay.Heard{}, err
		}
	}
	return heard(s, fresh, next.Watermark), nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// heard reads what was said, in the order in which the channel numbered it.
func heard(s events.BotSession, all []activity.Activity, watermark string) relay.Heard {
	h := relay.Heard{Watermark: watermark}
	inOrder(all, s.ConversationID)
	for _, a := range all {
		if p, ok := spoken(s, a); ok {
			h.Spoken = append(h.Spoken, p)
		}
	}
	return h
}

// inOrder sorts activities by the number in their ids, <conversation>|0000007
// (observed), where all of them have one.
func inOrder(all []activity.Activity, conversation string) {
	numbered := func(a activity.Activity) bool {
		number, ok := strings.CutPrefix(a.ID(), conversation+"|")
		return ok && number != "" && strings.Trim(number, "0123456789") == ""
	}
	if slices.ContainsFunc(all, func(a activity.Activity) bool { return !numbered(a) }) {
		return
	}
	slices.SortStableFunc(all, func(a, b activity.Activity) int {
		if d := len(a.ID()) - len(b.ID()); d != 0 {
			return d
		}
		return strings.Compare(a.ID(), b.ID())
	})
}

// spoken reads one activity; false for what says nothing to a relay. Events of
// other names are to be ignored (activity specification, A5002).
func spoken(s events.BotSession, a activity.Activity) (relay.Spoken, bool) {
	p := relay.Spoken{ID: a.ID()}
	own := s.UserID != "" && a.From() == s.UserID
	switch {
	case own:
		p.Mark = a.Object("channelData").Text(markField)
		return p, p.Mark != ""
	case a.Type() == activity.TypeMessage:
		p.Message = message(a)
	case a.Is("handoff.initiate"):
		set, err := botframework.ParseActivities(a.JSON())
		if err != nil || len(set.HandOffs) != 1 {
			p.Unreadable = unreadable(err)
			break
		}
		p.HandOff = &set.HandOffs[0]
	case a.Type() == activity.TypeEndOfConversation:
		p.Ended = true
	default:
		return relay.Spoken{}, false
	}
	return p, true
}

func unreadable(cause error) error {
	return fault.New(fault.Unprocessable, "hand-off-unreadable", "The bot's hand-off can't be read.").Because(cause)
}

// message keeps everything of a bot's message that has no place of its own: it
// is shown to the customer as the bot meant it.
func message(a activity.Activity) *events.Message {
	m := &events.Message{ID: a.ID(), From: events.FromBot, Name: a.Object("from").Text("name"), Text: a.Text("text")}
	if at, text, ok := transcript.Written(a.Scalar("timestamp")); ok {
		m.At, m.AtText = &at, text
	}
	m.Extensions = maps.Clone(a)
	maps.DeleteFunc(m.Extensions, func(name string, _ json.RawMessage) bool { return ofItsChannel(name) })
	return m
}

// ofItsChannel reports whether a field is what a bot's channel put around a
// message, or what has a place of its own; in any case, for hubs don't mind it,
// and must get no order of theirs from a bot.
func ofItsChannel(name string) bool {
	return slices.ContainsFunc([]string{
		"id", "type", "from", "text", "timestamp", "conversation", "channelId", "channelData", "replyToId", "recipient", "serviceUrl",
	}, func(n string) bool { return strings.EqualFold(n, name) })
}
