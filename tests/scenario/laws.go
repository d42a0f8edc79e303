package scenario

import (
	"encoding/json"
	"strings"
	"testing"

	eh "github.com/looplab/eventhorizon"
	"pgregory.net/rapid"

	"handoff/domain"
	"handoff/domain/fault"
	"handoff/events"
)

// Private stands in every private text that generators of commands make. No
// state and no clear part may hold it.
const Private = "not for the log"

// Laws checks over random sequences of commands what every decider promises:
//
//   - It is total: each command leads to facts or a fault, never to a panic,
//     and the same state and command always lead to the same.
//   - It is idempotent: the same command again leads to no second fact.
//   - Replay is live: folding the facts as they are read from the log, without
//     their private parts as after an erasure, gives the live state; so does
//     going on from a state that was carried as JSON.
//   - Folding changes no earlier state, whatever is folded into it.
//   - States and clear parts hold nothing private.
//
// command draws a command, most of them such that something happens in the
// given state. holds, if given, checks what one aggregate promises of every
// state, given the facts that led to it.
func Laws[S any](t *testing.T, d domain.Decider[S], command func(*rapid.T, S) eh.Command, holds func(t *rapid.T, s S, facts []events.Fact)) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		l := &life[S]{T: t, decider: d, codec: events.Register(), shot: snapshot(t, *new(S))}
		for range rapid.SampledFrom([]int{5, 25, 100}).Draw(t, "steps") {
			l.step(command(t, l.live), command(t, l.live))
			if holds != nil {
				holds(t, l.live, l.facts)
			}
		}
		l.replay()
	})
}

// life is one sequence of commands to one aggregate.
type life[S any] struct {
	*rapid.T
	decider domain.Decider[S]
	codec   *events.Codec

	live    S
	carried S      // live, through JSON after every fact
	shot    string // JSON of live
	facts   []events.Fact
	past    []S
	shots   []string // JSON of past
}

func (l *life[S]) step(cmd, another eh.Command) {
	facts := l.decide(cmd)
	for _, f := range facts {
		before := l.live
		l.evolve(f)
		l.branch(before, another)
	}
	if len(facts) == 0 {
		return
	}
	if again, _ := l.decider.Decide(l.live, cmd); len(again) > 0 {
		l.Fatalf("%T\n%s\nand once more\n%s", cmd, outcome(facts, nil), outcome(again, nil))
	}
}

// decide decides twice on the same state, once on what was carried.
func (l *life[S]) decide(cmd eh.Command) []events.Fact {
	facts, err := l.decider.Decide(l.live, cmd)
	switch {
	case err != nil && fault.Of(err) == nil:
		l.Fatalf("%T leads to an error that is no fault: %v", cmd, err)
	case err != nil && len(facts) > 0:
		l.Fatalf("%T leads to facts and a fault: %v", cmd, err)
	}
	for range 3 { // a decision that ranges over a map differs only sometimes
		again, err2 := l.decider.Decide(l.carried, cmd)
		if outcome(again, err2) != outcome(facts, err) || err != nil && err.Error() != err2.Error() {
			l.Fatalf("%T on the same state: %v %s\nthen: %v %s", cmd, err, outcome(facts, err), err2, outcome(again, err2))
		}
	}
	if snapshot(l.T, l.live) != l.shot {
		l.Fatalf("deciding %T changed the state:\n%s", cmd, diff(snapshot(l.T, l.live), l.shot))
	}
	return facts
}

// branch takes another way from the state before. The live state, which may
// share slices and maps with that, must not notice.
func (l *life[S]) branch(before S, cmd eh.Command) {
	if facts, err := l.decider.Decide(before, cmd); err == nil {
		l.decider.Fold(before, facts...)
	}
	if got := snapshot(l.T, l.live); got != l.shot {
		l.Fatalf("folding into the state before changed this one:\n%s", diff(got, l.shot))
	}
}

func (l *life[S]) evolve(f events.Fact) {
	l.past, l.shots = append(l.past, l.live), append(l.shots, l.shot)
	l.live = l.decider.Evolve(l.live, f)
	l.shot = snapshot(l.T, l.live)
	l.carried = l.decider.Evolve(l.carried, l.stored(f))
	carry(l.T, l.carried, &l.carried)
	if got := snapshot(l.T, l.carried); got != l.shot {
		l.Fatalf("going on from the carried state differs after %s:\n%s", f.FactType(), diff(got, l.shot))
	}
	if contains(l.shot) {
		l.Fatalf("after %s the state holds what is private:\n%s", f.FactType(), l.shot)
	}
	l.facts = append(l.facts, f)
}

// stored returns the fact as it is read from the log once it is erased.
func (l *life[S]) stored(f events.Fact) events.Fact {
	clear, _, schema, err := l.codec.Encode(f)
	if err != nil {
		l.Fatal(err)
	}
	if contains(string(clear)) {
		l.Fatalf("the clear part of %s holds what is private: %s", f.FactType(), clear)
	}
	g, err := l.codec.Decode(f.FactType(), schema, clear)
	if err != nil {
		l.Fatal(err)
	}
	return g
}

func (l *life[S]) replay() {
	var s S
	for _, f := range l.facts {
		s = l.decider.Evolve(s, l.stored(f))
	}
	if got := snapshot(l.T, s); got != l.shot {
		l.Fatalf("replay differs from live:\n%s", diff(got, l.shot))
	}
	for i, s := range l.past {
		if got := snapshot(l.T, s); got != l.shots[i] {
			l.Fatalf("the state at version %d changed later:\n%s", i, diff(got, l.shots[i]))
		}
	}
}

func carry[S any](t *rapid.T, from S, to *S) {
	var s S
	if err := json.Unmarshal([]byte(snapshot(t, from)), &s); err != nil {
		t.Fatal(err)
	}
	*to = s
}

func snapshot(t *rapid.T, s any) string {
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		t.Fatalf("encode state: %v", err)
	}
	return string(b)
}

func contains(s string) bool { return strings.Contains(s, Private) }
