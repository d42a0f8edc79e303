package deliver_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain"
	"handoff/domain/connection"
	"handoff/domain/delivery"
	"handoff/domain/emission"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/functions/deliver"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/memlog"
)

const (
	tenant  = "default"
	private = "PRIVATE"
)

// streams names streams by hashing, as a keyring does with a secret.
type streams struct{}

func (streams) StreamID(tenant string, kind events.Kind, parts ...string) (id events.StreamID, err error) {
	sum := sha256.Sum256([]byte(tenant + string(kind) + strings.Join(parts, "\x00")))
	copy(id[:], sum[:])
	return id, nil
}

// sealer seals by saying so, and forgets keys.
type sealer struct {
	mu        sync.Mutex
	destroyed map[events.KeyID]bool
}

func (*sealer) Seal(_ context.Context, _ string, _ events.KeyID, _, plain []byte) ([]byte, error) {
	return append([]byte("sealed"), plain...), nil
}

func (s *sealer) Open(_ context.Context, _ string, key events.KeyID, _, sealed []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.destroyed[key] {
		return nil, fault.New(fault.Gone, "erased", "It was erased.")
	}
	return sealed[len("sealed"):], nil
}

// sender is an endpoint that answers as it is told.
type sender struct {
	answer func(n int) (string, error)
	sent   []emission.Event
	to     []delivery.Endpoint
}

func (s *sender) Send(_ context.Context, to delivery.Endpoint, e emission.Event) (delivery.Outcome, error) {
	s.sent, s.to = append(s.sent, e), append(s.to, to)
	code, err := "delivered", error(nil)
	if s.answer != nil {
		code, err = s.answer(len(s.sent))
	}
	return delivery.Outcome{Code: code, Status: map[string]int{"delivered": 200, "status-500": 500, "endpoint-gone": 410}[code], StartedAt: start, Duration: time.Second}, err
}

type queue struct{ put, hurried []delivery.Item }

func (q *queue) Put(_ context.Context, items ...delivery.Item) error {
	q.put = append(q.put, items...)
	return nil
}

func (q *queue) Hurry(_ context.Context, items ...delivery.Item) error {
	q.hurried = append(q.hurried, items...)
	return nil
}

// breakable is a log whose appends to deliveries can be made to fail.
type breakable struct {
	*memlog.Log
	broken bool
}

func (b *breakable) Append(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
	if b.broken && c.Kind == events.KindDelivery {
		return eventlog.Head{}, errors.New("the power is off")
	}
	return b.Log.Append(ctx, c)
}

var start = time.Date(2026, 11, 22, 9, 10, 12, 0, time.UTC)

type bench struct {
	*deliver.Handler
	t      testing.TB
	log    *breakable
	sealer *sealer
	sender *sender
	queue  *queue
	now    time.Time
	conv   events.StreamID
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{t: t, log: &breakable{Log: memlog.New()}, sealer: &sealer{destroyed: map[events.KeyID]bool{}}, sender: &sender{}, queue: &queue{}, now: start}
	commits := 0
	ledger := eventlog.NewLedger(b.log, events.Register(), b.sealer, func() time.Time { return b.now }, func() string { commits++; return fmt.Sprint("c", commits) })
	b.Handler = &deliver.Handler{
		Ledger: ledger, Streams: streams{}, Queue: b.queue, Sender: b.sender,
		Builder: emission.Builder{Base: "https://handoff.example"}, Now: func() time.Time { return b.now },
	}
	b.conv, _ = streams{}.StreamID(tenant, events.KindConversation, "store-bot", "Kx81c")
	b.connect("store-bot", endpoint("desk", "full"), endpoint("log", "thin"))
	return b
}

func endpoint(id, mode string, types ...string) *events.EndpointSet {
	return &events.EndpointSet{Endpoint: id, URL: "https://" + id + ".example/", Mode: mode, Events: types}
}

// facts is a command that appends what it says.
type facts struct {
	eh.Command
}

func (b *bench) connect(id string, endpoints ...events.Fact) {
	b.t.Helper()
	stream, _ := streams{}.StreamID(tenant, events.KindConnection, id)
	b.append(stream, events.KindConnection, id, append([]events.Fact{&events.ConnectionRequested{Connection: id}}, endpoints...)...)
}

// say appends facts to the conversation.
func (b *bench) say(all ...events.Fact) {
	b.t.Helper()
	b.append(b.conv, events.KindConversation, "store-bot", all...)
}

// generation is the state of a stream of which only the erasures count.
type generation struct{ N, Erasures int }

func (g generation) KeyGeneration() int { return g.Erasures }

func (b *bench) append(stream events.StreamID, kind events.Kind, conn string, all ...events.Fact) {
	b.t.Helper()
	at := eventlog.Stream{ID: stream, Tenant: tenant, Connection: conn}
	var err error
	if kind == events.KindConnection {
		d := connection.Decider
		d.Decide = func(connection.State, eh.Command) ([]events.Fact, error) { return all, nil }
		_, err = eventlog.Execute(b.t.Context(), b.Ledger, d, at, eventlog.Origin{}, func(connection.State) (eh.Command, error) { return facts{}, nil })
	} else {
		d := domain.Decider[generation]{
			Kind: kind, StateVersion: 99,
			Evolve: func(g generation, f events.Fact) generation {
				if _, ok := f.(*events.ContextErased); ok {
					g.Erasures++
				}
				return g
			},
			Decide: func(generation, eh.Command) ([]events.Fact, error) { return all, nil },
		}
		_, err = eventlog.Execute(b.t.Context(), b.Ledger, d, at, eventlog.Origin{}, func(generation) (eh.Command, error) { return facts{}, nil })
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// erase appends the fact and destroys the key, as the program does.
func (b *bench) erase() {
	b.t.Helper()
	b.say(&events.ContextErased{})
	b.sealer.mu.Lock()
	defer b.sealer.mu.Unlock()
	b.sealer.destroyed[events.NewKeyID(b.conv, 0)] = true
}

func raised(n int) *events.EscalationRaised {
	return &events.EscalationRaised{Number: n, RaisedAt: start, Context: &events.Context{ConversationID: "Kx81c", Summary: private, Customer: &events.Customer{Name: private}}}
}

func route(n int) *events.EscalationRouted {
	return &events.EscalationRouted{Number: n, Connection: "store-bot", DecidedAt: start, Queue: events.Queue{ID: "refunds"}, Misses: json.RawMessage(`[{"rule":"r","condition":"c","was":"` + private + `"}]`)}
}

// notify returns what a function is told of a fact, the last one for version 0.
func (b *bench) notify(stream events.StreamID, version int) events.Notification {
	b.t.Helper()
	var n events.Notification
	for r, err := range b.log.Read(b.t.Context(), stream, max(version, 1)) {
		if err != nil {
			b.t.Fatal(err)
		}
		if n = events.Notify(r); r.Version == version {
			break
		}
	}
	return n
}

// handle plans for the last fact of the conversation.
func (b *bench) handle() []delivery.Item {
	b.t.Helper()
	b.queue.put, b.queue.hurried = nil, nil
	if err := b.Handle(b.t.Context(), b.notify(b.conv, 0)); err != nil {
		b.t.Fatal(err)
	}
	return b.queue.put
}
