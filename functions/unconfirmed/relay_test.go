package unconfirmed_test

import (
	"slices"
	"testing"
	"time"

	"handoff/events"
)

func TestARelayThatStandsStillIsGoneOnWith(t *testing.T) {
	t.Parallel()
	started := func(b *bench, look time.Duration) *events.RelayStarted {
		return &events.RelayStarted{Session: 1, At: b.Clock, LookAt: b.Clock.Add(look), Opening: &events.RelayOpening{}}
	}
	opened := &events.BotConversationOpened{Session: 1, Bot: &events.BotSession{}}
	greeted := &events.MessagesTaken{Session: 1, From: events.SideBot, First: 1, Refs: []string{"r"}, Said: &events.Said{Messages: make([]events.Message, 1)}}
	relayed := func(b *bench, look time.Duration) *events.MessageRelayed {
		return &events.MessageRelayed{Session: 1, To: events.SideCustomer, Sequence: 1, At: b.Clock, LookAt: b.Clock.Add(look)}
	}
	for sentence, c := range map[string]struct {
		facts func(b *bench) []events.Fact
		want  []string
	}{
		"nobody opened a conversation with the bot": {
			func(b *bench) []events.Fact { return []events.Fact{started(b, time.Hour)} }, []string{"RelayStarted"},
		},
		"the customer was not told what the bot said": {
			func(b *bench) []events.Fact { return []events.Fact{started(b, time.Hour), opened, greeted} }, []string{"RelayStarted"},
		},
		"nobody looked when its time came": {
			func(b *bench) []events.Fact { return []events.Fact{started(b, 0), opened, greeted, relayed(b, 0)} }, []string{"RelayStarted"},
		},
		"it is looked at later": {
			func(b *bench) []events.Fact {
				return []events.Fact{started(b, 0), opened, greeted, relayed(b, time.Hour)}
			}, []string{},
		},
		"the bot does not know that it is over": {
			func(b *bench) []events.Fact {
				return []events.Fact{started(b, time.Hour), opened, &events.RelayEnded{Session: 1, By: events.SideHub}}
			}, []string{"RelayStarted", "RelayEnded"},
		},
		"nobody is to look at it": {
			func(b *bench) []events.Fact {
				return []events.Fact{started(b, 0), opened, greeted, relayed(b, 0), &events.RelayRested{Session: 1}}
			}, nil,
		},
		"there is no relay": {
			func(b *bench) []events.Fact {
				return []events.Fact{b.Raised(1, "Refund"), &events.EscalationAccepted{Number: 1}}
			}, nil,
		},
		"it is over": {
			func(b *bench) []events.Fact {
				return []events.Fact{started(b, 0), &events.RelayEnded{Session: 1, By: events.SideHub}}
			}, nil,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.GiveTo(b.Stream(events.KindConversation, "store-bot", "c"), events.KindConversation, "store-bot", c.facts(b)...)
			b.run()
			if got := b.relay.types(); !slices.Equal(got, c.want) {
				t.Errorf("told again of %v, want %v", got, c.want)
			}
		})
	}
}
