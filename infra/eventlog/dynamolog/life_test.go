package dynamolog_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	eh "github.com/looplab/eventhorizon"

	"handoff/domain"
	"handoff/domain/connection"
	"handoff/domain/conversation"
	"handoff/domain/delivery"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/dynamolog"
	"handoff/infra/eventlog/memlog"
	"handoff/infra/keyring/seal"
	"handoff/infra/rulebook"
	"handoff/tests/functiontest"
)

// recorder is a log that keeps the commits as they were appended.
type recorder struct {
	*memlog.Log
	commits []eventlog.Commit
}

// Append implements eventlog.Log.
func (r *recorder) Append(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
	r.commits = append(r.commits, c)
	return r.Log.Append(ctx, c)
}

// sealer seals as the keyring does, all under one key.
type sealer struct{ key *seal.Key }

func newSealer(tb testing.TB) sealer {
	tb.Helper()
	p, err := seal.NewPacker()
	if err != nil {
		tb.Fatal(err)
	}
	return sealer{seal.NewKey(seal.NewSecret(), p)}
}

// Seal implements eventlog.Sealer.
func (s sealer) Seal(_ context.Context, _ string, _ events.KeyID, aad, plain []byte) ([]byte, error) {
	return s.key.Seal(aad, plain)
}

// Open implements eventlog.Sealer.
func (s sealer) Open(_ context.Context, _ string, _ events.KeyID, aad, sealed []byte) ([]byte, error) {
	return s.key.Open(aad, sealed)
}

// life is what one escalation leaves in the log: raised and routed in one
// commit, delivered to one endpoint, accepted, completed.
type life struct {
	testing.TB
	log    *recorder
	ledger *eventlog.Ledger
	now    time.Time
}

// actor and the other ids have the length of real ones.
const (
	actor       = "K7Q2MABCDEFGHIJK"
	correlation = "8c1f0b7d93e2a4568c1f0b7d93e2a456"
	trace       = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

func newLife(tb testing.TB) *life {
	tb.Helper()
	l := &life{TB: tb, log: &recorder{Log: memlog.New()}, now: time.Date(2026, 11, 22, 9, 41, 7, 123456789, time.UTC)}
	n := 0
	l.ledger = eventlog.NewLedger(l.log, events.Register(), newSealer(tb), func() time.Time { return l.now }, func() string {
		n++
		return fmt.Sprintf("QJ4TZ6XWYH2KDMBN5RPGLS%04d", n)
	})
	return l
}

func run[S any](l *life, d domain.Decider[S], at eventlog.Stream, by eventlog.Origin, cmd eh.Command) S {
	l.Helper()
	l.now = l.now.Add(90*time.Second + 1234567)
	r, err := eventlog.Execute(l.Context(), l.ledger, d, at, by, func(S) (eh.Command, error) { return cmd, nil })
	if err != nil {
		l.Fatal(err)
	}
	return r.State
}

// live returns the commits of an escalation whose transcript has the given
// messages.
func live(tb testing.TB, messages []events.Message) []eventlog.Commit {
	tb.Helper()
	l := newLife(tb)
	home := eventlog.Stream{ID: uuid.New(), Tenant: "default", Connection: "store-bot"}
	by := eventlog.Origin{Actor: actor, Correlation: correlation, Trace: trace}
	var conn connection.State
	for _, cmd := range []eh.Command{
		connection.Request{To: connection.To(home.ID), Fact: *functiontest.Requested("store-bot"), Rules: functiontest.Adopted(functiontest.Rules)},
		connection.RegisterApp{To: connection.To(home.ID), Session: 1, Fact: events.AppRegistered{HubType: "generic", Organisation: "desk", ApplicationID: "a"}},
		connection.EnableChannel{To: connection.To(home.ID), Session: 1, Fact: events.ChannelEnabled{Channel: "webhook", By: "handoff"}},
		connection.MakeReady{To: connection.To(home.ID), Session: 1},
	} {
		conn = run(l, connection.Decider, home, by, cmd)
	}
	l.log.commits = nil
	l.escalate(home, conn, by, messages)
	return l.log.commits
}

func (l *life) escalate(home eventlog.Stream, conn connection.State, by eventlog.Origin, messages []events.Message) {
	l.Helper()
	at := eventlog.Stream{ID: uuid.New(), Tenant: home.Tenant, Connection: home.Connection}
	to := conversation.To(at.ID)
	raised := raised(l.now, messages)
	routed, err := rulebook.New(l.ledger).Decide(l.Context(), home.ID, conn, &raised, l.now)
	if err != nil {
		l.Fatal(err)
	}
	run(l, conversation.Decider, at, by, conversation.Raise{To: to, Fact: raised, Route: routed})
	d := eventlog.Stream{ID: uuid.New(), Tenant: home.Tenant, Connection: home.Connection}
	run(l, delivery.Decider, d, eventlog.Origin{Actor: "function:deliver", Causation: at.ID.String() + "@2"}, delivery.Attempt{
		To: delivery.To(d.ID), Number: 1,
		Outcome: delivery.Outcome{StartedAt: l.now, Duration: 87 * time.Millisecond, Status: 204, Code: delivery.CodeDelivered},
		Subject: events.DeliverySubject{
			Event: at.ID.String() + "@2", EventType: "handoff.escalation.routed.v1", Stream: at.ID.String(), Version: 2,
			Connection: home.Connection, Endpoint: "desk",
		},
	})
	hub := eventlog.Origin{Actor: actor}
	run(l, conversation.Decider, at, hub, conversation.Report{To: to, Number: 1, Status: conversation.Accepted})
	run(l, conversation.Decider, at, hub, conversation.Report{To: to, Number: 1, Status: conversation.Completed, Code: "solved"})
}

// digest stands for a keyed hash.
func digest(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }

func raised(now time.Time, messages []events.Message) events.EscalationRaised {
	variables := map[string]json.RawMessage{
		"OrderNumber": json.RawMessage(`"FF-2094471"`), "OrderTotal": json.RawMessage(`164.95`), "Loyal": json.RawMessage(`true`),
	}
	return events.EscalationRaised{
		RaisedAt: now, ExpiresAt: now.AddDate(0, 0, 1), Topic: "Refund", Language: "en-GB", Channel: "web", Reason: "customer_asked",
		Bot:          events.Bot{ID: "7d0f2c8e-93b1-4c55-8b0e-1f6a2d9c4e70", Name: "Nova"},
		Request:      events.Request{ID: "0123456789abcdef0123456789abcdef", Fingerprint: strings.Repeat("0123456789abcdef", 4), Format: "botframework"},
		Counts:       events.Counts{Messages: len(messages), Variables: len(variables)},
		CustomerRefs: []string{digest("id")[:32], digest("e-mail")[:32]},
		Context: &events.Context{
			ConversationID: "5f0c7e1a2b9d4c63a8e7f10d2b3c4d5e", LastPhrase: "Just talk to a person", Topics: []string{"Order status", "Refund"},
			Customer:   &events.Customer{ID: "C-118273", Name: "Imani Okafor", Email: "imani.okafor@example.org"},
			Variables:  variables,
			Transcript: &events.Transcript{Messages: messages, Complete: true},
		},
	}
}

// transcript returns the first turns of a conversation in natural language,
// with ids and times as a bot sends them.
func transcript(tb testing.TB, turns int) []events.Message {
	tb.Helper()
	text, err := os.ReadFile("testdata/transcript.txt")
	if err != nil {
		tb.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 9, 21, 3, 0, time.UTC)
	var all []events.Message
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[:turns] {
		from, said, _ := strings.Cut(line, ": ")
		at = at.Add(time.Duration(7+i*5%11)*time.Second + time.Duration(i*i*37%1000)*time.Millisecond)
		all = append(all, events.Message{ID: uuid.NewSHA1(uuid.Nil, []byte(line)).String(), At: new(at), From: from, Text: said})
	}
	return all
}

// TestWriteUnitsOfAnEscalation holds the budget of the package comment, and
// prints what commits take beside what they would as a list of maps.
func TestWriteUnitsOfAnEscalation(t *testing.T) {
	t.Parallel()
	for turns, want := range map[int][]int{0: {2, 1, 1, 1}, 10: {3, 1, 1, 1}, 20: {4, 1, 1, 1}} {
		for i, c := range live(t, transcript(t, turns)) {
			item := mustItem(t, dynamolog.Stored{Commit: c})
			t.Logf("%2d turns, %-19s %d facts: %4d bytes, %d write units; as a list of maps %4d bytes, %d", turns, c.Facts[0].Type, len(c.Facts),
				dynamolog.Size(item), dynamolog.WriteUnits(item), asMaps(c), (asMaps(c)+dynamolog.WriteUnit-1)/dynamolog.WriteUnit)
			if got := dynamolog.WriteUnits(item); got > want[i] {
				t.Errorf("%d turns: %s takes %d write units, want %d", turns, c.Facts[0].Type, got, want[i])
			}
		}
	}
}

// asMaps returns the size of a commit with each fact a map of attributes with
// names of one letter, none of it compressed: names and values, 1 byte for each
// element and 3 for each list and map ("DynamoDB item sizes and formats").
func asMaps(c eventlog.Commit) int {
	n := 16 + 2 + len(c.Kind) + len(c.Tenant) + len(c.Connection) + len(c.ID) + len(c.State) + 8 + 1 + 3
	for _, f := range c.Facts {
		n += 1 + 3 + 2*10 // the map and its names
		n += len(f.Type) + 2 + 8 + len(f.Causation) + len(f.Correlation) + len(f.Actor) + len(f.Key) + len(f.Trace)
		n += len(f.Clear) + len(f.Sealed) + len(f.Hash)
	}
	return n
}

func BenchmarkNewItem(b *testing.B) {
	c := live(b, transcript(b, 20))[0]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dynamolog.NewItem(dynamolog.Stored{Commit: c}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseItem(b *testing.B) {
	item := mustItem(b, dynamolog.Stored{Commit: live(b, transcript(b, 20))[0]})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dynamolog.ParseItem(item); err != nil {
			b.Fatal(err)
		}
	}
}
