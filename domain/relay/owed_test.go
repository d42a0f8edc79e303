package relay_test

import (
	"testing"
	"time"

	"handoff/domain/conversation"
	"handoff/domain/relay"
	"handoff/events"
)

func TestOwed(t *testing.T) {
	t.Parallel()
	begun := given(started(1, 0))
	running := given(started(1, 0), opened(), asked(1, "a1"), passed(events.SideBot, 1))
	handed := append(running[:4:4], answered(1, "b1"), passed(events.SideCustomer, 1), raised(1))
	told := append(handed[:7:7], routed(1), commanded(1, events.CommandEscalate))
	done := append(told[:9:9], &events.EscalationAccepted{Number: 1}, &events.EscalationCompleted{Number: 1})
	tell := func(state string) *events.BotTold { return &events.BotTold{Session: 1, Number: 1, State: state} }
	ended := answered(1)
	ended.Ended = true
	for sentence, c := range map[string]struct {
		given []events.Fact
		at    time.Time
		want  relay.Action
	}{
		"nothing where nobody relays":                    {given(raised(1)), at(4), relay.Nothing},
		"a conversation with the bot at first":           {begun, at(4), relay.Open},
		"then the message":                               {given(started(1, 0), opened(), asked(1, "a1")), at(4), relay.Post},
		"then the answer":                                {running, at(4), relay.Listen},
		"what the bot said goes to the customer":         {append(running[:4:4], answered(1, "b1")), at(4), relay.Send},
		"before the next message to the bot":             {append(running[:4:4], answered(1, "b1"), asked(2, "a2")), at(4), relay.Send},
		"a token that ends is renewed":                   {running, at(51), relay.Renew},
		"a lost conversation rests":                      {append(running[:4:4], &events.BotConversationLost{Session: 1}), at(4), relay.Nothing},
		"until there is a message for it":                {append(running[:4:4], &events.BotConversationLost{Session: 1}, asked(2, "a2")), at(4), relay.Open},
		"a conversation that the bot ended is closed":    {given(started(1, 0), opened(), ended), at(4), relay.Close},
		"an escalation without a queue waits for one":    {handed, at(3), relay.Nothing},
		"but not for ever":                               {handed, at(3).Add(relay.RoutePatience), relay.Escalate},
		"one with a queue goes to the hub":               {append(handed[:7:7], routed(1)), at(3), relay.Escalate},
		"but not where the hub has it already":           {append(handed[:7:7], routed(1), &events.EscalationQueued{Number: 1}), at(3), relay.Listen},
		"what the bot said before goes first":            {append(running[:4:4], answered(1, "b1"), raised(1), routed(1)), at(3), relay.Send},
		"one that ended before goes to the hub as well":  {append(handed[:7:7], routed(1), &events.EscalationExpired{Number: 1}), at(3), relay.Escalate},
		"then late words of the bot are refused":         {told, at(4), relay.Listen},
		"and its token is kept alive":                    {told, at(51), relay.Renew},
		"the bot is told that an agent accepted":         {done, at(4), relay.Tell},
		"the bot is told that it is completed":           {append(done[:11:11], tell("accepted")), at(4), relay.Tell},
		"then the relay ends":                            {append(done[:11:11], tell("accepted"), tell("completed")), at(4), relay.End},
		"then the bot hears that it is over":             {append(done[:11:11], &events.RelayEnded{Session: 1}), at(4), relay.HangUp},
		"then nothing":                                   {append(done[:11:11], &events.RelayEnded{Session: 1}, tell("ended")), at(4), relay.Nothing},
		"a bot that left has the hub escalate":           {append(running[:4:4], &events.BotLeft{Session: 1}), at(4), relay.Escalate},
		"an escalation from before goes to the hub":      {given(raised(1), routed(1), started(1, 1)), at(4), relay.Escalate},
		"nothing can be done with what was erased":       {append(running[:4:4], &events.ContextErased{}), at(4), relay.Nothing},
		"an escalation that nobody relays owes the same": {given(raised(1), routed(1)), at(4), relay.Nothing},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := conversation.Decider.Fold(conversation.State{}, c.given...)
			if got := s.Relay.Owed(c.at); got.Do != c.want {
				t.Errorf("owed = %+v, want %q; state %+v", got, c.want, s.Relay)
			}
		})
	}
}

func TestWaitsSince(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		given []events.Fact
		want  time.Time
	}{
		"the bot's first word is waited for":  {given(started(1, 0)), at(1)},
		"nothing else waits at first":         {given(started(1, 0), opened()), time.Time{}},
		"a message waits to be posted":        {given(started(1, 0), opened(), asked(1, "a1")), at(1)},
		"one that was posted waits on":        {given(started(1, 0), opened(), asked(1, "a1"), passed(events.SideBot, 1)), at(2)},
		"an answer ends the wait":             {given(started(1, 0), opened(), asked(1, "a1"), passed(events.SideBot, 1), answered(1, "b1")), time.Time{}},
		"the older of two counts":             {given(started(1, 0), opened(), asked(1, "a1"), asked(2, "a2"), passed(events.SideBot, 1)), at(1)},
		"that the bot ended is no answer yet": {given(started(1, 0), opened(), asked(1, "a1"), passed(events.SideBot, 1), answered(1)), at(2)},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			s := conversation.Decider.Fold(conversation.State{}, c.given...)
			if got := s.Relay.WaitsSince(); !got.Equal(c.want) {
				t.Errorf("since %s, want %s", got, c.want)
			}
		})
	}
}

func TestLookAtIsWhatTheLastFactSays(t *testing.T) {
	t.Parallel()
	facts := given(started(1, 0), opened(), asked(1, "a1"), passed(events.SideBot, 1), raised(1), &events.RelayRested{Session: 1, LookAt: at(20)})
	s := conversation.Decider.Fold(conversation.State{}, facts...)
	if !s.Relay.LookAt.Equal(at(20)) {
		t.Errorf("look at %s, want 9:20", s.Relay.LookAt)
	}
	if at, says := relay.LookAt(raised(1)); says || !at.IsZero() {
		t.Error("an escalation says nothing about looks")
	}
	if at, says := relay.LookAt(&events.RelayEnded{Session: 1}); !says || !at.IsZero() {
		t.Error("after the end there is nothing to look at")
	}
}
