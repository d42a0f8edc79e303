// Package domain holds what every aggregate of Handoff is made of: a decider,
// and its one adapter to eventhorizon.
//
// A decider is two pure functions over a state. Evolve folds a fact into the
// state and can't fail, because the fact happened. Decide answers a command
// with facts or a fault and sees no clock, no network and no context. Deciding
// the same command twice yields no second fact.
package domain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	eh "github.com/looplab/eventhorizon"
	eventsourcing "github.com/looplab/eventhorizon/aggregatestore/events"

	"handoff/events"
)

// Decider is an aggregate as two pure functions. S is its state: a value that
// encodes to JSON and whose zero value is the state before any fact.
type Decider[S any] struct {
	Kind events.Kind
	// StateVersion grows when S or Evolve changes, so that states carried in
	// the log by an earlier Handoff are refolded instead of trusted.
	StateVersion int
	// Evolve returns the state after a fact. It must not change what its
	// argument refers to, and must not look at private parts.
	Evolve func(S, events.Fact) S
	// Decide returns the facts that a command leads to, none if there is
	// nothing to do, or a *fault.Error.
	Decide func(S, eh.Command) ([]events.Fact, error)
}

// Fold returns the state after the given facts.
func (d Decider[S]) Fold(s S, facts ...events.Fact) S {
	for _, f := range facts {
		s = d.Evolve(s, f)
	}
	return s
}

// Keyed is a state that knows how often its stream was erased; what it seals
// next is sealed under the key of that generation.
type Keyed interface{ KeyGeneration() int }

// Aggregate is a decider at one point of one stream, as eventhorizon knows
// aggregates. It is not safe for concurrent use.
type Aggregate[S any] struct {
	*eventsourcing.AggregateBase
	decider Decider[S]
	state   S
	at      time.Time
}

var _ eventsourcing.VersionedAggregate = (*Aggregate[struct{}])(nil)

// NewAggregate returns the aggregate of an empty stream. Facts that it decides
// carry the time at.
func (d Decider[S]) NewAggregate(id events.StreamID, at time.Time) *Aggregate[S] {
	return &Aggregate[S]{
		AggregateBase: eventsourcing.NewAggregateBase(eh.AggregateType(d.Kind), id),
		decider:       d, at: at,
	}
}

// HandleCommand decides the command and keeps its facts as uncommitted events.
func (a *Aggregate[S]) HandleCommand(_ context.Context, cmd eh.Command) error {
	facts, err := a.decider.Decide(a.state, cmd)
	if err != nil {
		return err
	}
	for _, f := range facts {
		a.AppendEvent(eh.EventType(f.FactType()), f, a.at)
		a.state = a.decider.Evolve(a.state, f)
	}
	return nil
}

// ApplyEvent folds an event that is in the log into the state.
func (a *Aggregate[S]) ApplyEvent(_ context.Context, e eh.Event) error {
	f, ok := e.Data().(events.Fact)
	if !ok {
		return fmt.Errorf("apply %s: its data is no fact", e)
	}
	a.Fold(f)
	return nil
}

// Fold folds a fact that is in the log into the state.
func (a *Aggregate[S]) Fold(f events.Fact) { a.state = a.decider.Evolve(a.state, f) }

// State returns the state, uncommitted facts included.
func (a *Aggregate[S]) State() S { return a.state }

// CarriedState encodes the state as the log carries it beside the facts.
func (a *Aggregate[S]) CarriedState() ([]byte, int, error) {
	b, err := json.Marshal(a.state)
	if err != nil {
		return nil, 0, fmt.Errorf("encode state of %s: %w", a.decider.Kind, err)
	}
	return b, a.decider.StateVersion, nil
}

// ErrStateVersion is reported for a carried state of another version.
var ErrStateVersion = errors.New("domain: state of another version")

// Restore takes a carried state as the state at a version of the stream.
func (a *Aggregate[S]) Restore(state []byte, stateVersion, version int) error {
	if stateVersion != a.decider.StateVersion {
		return ErrStateVersion
	}
	var s S
	if err := json.Unmarshal(state, &s); err != nil {
		return fmt.Errorf("decode state of %s: %w", a.decider.Kind, err)
	}
	a.state = s
	a.SetAggregateVersion(version)
	return nil
}

// Adopt takes a state as the one at a version of the stream. States are values
// that Evolve never changes in place, so several aggregates may have one.
func (a *Aggregate[S]) Adopt(s S, version int) {
	a.state = s
	a.SetAggregateVersion(version)
}

// KeyGeneration returns the generation of the key for what is sealed next.
func (a *Aggregate[S]) KeyGeneration() int {
	if k, ok := any(a.state).(Keyed); ok {
		return k.KeyGeneration()
	}
	return 0
}
