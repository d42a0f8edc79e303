package relay

import (
	"context"
	"slices"
	"time"

	"handoff/domain/fault"
	"handoff/domain/relay"
	"handoff/events"
)

// listen hears the bot for as long as this turn is patient, and rests then.
func (t *turn) listen(ctx context.Context) (again bool, err error) {
	left, due := t.patience(), t.woken || !t.state.LookAt.IsZero() && !t.state.LookAt.After(t.Now())
	if left == 0 && (t.caughtUp || !due) {
		return false, t.rest(ctx)
	}
	if again, err = t.hear(ctx, min(left, pause)); err != nil || !again || t.state.Owed(t.Now()).Do != relay.Listen {
		return again, err
	}
	return t.judge(ctx)
}

// patience returns how much longer this turn listens: until the bot answers and
// then falls silent, or not at all where the bot is followed.
func (t *turn) patience() time.Duration {
	if t.state.Phase == relay.WithHub || t.followed {
		return 0
	}
	end := t.began.Add(t.Patience)
	if t.state.Bot.Asked.IsZero() {
		last := t.state.Bot.Spoke
		if t.active.After(last) {
			last = t.active
		}
		if quiet := last.Add(t.Quiet); quiet.Before(end) {
			end = quiet
		}
	}
	return max(0, end.Sub(t.Now()))
}

// hear takes what the bot's conversation has that is new, and raises the
// hand-off in it: after what the bot said before, which the customer still
// gets, and before what it said later, which is refused.
func (t *turn) hear(ctx context.Context, wait time.Duration) (again bool, err error) {
	s, err := t.session(ctx)
	if err != nil {
		return false, err
	}
	watermark, err := t.watermark(ctx)
	if err != nil {
		return false, err
	}
	heard, err := t.Bot.Listen(ctx, t.link, s, watermark, wait)
	if err != nil {
		return t.botFailed(ctx, err)
	}
	t.caughtUp, t.followed = true, heard.Followed
	before, spoken := t.state.Bot, heard.Spoken
	if i := slices.IndexFunc(spoken, gaveUp); i >= 0 && t.state.Phase == relay.WithBot {
		if err := t.take(ctx, s, spoken[:i], ""); err != nil {
			return false, err
		}
		if err := t.handOver(ctx, spoken[i]); err != nil {
			return false, err
		}
		spoken = spoken[i+1:]
	}
	if err := t.take(ctx, s, spoken, heard.Watermark); err != nil {
		return false, err
	}
	if t.state.Bot.Spoke.After(before.Spoke) {
		t.active = t.Now()
	}
	if heard.Watermark != "" && t.bot.heard == t.state.Bot.Heard {
		t.bot.watermark = heard.Watermark // of this turn only: it is not worth a fact
	}
	return true, nil
}

func gaveUp(s relay.Spoken) bool { return s.HandOff != nil || s.Unreadable != nil }

// take appends what was said, if the bot's conversation is still the same.
func (t *turn) take(ctx context.Context, s events.BotSession, spoken []relay.Spoken, watermark string) error {
	c := relay.Hear{
		To: t.to, Session: t.state.Session, Opened: t.state.Bot.Opened, After: t.state.Bot.Heard,
		Watermark: watermark, At: t.Now().UTC(), LookAt: t.soon(),
	}
	for _, p := range spoken {
		c.Ended = c.Ended || p.Ended
		u := relay.Utterance{Echo: t.echo(p.Mark)}
		if p.Message != nil && p.Mark == "" {
			ref, err := t.ref(t.link, events.SideBot, s.ConversationID, idOf(p))
			if err != nil {
				return err
			}
			u.Ref, u.Message = ref, *p.Message
		}
		c.Heard = append(c.Heard, u)
	}
	return t.decide(ctx, c)
}

// idOf returns the id of a message, or what stands for it where it has none.
func idOf(p relay.Spoken) string {
	if p.ID != "" {
		return p.ID
	}
	return "text\x00" + p.Message.AtText + "\x00" + p.Message.Text
}

// The codes with which a bot loses the voice, and a relay ends, by the clock.
const (
	CodeSilent = "bot-silent"
	CodeIdle   = "idle"
)

// judge asks human agents for a customer whom the bot leaves alone.
func (t *turn) judge(ctx context.Context) (again bool, err error) {
	since := t.state.WaitsSince()
	if t.state.Phase != relay.WithBot || since.IsZero() || t.Now().Sub(since) < t.BotPatience {
		return true, nil
	}
	return true, t.giveUp(ctx, CodeSilent)
}

// idle reports whether nobody uses the relay any more.
func (t *turn) idle() bool {
	s := t.state
	if s.Active() && s.Phase == relay.WithBot && s.Check != nil && !t.Now().Before(s.Check.Until) {
		return true
	}
	return s.Active() && s.Phase == relay.WithBot && s.WaitsSince().IsZero() && len(s.Back.Waiting) == 0 && t.Now().Sub(t.last()) >= t.Idle
}

// last returns when the bot said or got something last.
func (t *turn) last() time.Time {
	if t.state.Bot.Spoke.IsZero() {
		return t.state.Began
	}
	return t.state.Bot.Spoke
}

// aboutThen is how much later a look may come than it should: what was said last
// set it, and was given away a moment after it was taken.
const aboutThen = time.Second

// rest says when the relay is to be looked at again, if that is not said yet.
func (t *turn) rest(ctx context.Context) error {
	next, now := t.next(), t.Now()
	if look := t.state.LookAt; look.After(now) && (next.IsZero() || !look.After(next.Add(aboutThen))) {
		return nil
	}
	return t.decide(ctx, relay.Rest{To: t.to, Fact: events.RelayRested{Session: t.state.Session, LookAt: next}})
}

// next returns when the relay is to be looked at again: late words of a bot are
// looked for at growing distances, as long as bots work on an answer.
func (t *turn) next() time.Time {
	s, now := t.state, t.Now().UTC()
	since := s.WaitsSince()
	switch {
	case s.Phase == relay.WithHub && s.Bot.Expires.IsZero():
		return time.Time{} // the escalation has a deadline of its own
	case s.Phase == relay.WithHub:
		return s.Bot.Expires.Add(-relay.TokenMargin)
	case !since.IsZero():
		return t.afterwards(since, now, since.Add(t.BotPatience))
	}
	end := t.last().Add(t.Idle)
	if s.Check != nil && s.Check.Until.Before(end) {
		end = s.Check.Until
	}
	return t.afterwards(t.last(), now, end)
}

// lateLooks is how many looks for late words there are: with the usual Timing
// the last one is 160 s after the last word.
const lateLooks = 4

// afterwards returns the first of the looks after an instant that is yet to
// come, or the end.
func (t *turn) afterwards(since, now, end time.Time) time.Time {
	for i := range lateLooks {
		if at := since.Add(t.Late << i); at.After(now) && at.Before(end) {
			return at
		}
	}
	return end
}

// botFailed draws the consequence of a call to the bot that failed. A
// conversation that is lost before the bot owes an answer is begun anew; where
// the customer waits in vain, human agents are asked; else it is tried again.
func (t *turn) botFailed(ctx context.Context, cause error) (again bool, err error) {
	t.Log.WarnContext(ctx, "bot could not be reached", "connection_id", t.link.Connection, "stream", t.home.ID.String(), "error", cause)
	s, final := t.state, fault.KindOf(cause).Permanent()
	since := s.WaitsSince()
	lose := relay.Lose{To: t.to, Session: s.Session, Opened: s.Bot.Opened, Code: fault.CodeOf(cause)}
	switch {
	case s.Phase == relay.WithHub && !final:
		return false, t.rest(ctx)
	case s.Bot.Opened > 0 && final && (s.Phase == relay.WithHub || since.IsZero()):
		return true, t.decide(ctx, lose)
	case s.Bot.Opened > 0 && over(cause) && s.Bot.Asked.IsZero() && t.losses == 0:
		t.losses++
		return true, t.decide(ctx, lose)
	case final || !since.IsZero() && t.Now().Sub(since) >= t.BotPatience:
		return true, t.giveUp(ctx, fault.CodeOf(cause))
	}
	return false, cause
}
