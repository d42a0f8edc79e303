package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain"
	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/memlog"
)

func TestExecuteStoresWhatIsDecided(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	cmd := raise("r1", "f1")
	cmd.Route = &events.EscalationRouted{Connection: "store", Queue: events.Queue{ID: "refunds"}}
	r := d.mustRun(t, cmd)
	if len(r.Facts) != 2 || r.State.Last.Status != conversation.Routed || r.Version != 2 {
		t.Fatalf("result = %+v", r)
	}
	var prev events.Hash
	for i, rec := range d.records(t) {
		if rec.Version != i+1 || rec.Hash != events.Chain(prev, &rec) {
			t.Errorf("fact %s at place %d is not chained to the one before", rec.ID(), i)
		}
		prev = rec.Hash
	}
	if prev != r.Hash {
		t.Errorf("head = %s, want %s", r.Hash, prev)
	}
	s, err := eventlog.State(t.Context(), d.Ledger, conversation.Decider, d.at.ID)
	if err != nil || s.Head != r.Head || s.State.Last.Queue.ID != "refunds" || s.State.Version != 2 {
		t.Errorf("State = %+v, %v", s, err)
	}
}

func TestOriginLandsInTheHeader(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	by := eventlog.Origin{Actor: "key_1", Causation: "r1", Correlation: "r0", Trace: "00-aa-bb-01", Commit: "c1"}
	if _, err := d.run(t.Context(), by, raise("r1", "f1")); err != nil {
		t.Fatal(err)
	}
	want := events.Header{
		Stream: d.at.ID, Version: 1, Kind: events.KindConversation, Type: "EscalationRaised", Schema: 1, Tenant: "default", Connection: "store",
		Time: at().UnixNano(), Commit: "c1", Causation: "r1", Correlation: "r0", Actor: "key_1", Key: events.NewKeyID(d.at.ID, 0), Trace: "00-aa-bb-01",
	}
	if got := d.records(t)[0].Header; got != want {
		t.Errorf("header = %+v\nwant %+v", got, want)
	}
}

func TestCommandsWithoutACommitGetOne(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.mustRun(t, raise("r1", "f1"))
	d.mustRun(t, raise("r2", "f2"))
	if got := d.records(t); got[0].Commit != "made-1" || got[1].Commit != "made-2" {
		t.Errorf("commits = %q, %q", got[0].Commit, got[1].Commit)
	}
}

func TestNothingIsAppendedWithoutAFact(t *testing.T) {
	t.Parallel()
	gone := fault.New(fault.NotFound, "gone", "")
	for sentence, c := range map[string]struct {
		prepare func(conversation.State) (eh.Command, error)
		want    error
	}{
		"the command changes nothing":   {func(conversation.State) (eh.Command, error) { return raise("r1", "f1"), nil }, nil},
		"the command can't be prepared": {func(conversation.State) (eh.Command, error) { return nil, io.EOF }, io.EOF},
		"the command is refused": {func(conversation.State) (eh.Command, error) {
			return conversation.Report{Number: 9, Status: conversation.Failed}, nil
		}, errAny},
		"the command is refused beforehand": {func(conversation.State) (eh.Command, error) { return nil, gone }, gone},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.mustRun(t, raise("r1", "f1"))
			r, err := eventlog.Execute(t.Context(), d.Ledger, conversation.Decider, d.at, eventlog.Origin{}, c.prepare)
			if (err == nil) != (c.want == nil) || err != nil && !errors.Is(c.want, errAny) && !errors.Is(err, c.want) {
				t.Errorf("Execute: %v, want %v", err, c.want)
			}
			if err == nil && (r.Version != 1 || r.State.Last.Number != 1 || r.Facts != nil) {
				t.Errorf("result = %+v, want the state as it was", r)
			}
			if n := len(d.records(t)); n != 1 || len(d.vault.sealed) != 1 {
				t.Errorf("%d facts, %d sealed, want 1", n, len(d.vault.sealed))
			}
		})
	}
}

var errAny = errors.New("any error")

func TestStateOfNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	r, err := eventlog.State(t.Context(), d.Ledger, conversation.Decider, d.at.ID)
	if err != nil || r.Head != (eventlog.Head{}) || r.State.Last.Number != 0 {
		t.Errorf("State = %+v, %v", r, err)
	}
}

// 64 clients hand the same conversation over at once: one escalation, and
// everybody's answer is about it.
func TestSimultaneousHandOffs(t *testing.T) {
	t.Parallel()
	for sentence, fingerprint := range map[string]func(int) string{
		"that say the same":         func(int) string { return "f" },
		"that say different things": func(i int) string { return fmt.Sprint("f", i) },
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			const clients = 64
			d := newDesk(t)
			var wg sync.WaitGroup
			answers := make([]eventlog.Result[conversation.State], clients)
			for i := range clients {
				wg.Go(func() {
					var err error
					if answers[i], err = d.run(t.Context(), eventlog.Origin{Commit: fmt.Sprint("c", i)}, raise(fmt.Sprint("r", i), fingerprint(i))); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			raised, added, seen := 0, 0, map[string]bool{}
			for _, o := range d.opened(t) {
				switch f := o.Fact.(type) {
				case *events.EscalationRaised:
					raised++
					seen[f.Request.Fingerprint] = true
				case *events.EscalationContextAdded:
					added++
					seen[f.Request.Fingerprint] = true
				}
			}
			if raised != 1 || added+1 != len(seen) || len(seen) != 1 && len(seen) != clients {
				t.Errorf("%d raised, %d added, %d different contexts", raised, added, len(seen))
			}
			for i, r := range answers {
				if r.State.Last.Number != 1 || r.Version < 1 {
					t.Errorf("client %d was told of escalation %d at version %d", i, r.State.Last.Number, r.Version)
				}
			}
		})
	}
}

func TestLostAnswer(t *testing.T) {
	t.Parallel()
	memory := memlog.New()
	lost := errors.New("connection reset")
	log := &changedLog{Log: memory}
	times := 0
	log.append = func(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
		head, err := memory.Append(ctx, c)
		if times++; times == 1 && err == nil {
			return eventlog.Head{}, lost
		}
		return head, err
	}
	d := newDeskOver(log, memory)
	by := eventlog.Origin{Commit: "c1"}
	if _, err := d.run(t.Context(), by, raise("r1", "f1")); !errors.Is(err, lost) {
		t.Fatalf("Execute: %v, want %v", err, lost)
	}
	r, err := d.run(t.Context(), by, raise("r1", "f1"))
	if err != nil || r.Version != 1 || r.State.Last.Number != 1 {
		t.Errorf("once more: %+v, %v", r, err)
	}
	if n := len(d.records(t)); n != 1 {
		t.Errorf("%d facts, want 1", n)
	}
}

// The answer is lost while the same call still runs: the log knows the commit.
func TestLostAnswerIsRecognisedByTheCommit(t *testing.T) {
	t.Parallel()
	memory := memlog.New()
	log := &changedLog{Log: memory}
	log.append = func(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
		if _, err := memory.Append(ctx, c); err != nil {
			return eventlog.Head{}, err
		}
		return memory.Append(ctx, c)
	}
	d := newDeskOver(log, memory)
	if r := d.mustRun(t, raise("r1", "f1")); r.Version != 1 || len(d.records(t)) != 1 {
		t.Errorf("result = %+v, %d facts, want version 1 and 1 fact", r, len(d.records(t)))
	}
}

func TestEndlessConflict(t *testing.T) {
	t.Parallel()
	memory := memlog.New()
	log := &changedLog{Log: memory, append: func(_ context.Context, c eventlog.Commit) (eventlog.Head, error) {
		return eventlog.Head{}, &eventlog.ConflictError{Stream: c.Stream, Expected: c.After}
	}}
	_, err := newDeskOver(log, memory).run(t.Context(), eventlog.Origin{}, raise("r1", "f1"))
	if fault.KindOf(err) != fault.Unavailable || fault.KindOf(err).Permanent() {
		t.Errorf("Execute: %v, want a fault that is tried again", err)
	}
}

func TestCancelledContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := newDesk(t)
	if _, err := d.run(ctx, eventlog.Origin{}, raise("r1", "f1")); !errors.Is(err, context.Canceled) {
		t.Errorf("Execute: %v, want %v", err, context.Canceled)
	}
	if _, err := eventlog.State(ctx, d.Ledger, conversation.Decider, d.at.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("State: %v, want %v", err, context.Canceled)
	}
}

// counting is a later conversation, whose state says how many facts there are.
func counting() domain.Decider[struct{ Facts int }] {
	type state = struct{ Facts int }
	return domain.Decider[state]{
		Kind: events.KindConversation, StateVersion: conversation.Decider.StateVersion + 1,
		Evolve: func(s state, _ events.Fact) state { return state{s.Facts + 1} },
		Decide: func(state, eh.Command) ([]events.Fact, error) {
			return []events.Fact{&events.EscalationExpired{Number: 1}}, nil
		},
	}
}

func TestStateOfAnotherVersionIsFoldedAnew(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.mustRun(t, raise("r1", "f1"))
	old := d.mustRun(t, raise("r2", "f2"))
	r, err := eventlog.State(t.Context(), d.Ledger, counting(), d.at.ID)
	if err != nil || r.State.Facts != 2 || r.Head != old.Head {
		t.Fatalf("State = %+v, %v; want 2 facts at %+v", r, err, old.Head)
	}
	r, err = eventlog.Execute(t.Context(), d.Ledger, counting(), d.at, eventlog.Origin{},
		func(s struct{ Facts int }) (eh.Command, error) { return raise("", ""), nil })
	if err != nil || r.State.Facts != 3 || r.Version != 3 {
		t.Fatalf("Execute = %+v, %v", r, err)
	}
	snap, err := d.log.Load(t.Context(), d.at.ID)
	if err != nil || snap.StateVersion != conversation.Decider.StateVersion+1 || string(snap.State) != `{"Facts":3}` {
		t.Errorf("the log carries %s of version %d, %v", snap.State, snap.StateVersion, err)
	}
	if back, err := eventlog.State(t.Context(), d.Ledger, conversation.Decider, d.at.ID); err != nil || back.State.Version != 3 || back.State.Last.Status != conversation.Expired {
		t.Errorf("an earlier Handoff reads %+v, %v", back, err)
	}
}

func TestFactsOfALaterHandoffAreNotGuessed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.mustRun(t, raise("r1", "f1"))
	old := eventlog.NewLedger(d.log, events.NewCodec(), d.vault, at, func() string { return "c" })
	if _, err := eventlog.State(t.Context(), old, conversation.Decider, d.at.ID); err != nil {
		t.Errorf("a carried state needs no facts, but: %v", err)
	}
	if _, err := eventlog.State(t.Context(), old, counting(), d.at.ID); !errors.Is(err, events.ErrUnknownFact) {
		t.Errorf("State: %v, want %v", err, events.ErrUnknownFact)
	}
}
