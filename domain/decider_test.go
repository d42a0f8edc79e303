package domain_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	eh "github.com/looplab/eventhorizon"
	"github.com/looplab/eventhorizon/uuid"

	"handoff/domain"
	"handoff/events"
)

// counter is a state that counts resent deliveries up to a limit of 3.
type counter struct {
	N int `json:"n"`
}

// KeyGeneration implements domain.Keyed.
func (c counter) KeyGeneration() int { return c.N }

type add struct{ n int }

func (add) AggregateID() uuid.UUID          { return uuid.Nil }
func (add) AggregateType() eh.AggregateType { return "delivery" }
func (add) CommandType() eh.CommandType     { return "Add" }

var errTooMany = errors.New("too many")

func counting(version int) domain.Decider[counter] {
	return domain.Decider[counter]{
		Kind: events.KindDelivery, StateVersion: version,
		Evolve: func(c counter, _ events.Fact) counter { return counter{c.N + 1} },
		Decide: func(c counter, cmd eh.Command) (facts []events.Fact, err error) {
			if c.N+cmd.(add).n > 3 {
				return nil, errTooMany
			}
			for i := range cmd.(add).n {
				facts = append(facts, &events.DeliveryResent{Round: c.N + i + 2})
			}
			return facts, nil
		},
	}
}

func at() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }

func TestAggregateKeepsWhatItDecides(t *testing.T) {
	t.Parallel()
	stream := uuid.New()
	a := counting(1).NewAggregate(stream, at())
	if err := a.HandleCommand(t.Context(), add{2}); err != nil {
		t.Fatal(err)
	}
	if a.State().N != 2 || len(a.UncommittedEvents()) != 2 {
		t.Fatalf("state = %d, %d events uncommitted, want 2 and 2", a.State().N, len(a.UncommittedEvents()))
	}
	for i, e := range a.UncommittedEvents() {
		if e.EventType() != "DeliveryResent" || e.AggregateType() != "delivery" || e.AggregateID() != stream || e.Version() != i+1 || !e.Timestamp().Equal(at()) {
			t.Errorf("event %d = %v", i, e)
		}
	}
}

func TestAggregateIsUnchangedByRefusal(t *testing.T) {
	t.Parallel()
	a := counting(1).NewAggregate(uuid.New(), at())
	if err := a.HandleCommand(t.Context(), add{4}); !errors.Is(err, errTooMany) {
		t.Fatalf("HandleCommand: %v, want %v", err, errTooMany)
	}
	if a.State().N != 0 || len(a.UncommittedEvents()) != 0 {
		t.Errorf("state = %d, %d events uncommitted, want none", a.State().N, len(a.UncommittedEvents()))
	}
}

func TestAggregateAppliesFactsOnly(t *testing.T) {
	t.Parallel()
	a := counting(1).NewAggregate(uuid.New(), at())
	if err := a.ApplyEvent(t.Context(), eh.NewEvent("DeliveryResent", &events.DeliveryResent{Round: 2}, at())); err != nil || a.State().N != 1 {
		t.Errorf("state = %d, %v, want 1", a.State().N, err)
	}
	if err := a.ApplyEvent(t.Context(), eh.NewEvent("Stranger", nil, at())); err == nil || a.State().N != 1 {
		t.Errorf("state = %d, %v, want 1 and an error", a.State().N, err)
	}
}

func TestCarriedState(t *testing.T) {
	t.Parallel()
	d := counting(1)
	a := d.NewAggregate(uuid.New(), at())
	if err := a.HandleCommand(t.Context(), add{2}); err != nil {
		t.Fatal(err)
	}
	state, version, err := a.CarriedState()
	if err != nil || string(state) != `{"n":2}` || version != 1 {
		t.Fatalf("CarriedState = %s, %d, %v", state, version, err)
	}
	b := d.NewAggregate(a.EntityID(), at())
	if err := b.Restore(state, version, 2); err != nil {
		t.Fatal(err)
	}
	if b.State() != a.State() || b.AggregateVersion() != 2 || b.KeyGeneration() != 2 {
		t.Errorf("restored: %+v at version %d with key %d", b.State(), b.AggregateVersion(), b.KeyGeneration())
	}
	if err := b.HandleCommand(t.Context(), add{1}); err != nil || b.UncommittedEvents()[0].Version() != 3 {
		t.Errorf("the next event has version %d, %v, want 3", b.UncommittedEvents()[0].Version(), err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	a := counting(2).NewAggregate(uuid.New(), at())
	if err := a.Restore([]byte(`{"n":2}`), 1, 2); !errors.Is(err, domain.ErrStateVersion) {
		t.Errorf("a state of another version: %v, want %v", err, domain.ErrStateVersion)
	}
	if err := a.Restore([]byte(`{"n":`), 2, 2); err == nil {
		t.Error("half a state is taken")
	}
	if a.State().N != 0 || a.AggregateVersion() != 0 {
		t.Errorf("state = %+v at version %d, want none", a.State(), a.AggregateVersion())
	}
}

func TestStateThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	d := domain.Decider[func()]{Kind: events.KindDelivery, StateVersion: 1}
	if _, _, err := d.NewAggregate(uuid.New(), at()).CarriedState(); err == nil {
		t.Error("a state that is no JSON is carried")
	}
	if g := d.NewAggregate(uuid.New(), at()).KeyGeneration(); g != 0 {
		t.Errorf("a state that counts no erasures has key generation %d", g)
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	got := counting(1).Fold(counter{N: 5}, &events.DeliveryResent{}, &events.Delivered{})
	if b, err := json.Marshal(got); err != nil || string(b) != `{"n":7}` {
		t.Errorf("Fold = %s, %v", b, err)
	}
}
