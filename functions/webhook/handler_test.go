package webhook_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/domain/intake"
	"handoff/events"
	"handoff/functions/webhook"
	"handoff/tests/functiontest"
)

var bot = identity.Principal{ID: "bot-key", Tenant: functiontest.Tenant, Role: identity.Bot, Connection: "store-bot"}

func handler(b *functiontest.Bench) *webhook.Handler {
	return &webhook.Handler{
		Ledger: b.Ledger, Keys: b.Keys, Fingerprints: b.Keys, Router: b.Rules, Now: b.Now, Log: slog.New(slog.DiscardHandler),
	}
}

func ready(t *testing.T) (*functiontest.Bench, *webhook.Handler) {
	t.Helper()
	b := functiontest.New(t)
	b.Give("store-bot", functiontest.Ready("store-bot", functiontest.Rules)...)
	return b, handler(b)
}

func handOff(conv, topic string) intake.HandOff {
	return intake.HandOff{Topic: topic, Format: intake.FormatPlain, Context: events.Context{ConversationID: conv}}
}

func TestAHandOffIsStoredAndRoutedInOneCommit(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	a, err := h.Raise(t.Context(), bot, "store-bot", handOff("c-1", "Refund"), conversation.Sending{Key: "k-1", Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	if a.Queue != "refunds" || a.Status != conversation.Routed || a.Duplicate {
		t.Errorf("answer = %+v, want a new one in refunds", a)
	}
	stream := b.Stream(events.KindConversation, "store-bot", "c-1")
	b.Want(stream, "EscalationRaised", "EscalationRouted")
	var commits []string
	for r, err := range b.Log.Read(t.Context(), stream, 1) {
		if err != nil {
			t.Fatal(err)
		}
		commits = append(commits, r.Commit)
	}
	if commits[0] != commits[1] {
		t.Errorf("commits = %v, want one", commits)
	}
}

func TestARepeatGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	sending := conversation.Sending{Key: "k-1", Strict: true}
	first, err := h.Raise(t.Context(), bot, "store-bot", handOff("c-1", "Refund"), sending)
	if err != nil {
		t.Fatal(err)
	}
	first.Duplicate = true
	for name, s := range map[string]conversation.Sending{"with its key": sending, "with another key": {Key: "k-2"}, "without a key": {}} {
		again, err := h.Raise(t.Context(), bot, "store-bot", handOff("c-1", "Refund"), s)
		if err != nil || again != first {
			t.Errorf("a repeat %s got %+v (%v), want %+v", name, again, err, first)
		}
	}
	b.Want(b.Stream(events.KindConversation, "store-bot", "c-1"), "EscalationRaised", "EscalationRouted")
}

func TestAKeyWithAnotherBodyIsRefused(t *testing.T) {
	t.Parallel()
	_, h := ready(t)
	sending := conversation.Sending{Key: "k-1", Strict: true}
	if _, err := h.Raise(t.Context(), bot, "store-bot", handOff("c-1", "Refund"), sending); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Raise(t.Context(), bot, "store-bot", handOff("c-1", "Weather"), sending); !fault.Is(err, "idempotency-key-reused") {
		t.Errorf("error = %v, want idempotency-key-reused", err)
	}
}

func TestWhatARepeatSaysThatIsNewIsAdded(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	for _, phrase := range []string{"hello", "a person please", "a person please"} {
		hand := handOff("c-1", "Refund")
		hand.Context.LastPhrase = phrase
		if _, err := h.Raise(t.Context(), bot, "store-bot", hand, conversation.Sending{}); err != nil {
			t.Fatal(err)
		}
	}
	b.Want(b.Stream(events.KindConversation, "store-bot", "c-1"), "EscalationRaised", "EscalationRouted", "EscalationContextAdded")
}

func TestSimultaneousRepeatsAreOneEscalation(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	answers := make([]conversation.Answer, 64)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			var err error
			if answers[i], err = h.Raise(t.Context(), bot, "store-bot", handOff("c-1", "Refund"), conversation.Sending{Key: "k"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	fresh := 0
	for _, a := range answers {
		if !a.Duplicate {
			fresh++
		}
		if a.EscalationID != answers[0].EscalationID || a.Queue != "refunds" {
			t.Errorf("answer = %+v, want the same as %+v", a, answers[0])
		}
	}
	if fresh != 1 {
		t.Errorf("%d answers say that they are new, want 1", fresh)
	}
	b.Want(b.Stream(events.KindConversation, "store-bot", "c-1"), "EscalationRaised", "EscalationRouted")
}

func TestAnEscalationIsStoredEvenIfItCanNotBeRouted(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	h.Router = broken{}
	a, err := h.Raise(t.Context(), bot, "store-bot", handOff("c-1", "Refund"), conversation.Sending{})
	if err != nil || a.Status != conversation.Raised || a.Queue != "" {
		t.Errorf("answer = %+v (%v), want one that is raised", a, err)
	}
	b.Want(b.Stream(events.KindConversation, "store-bot", "c-1"), "EscalationRaised")
}

// broken can't route.
type broken struct{}

func (broken) Decide(context.Context, events.StreamID, connection.State, *events.EscalationRaised, time.Time) (*events.EscalationRouted, error) {
	return nil, errors.New("the rules can't be read")
}

func TestAConnectionThatTakesNothingRefusesOnlyWhatIsNew(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	if _, err := h.Raise(t.Context(), bot, "store-bot", handOff("c-1", "Refund"), conversation.Sending{}); err != nil {
		t.Fatal(err)
	}
	b.Give("store-bot", &events.Disconnected{Policy: events.PolicyDrain, Deadline: &b.Clock})
	if a, err := h.Raise(t.Context(), bot, "store-bot", handOff("c-1", "Refund"), conversation.Sending{}); err != nil || !a.Duplicate {
		t.Errorf("a repeat got %+v, %v, want the first answer", a, err)
	}
	if _, err := h.Raise(t.Context(), bot, "store-bot", handOff("c-2", "Refund"), conversation.Sending{}); !fault.Is(err, "connection-disconnected") {
		t.Errorf("error = %v, want connection-disconnected", err)
	}
	if _, err := h.Raise(t.Context(), bot, "no-bot", handOff("c-2", "Refund"), conversation.Sending{}); !fault.Is(err, "connection-not-found") {
		t.Errorf("error = %v, want connection-not-found", err)
	}
}

func TestWithoutAConversationTheKeyStandsForIt(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	if _, err := h.Raise(t.Context(), bot, "store-bot", handOff("", "Refund"), conversation.Sending{}); !fault.Is(err, "conversation-id-missing") {
		t.Errorf("error = %v, want conversation-id-missing", err)
	}
	if _, err := h.Raise(t.Context(), bot, "store-bot", handOff("", "Refund"), conversation.Sending{Key: "k-9", Strict: true}); err != nil {
		t.Fatal(err)
	}
	b.Want(b.Stream(events.KindConversation, "store-bot", "k-9"), "EscalationRaised", "EscalationRouted")
}

func TestAfterTheEndComesTheNextNumberAndOldKeysKeepTheirAnswer(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	stream := b.Stream(events.KindConversation, "store-bot", "c-1")
	var first conversation.Answer
	for i := range conversation.MaxEarlier + 3 {
		key := string(rune('a' + i))
		a, err := h.Raise(t.Context(), bot, "store-bot", handOff("c-1", "Refund"), conversation.Sending{Key: key})
		if err != nil || a.Duplicate {
			t.Fatalf("hand-off %d: %+v, %v", i+1, a, err)
		}
		if i == 0 {
			first = a
		}
		b.GiveTo(stream, events.KindConversation, "store-bot", &events.EscalationCompleted{Number: i + 1})
	}
	again, err := h.Raise(t.Context(), bot, "store-bot", handOff("c-1", "Refund"), conversation.Sending{Key: "a"})
	if err != nil || again.EscalationID != first.EscalationID || again.Status != conversation.Completed || !again.Duplicate {
		t.Errorf("the first key got %+v (%v), want the first escalation, completed", again, err)
	}
}

// There is a customer, whatever is wrong with the bot.
func TestABotThatIsNotPublishedIsHeardAndTold(t *testing.T) {
	t.Parallel()
	b, h := ready(t)
	var log strings.Builder
	h.Log = slog.New(slog.NewTextHandler(&log, nil))
	raise := func(conv string) {
		t.Helper()
		if a, err := h.Raise(t.Context(), bot, "store-bot", handOff(conv, "Refund"), conversation.Sending{}); err != nil || a.Queue != "refunds" {
			t.Fatalf("answer = %+v, %v, want it routed", a, err)
		}
	}
	raise("c-1")
	if log.Len() > 0 {
		t.Errorf("logged %s", &log)
	}
	b.Give("store-bot", &events.BotUnpublished{Code: "never-published"})
	raise("c-2")
	raise("c-2") // a repeat
	if got := log.String(); strings.Count(got, "not published") != 1 || !strings.Contains(got, "never-published") {
		t.Errorf("logged %s, want one warning", got)
	}
}
