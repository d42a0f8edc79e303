package relay

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/domain/relay"
	"handoff/events"
)

// botside is what this turn knows of the conversation with the bot.
type botside struct {
	opened    int // version of the fact that session is from
	session   events.BotSession
	heard     int // version of the fact that watermark is from
	watermark string
}

// open begins a conversation with the bot.
func (t *turn) open(ctx context.Context) (again bool, err error) {
	c, err := t.connection(ctx, t.link)
	if err != nil {
		return false, err
	}
	if refusal := connection.Refusal(c); refusal != nil {
		return true, t.leave(ctx, fault.CodeOf(refusal))
	}
	o, err := t.opening(ctx)
	if err != nil {
		return false, err
	}
	b, err := t.Opener.Open(ctx, t.link, o)
	if err != nil {
		return t.botFailed(ctx, err)
	}
	t.active, t.caughtUp = t.Now(), true
	return true, t.begin(ctx, b, false)
}

func (t *turn) begin(ctx context.Context, b relay.BotConversation, renewed bool) error {
	t.followed = false // with this token it is not
	return t.decide(ctx, relay.Begin{To: t.to, Fact: events.BotConversationOpened{
		Session: t.state.Session, Renewed: renewed, ExpiresAt: b.Expires, LookAt: t.soon(), Bot: &b.BotSession,
	}})
}

// opening is what the bot is told at first: what the hub knows, and a name for
// the customer that says nothing.
func (t *turn) opening(ctx context.Context) (relay.Opening, error) {
	f, err := t.fact(ctx, t.state.Opening)
	if err != nil {
		return relay.Opening{}, err
	}
	started, ok := f.(*events.RelayStarted)
	if !ok || started.Opening == nil {
		return relay.Opening{}, unreadable(t.state.Opening)
	}
	at := started.Opening.Address
	user, err := t.ref(t.link, "user", at.ConversationID, strconv.Itoa(t.state.Session)+at.CustomerID)
	return relay.Opening{
		UserID: user, Variables: started.Opening.Variables, Greet: !t.state.Bot.Greeted && len(t.state.To.Waiting) == 0,
	}, err
}

func (t *turn) renew(ctx context.Context) (again bool, err error) {
	s, err := t.session(ctx)
	if err != nil {
		return false, err
	}
	b, err := t.Opener.Renew(ctx, t.link, s)
	if err != nil {
		return t.botFailed(ctx, err)
	}
	return true, t.begin(ctx, b, true)
}

// session returns how to go on with the conversation.
func (t *turn) session(ctx context.Context) (events.BotSession, error) {
	if t.bot.opened == t.state.Bot.Opened {
		return t.bot.session, nil
	}
	f, err := t.fact(ctx, t.state.Bot.Opened)
	if err != nil {
		return events.BotSession{}, err
	}
	opened, ok := f.(*events.BotConversationOpened)
	if !ok || opened.Bot == nil {
		return events.BotSession{}, unreadable(t.state.Bot.Opened)
	}
	if opened.Bot.ConversationID != t.bot.session.ConversationID {
		t.bot.watermark, t.bot.heard = "", 0
	}
	t.bot.opened, t.bot.session = t.state.Bot.Opened, *opened.Bot
	return t.bot.session, nil
}

// watermark returns after what the bot is to be heard.
func (t *turn) watermark(ctx context.Context) (string, error) {
	if t.bot.heard == t.state.Bot.Heard {
		return t.bot.watermark, nil
	}
	said, err := t.said(ctx, t.state.Bot.Heard)
	if err != nil {
		return "", err
	}
	t.bot.heard, t.bot.watermark = t.state.Bot.Heard, said.Watermark
	return said.Watermark, nil
}

// post gives the bot a message. One that an earlier turn may have posted is
// looked for first. After the drain of a disconnected connection the hub gets
// the customer instead: soon nobody will be able to speak for the bot.
func (t *turn) post(ctx context.Context, w relay.Waiting) (again bool, err error) {
	c, err := t.connection(ctx, t.link)
	if err != nil {
		return false, err
	}
	if c.Drained(t.Now()) {
		return true, t.leave(ctx, fault.CodeOf(connection.Refusal(c)))
	}
	if !t.caughtUp {
		return t.hear(ctx, 0)
	}
	said, err := t.said(ctx, w.Version)
	if err != nil {
		return false, err
	}
	s, err := t.session(ctx)
	if err != nil {
		return false, err
	}
	if err := t.Bot.Post(ctx, t.link, s, relay.ToBot{Mark: t.mark(w.Sequence), Message: &said.Messages[w.Index]}); err != nil {
		return t.botFailed(ctx, err)
	}
	t.active = t.Now()
	return true, t.decide(ctx, relay.Pass{To: t.to, Fact: events.MessageRelayed{
		Session: t.state.Session, To: events.SideBot, Sequence: w.Sequence, At: t.Now().UTC(), LookAt: t.soon(),
	}})
}

// mark names a message of the customer's in the bot's conversation.
func (t *turn) mark(sequence int) string {
	return fmt.Sprintf("handoff-%d-%d", t.state.Session, sequence)
}

// echo returns which message a mark names, 0 for none of this session.
func (t *turn) echo(mark string) int {
	number, ok := strings.CutPrefix(mark, fmt.Sprintf("handoff-%d-", t.state.Session))
	n, err := strconv.Atoi(number)
	if !ok || err != nil {
		return 0
	}
	return n
}
