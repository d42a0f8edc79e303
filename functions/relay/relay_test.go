package relay_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	domain "handoff/domain/relay"
	"handoff/events"
)

func contains(text, word string) bool { return strings.Contains(text, word) }

// life is a customer's whole way: greeting, a question, the hand-off, a human
// agent, the end.
func life(w *world) {
	w.hears(domain.Starts, "a0", "")
	w.pump()
	w.hears(domain.Speaks, "a1", "refund")
	w.pump()
	w.hears(domain.Speaks, "a2", "person")
	w.pump()
	w.report(&events.EscalationAccepted{Number: 1})
	w.report(&events.EscalationCompleted{Number: 1})
}

var (
	allShown = []string{"Hello!", "You said refund", "Anything else?", "I am getting somebody."}
	allGot   = []string{"refund", "person", "(accepted)", "(completed)", "(end)"}
)

func TestAWholeLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	life(w)
	w.wantSaid(allShown...)
	w.wantGot(allGot...)
	if len(w.hub.escalations) != 1 {
		t.Fatalf("the hub is told to escalate %d times, want once", len(w.hub.escalations))
	}
	e := w.hub.escalations[0]
	if e.Queue != "refunds" || !strings.HasPrefix(e.ID, "esc_") || e.ContextURL != "https://handoff.example/c/"+e.ID || e.Summary != "Wants money back" {
		t.Errorf("the hub is told %+v, want queue refunds and a link to %s", e, e.ID)
	}
	if c := e.Context.Customer; c == nil || c.ID != "8:acs:b" || e.Context.ConversationID != "19:a" {
		t.Errorf("the hand-off is of %+v in %s, want the hub's customer in the hub's conversation", c, e.Context.ConversationID)
	}
	if n := w.count("MessagesRefused"); n != 1 {
		t.Errorf("%d refusals, want one of what the bot said too late", n)
	}
	if s := w.state(); s.Relay.Phase != domain.Over || s.Last.Status != conversation.Completed {
		t.Errorf("state = %+v, %s; want it over and completed", s.Relay, s.Last.Status)
	}
	w.wantPrivate("refund please", "19:a", "8:acs:b", "secret", "Bakker", "d1|", "hub.example", "person")
}

func TestWhateverIsKilledIsContinued(t *testing.T) {
	t.Parallel()
	whole := newWorld(t)
	life(whole)
	for at := 1; at <= whole.steps; at++ {
		w := newWorld(t)
		w.kill = at
		life(w)
		if got := slices.Compact(slices.Clone(w.hub.shown)); !slices.Equal(got, allShown) || len(w.hub.shown) > len(allShown)+1 {
			t.Errorf("killed at step %d: the customer sees %q, want %q, one of them perhaps twice", at, w.hub.shown, allShown)
		}
		var messages []string
		for _, g := range w.bot.got {
			if g[0] != '(' {
				messages = append(messages, g)
			}
		}
		if !slices.Equal(messages, []string{"refund", "person"}) {
			t.Errorf("killed at step %d: the bot gets %q, want each message once", at, messages)
		}
		if got := slices.Compact(slices.Clone(w.bot.got)); !slices.Equal(got, allGot) {
			t.Errorf("killed at step %d: the bot is told %q, want %q", at, got, allGot)
		}
		if n := len(w.hub.escalations); n < 1 || n > 2 || w.count("EscalationRaised") != 1 || w.count("HubCommanded") != 1 {
			t.Errorf("killed at step %d: told %d times to escalate; facts %v", at, n, w.Types(w.stream()))
		}
		if s := w.state(); s.Relay.Phase != domain.Over {
			t.Errorf("killed at step %d: the relay is left in phase %s", at, s.Relay.Phase)
		}
	}
	if whole.steps < 40 {
		t.Errorf("only %d places to be killed at", whole.steps)
	}
}

func TestARepeatOfTheHubIsOneMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hears(domain.Speaks, "a1", "refund")
	w.hears(domain.Speaks, "a1", "refund") // while the first is under way
	w.pump()
	w.hears(domain.Speaks, "a1", "refund") // and after it
	w.pump()
	w.wantGot("refund")
	w.wantSaid("You said refund", "Anything else?")
}

func TestLateRepliesComeWithTheNextLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hears(domain.Speaks, "a1", "hush")
	w.pump()
	look := w.state().Relay.LookAt
	if wait := look.Sub(w.Now()); wait <= 0 || wait > time.Minute {
		t.Fatalf("the next look is in %s, want within a minute", wait)
	}
	w.bot.say(events.BotSession{ConversationID: "d1"}, says("Sorry, I was slow."))
	w.wait(look.Sub(w.Now()))
	if err := w.h.Look(t.Context(), w.stream()); err != nil {
		t.Fatal(err)
	}
	w.wantSaid("Sorry, I was slow.")
}

// Where the bot is followed, a turn ends with what is there: whoever waited would
// keep the customer's next message waiting.
func TestABotThatIsFollowedIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bot.follows = true
	w.hub.err = func() error {
		w.wait(10 * time.Millisecond) // for its answer
		return nil
	}
	w.hears(domain.Speaks, "a1", "hush")
	w.pump()
	w.hears(domain.Speaks, "a2", "hush")
	w.pump()
	w.wantGot("hush", "hush")
	if w.bot.waited > time.Second { // for the first word of a new conversation
		t.Errorf("the bot was waited for %s long", w.bot.waited)
	}
	w.bot.say(events.BotSession{ConversationID: "d1"}, says("I was thinking."))
	if err := w.h.Wake(t.Context(), w.stream()); err != nil {
		t.Fatal(err)
	}
	w.wantSaid("I was thinking.")
	if n := w.count("RelayRested"); n > 0 {
		t.Errorf("%d facts say when to look again, which others said already", n)
	}
	w.wait(w.state().Relay.LookAt.Sub(w.Now()))
	if err := w.h.Look(t.Context(), w.stream()); err != nil {
		t.Fatal(err)
	}
	if w.state().Relay.LookAt.Before(w.Now()) {
		t.Error("nobody looks at it any more")
	}
}

// Direct Line hands over the same activities again and again, and an earlier
// one may turn up after a later one.
func TestDuplicatedAndReorderedReplies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var kept []domain.Spoken
	w.bot.page = func(news []domain.Spoken) []domain.Spoken {
		all := slices.Concat(news, kept, news)
		if len(news) > 0 {
			kept = append(kept, news...)
		}
		return all
	}
	w.hears(domain.Speaks, "a1", "refund")
	w.pump()
	late := says("Before all that.")
	late.ID = "d1|0"
	w.bot.say(events.BotSession{ConversationID: "d1"}, late)
	w.hears(domain.Speaks, "a2", "again")
	w.pump()
	w.wantGot("refund", "again")
	w.wantSaid("You said refund", "Anything else?", "Before all that.", "You said again", "Anything else?")
}

func TestASilentBotLosesTheVoice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hears(domain.Speaks, "a1", "hush")
	w.pump()
	for range 5 {
		s := w.state().Relay
		if s.Phase != domain.WithBot {
			break
		}
		w.wait(max(0, s.LookAt.Sub(w.Now())))
		if err := w.h.Look(t.Context(), w.stream()); err != nil {
			t.Fatal(err)
		}
	}
	w.wantSaid("One moment.")
	if len(w.hub.escalations) != 1 || w.hub.escalations[0].Queue != "general" {
		t.Fatalf("escalations = %+v, want one to the fallback queue", w.hub.escalations)
	}
	if said := w.hub.escalations[0].Context.Transcript; said == nil || len(said.Messages) != 2 || said.Messages[0].Text != "hush" {
		t.Errorf("transcript = %+v, want what was relayed", said)
	}
}

func TestABotThatIsDownLosesTheVoiceInTime(t *testing.T) {
	t.Parallel()
	down := fault.New(fault.Unavailable, "direct-line-unavailable", "")
	for sentence, c := range map[string]struct {
		break_ func(*bot)
		most   time.Duration
	}{
		"it can't be opened":         {func(b *bot) { b.openErr = func() error { return down } }, 3 * time.Minute},
		"nothing can be posted":      {func(b *bot) { b.postErr = func() error { return down } }, 3 * time.Minute},
		"nothing can be heard of it": {func(b *bot) { b.listenErr = func() error { return down } }, 3 * time.Minute},
		"it was never published": {func(b *bot) {
			b.openErr = func() error { return fault.New(fault.Unprocessable, "bot-not-published", "") }
		}, 0},
		"each conversation is lost at once": {func(b *bot) {
			b.postErr = func() error { return fault.New(fault.Gone, "direct-line-token-expired", "") }
		}, 0},
		"what is posted is refused": {func(b *bot) {
			b.postErr = func() error { return fault.New(fault.TooLarge, "activity-too-large", "") }
		}, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.break_(w.bot)
			began := w.Now()
			w.hears(domain.Speaks, "a1", "refund")
			w.pump()
			if took := w.Now().Sub(began); took > c.most+time.Minute {
				t.Errorf("it took %s, want %s", took, c.most)
			}
			w.wantSaid("One moment.")
			if len(w.hub.escalations) != 1 || w.hub.escalations[0].Queue != "general" {
				t.Errorf("escalations = %+v, want one to the fallback queue", w.hub.escalations)
			}
		})
	}
}

func TestALostConversationIsBegunAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hears(domain.Speaks, "a1", "refund")
	w.pump()
	expired := true
	w.bot.listenErr = func() error {
		if expired {
			expired = false
			return fault.New(fault.Gone, "direct-line-token-expired", "")
		}
		return nil
	}
	w.hears(domain.Speaks, "a2", "again")
	w.pump()
	w.wantGot("refund", "again")
	w.wantSaid("You said refund", "Anything else?", "You said again", "Anything else?")
	if len(w.bot.opened) != 2 || w.bot.opened[0].UserID == "8:acs:b" || w.bot.opened[0].UserID == "" {
		t.Errorf("conversations = %+v, want two, with a pseudonym", w.bot.opened)
	}
}

// That nobody need wait for the lost conversation says nothing of the new one.
func TestAConversationThatIsBegunAnewIsListenedTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hears(domain.Speaks, "a1", "refund")
	w.pump()
	w.bot.follows = true
	gone := true
	w.bot.postErr = func() error {
		if gone {
			gone = false
			return fault.New(fault.Gone, "direct-line-token-expired", "")
		}
		return nil
	}
	w.hears(domain.Speaks, "a2", "again")
	w.pump()
	w.wantSaid("You said refund", "Anything else?", "You said again", "Anything else?")
}

func TestAConversationThatIsLostWhileAnAnswerIsOwedGoesToPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bot.listenErr = func() error { return fault.New(fault.Gone, "direct-line-token-expired", "") }
	w.hears(domain.Speaks, "a1", "refund")
	w.pump()
	w.wantSaid("One moment.")
	if len(w.hub.escalations) != 1 {
		t.Errorf("%d escalations, want 1", len(w.hub.escalations))
	}
}

func TestASecondHandOffIsRefusedLikeEveryLateWord(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hears(domain.Speaks, "a1", "person")
	w.pump()
	again := handOff()
	again.Topic = "Weather"
	w.bot.say(events.BotSession{ConversationID: "d1"}, domain.Spoken{HandOff: again})
	w.wait(w.state().Relay.LookAt.Sub(w.Now()))
	if err := w.h.Look(t.Context(), w.stream()); err != nil {
		t.Fatal(err)
	}
	if w.count("EscalationContextAdded") != 0 || len(w.hub.escalations) != 1 {
		t.Errorf("facts %v, want nothing of a second hand-off", w.Types(w.stream()))
	}
}

func TestATokenIsKeptAliveWhileAHumanAgentTalks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hears(domain.Speaks, "a1", "person")
	w.pump()
	for range 8 { // more than two hours
		s := w.state().Relay
		w.wait(max(0, s.LookAt.Sub(w.Now())))
		if err := w.h.Look(t.Context(), w.stream()); err != nil {
			t.Fatal(err)
		}
	}
	w.report(&events.EscalationCompleted{Number: 1})
	w.wantGot("person", "(completed)", "(end)")
	if n := len(w.bot.opened); n != 1 {
		t.Errorf("%d conversations with the bot, want 1", n)
	}
}

func TestAHubThatIsDownIsTriedAgainAndThenLeft(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		err   error
		until time.Duration
		shown []string
		over  bool
	}{
		"it comes back":                     {fault.New(fault.Unavailable, "connector-unavailable", ""), 5 * time.Minute, []string{"You said refund", "Anything else?"}, false},
		"its permission comes back":         {fault.New(fault.Forbidden, "connector-token-refused", ""), 5 * time.Minute, []string{"You said refund", "Anything else?"}, false},
		"it does not":                       {fault.New(fault.Unavailable, "connector-unavailable", ""), time.Hour, nil, true},
		"the conversation is over there":    {fault.New(fault.NotFound, "connector-not-found", ""), time.Hour, nil, true},
		"it takes no message of that kind":  {fault.New(fault.TooLarge, "activity-too-large", ""), time.Hour, nil, false},
		"it comes back when it seemed late": {fault.New(fault.RateLimited, "connector-rate-limited", ""), 9 * time.Minute, []string{"You said refund", "Anything else?"}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			until := w.Now().Add(c.until)
			w.hub.err = func() error {
				if w.Now().Before(until) {
					return c.err
				}
				return nil
			}
			w.hears(domain.Speaks, "a1", "refund")
			w.pump()
			w.wantSaid(c.shown...)
			if got := w.state().Relay.Phase == domain.Over; got != c.over {
				t.Errorf("over: %t, want %t; facts %v", got, c.over, w.Types(w.stream()))
			}
		})
	}
}

func TestAnEscalationOfWhichTheHubCanNotBeToldFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bot.says = func(text string) []domain.Spoken { return []domain.Spoken{{HandOff: handOff()}} }
	w.hub.err = func() error { return fault.New(fault.Unavailable, "connector-unavailable", "") }
	w.hears(domain.Speaks, "a1", "person")
	w.pump()
	if s := w.state(); s.Last.Status != conversation.Failed || s.Last.Code != "connector-unavailable" || s.Relay.Phase != domain.Over {
		t.Errorf("escalation %s (%s), relay %s; want failed and over", s.Last.Status, s.Last.Code, s.Relay.Phase)
	}
}

// Two calls for one conversation wait for each other: neither says anything
// that the other has said.
func TestCallsForOneConversationComeOneAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hears(domain.Speaks, "a1", "refund")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := w.h.Look(t.Context(), w.stream()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.wantGot("refund")
	w.wantSaid("You said refund", "Anything else?")
}
