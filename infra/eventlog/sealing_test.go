package eventlog_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/looplab/eventhorizon/uuid"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/memlog"
)

func TestPrivatePartsAreSealed(t *testing.T) {
	t.Parallel()
	for sentence, phrase := range map[string]string{
		"inline":    secret,
		"as a blob": strings.Repeat(secret, 1+eventlog.InlineLimit/len(secret)),
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			cmd := raise("r1", "f1")
			cmd.Fact.Context.LastPhrase = phrase
			d.mustRun(t, cmd)
			rec := d.records(t)[0]
			snap, err := d.log.Load(t.Context(), d.at.ID)
			if err != nil {
				t.Fatal(err)
			}
			for what, stored := range map[string][]byte{"clear part": rec.Clear, "sealed part": rec.Sealed, "state": snap.State} {
				if bytes.Contains(stored, []byte(secret)) {
					t.Errorf("the %s tells what the customer said", what)
				}
			}
			o := d.opened(t)[0]
			f, ok := o.Fact.(*events.EscalationRaised)
			if !ok || o.Erased || f.Context == nil || f.Context.LastPhrase != phrase {
				t.Errorf("opened = %+v", o.Fact)
			}
			closed, err := d.Decode(rec)
			if err != nil || closed.(*events.EscalationRaised).Context != nil {
				t.Errorf("Decode = %+v, %v; want the clear part only", closed, err)
			}
		})
	}
}

func TestSealedBytesOpenOnlyInTheirPlace(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.mustRun(t, raise("r1", "f1"))
	for sentence, change := range map[string]func(*events.Record){
		"in another stream":  func(r *events.Record) { r.Stream = uuid.New() },
		"at another version": func(r *events.Record) { r.Version++ },
		"as another type":    func(r *events.Record) { r.Type = "EscalationContextAdded" },
		"of another tenant":  func(r *events.Record) { r.Tenant = "other" },
		"with changed bytes": func(r *events.Record) { r.Sealed[0] ^= 1 },
		"cut short":          func(r *events.Record) { r.Sealed = r.Sealed[:5] },
		"as a lost blob":     func(r *events.Record) { r.Sealed, r.SealedSum = nil, events.Hash{1} },
	} {
		r := d.records(t)[0]
		change(&r)
		if f, erased, err := d.Open(t.Context(), r); err == nil || erased || f != nil {
			t.Errorf("%s: Open = %+v, %t, %v; want an error", sentence, f, erased, err)
		}
	}
}

func TestErasedFactsAreReadWithoutTheirPrivatePart(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	before := d.mustRun(t, raise("r1", "f1"))
	erased := d.mustRun(t, conversation.Erase{})
	d.vault.destroy("default", events.NewKeyID(d.at.ID, 0))
	after := d.mustRun(t, raise("r2", "f2"))

	all := d.opened(t)
	first, last := all[0], all[len(all)-1]
	if f := first.Fact.(*events.EscalationRaised); !first.Erased || f.Context != nil || f.Number != 1 {
		t.Errorf("the erased fact = %+v, erased: %t", f, first.Erased)
	}
	if f := last.Fact.(*events.EscalationContextAdded); last.Erased || f.Context == nil || last.Key != events.NewKeyID(d.at.ID, 1) {
		t.Errorf("a fact after the erasure = %+v under key %s", f, last.Key)
	}
	if all[1].Erased || all[1].Key != "" || all[1].HasSealed() {
		t.Errorf("the fact that says so is sealed: %+v", all[1])
	}
	if before.State.Erasures != 0 || erased.State.Erasures != 1 || after.State.Last.Number != 1 {
		t.Errorf("states = %+v, %+v, %+v", before.State, erased.State, after.State)
	}
	if r, err := eventlog.State(t.Context(), d.Ledger, counting(), d.at.ID); err != nil || r.State.Facts != 3 {
		t.Errorf("folding anew after an erasure: %+v, %v", r, err)
	}
}

// A hand-off was about to seal when somebody erased the conversation.
func TestErasureOvertakesAHandOff(t *testing.T) {
	t.Parallel()
	memory := memlog.New()
	log := &changedLog{Log: memory, append: memory.Append}
	d := newDeskOver(log, memory)
	d.mustRun(t, raise("r1", "f1"))
	overtake := func(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
		log.append = memory.Append
		if _, err := d.run(ctx, eventlog.Origin{}, conversation.Erase{}); err != nil {
			return eventlog.Head{}, err
		}
		d.vault.destroy("default", events.NewKeyID(d.at.ID, 0))
		return memory.Append(ctx, c)
	}
	log.append = overtake
	d.mustRun(t, raise("r2", "f2"))
	all := d.opened(t)
	if last := all[len(all)-1]; len(all) != 3 || last.Erased || last.Key != events.NewKeyID(d.at.ID, 1) {
		t.Errorf("%d facts, the last one under key %s, erased: %t", len(all), last.Key, last.Erased)
	}
}

// deafVault can't seal.
type deafVault struct{ *vault }

var errDeaf = errors.New("no key store")

// Seal implements eventlog.Sealer.
func (deafVault) Seal(context.Context, string, events.KeyID, []byte, []byte) ([]byte, error) {
	return nil, errDeaf
}

func TestWhatCannotBeSealedIsNotStored(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Ledger = eventlog.NewLedger(d.log, events.Register(), deafVault{d.vault}, at, func() string { return "c" })
	if _, err := d.run(t.Context(), eventlog.Origin{}, raise("r1", "f1")); !errors.Is(err, errDeaf) {
		t.Errorf("Execute: %v, want %v", err, errDeaf)
	}
	if n := len(d.records(t)); n != 0 {
		t.Errorf("%d facts, want none", n)
	}
}

func TestKeyThatIsGoneForGood(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.mustRun(t, raise("r1", "f1"))
	d.vault.destroy("default", events.NewKeyID(d.at.ID, 0))
	_, err := d.run(t.Context(), eventlog.Origin{}, raise("r2", "f2"))
	if err == nil || fault.KindOf(err) == fault.Gone {
		t.Errorf("Execute: %v; want an error that does not say that the conversation is erased, for no fact says so", err)
	}
	if n := len(d.records(t)); n != 1 {
		t.Errorf("%d facts, want 1", n)
	}
}

func TestReadOpenStops(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.mustRun(t, raise("r1", "f1"))
	d.mustRun(t, raise("r2", "f2"))
	n := 0
	for range d.ReadOpen(t.Context(), d.at.ID) {
		n++
		break
	}
	old := eventlog.NewLedger(d.log, events.NewCodec(), d.vault, at, nil)
	failed := 0
	for o, err := range old.ReadOpen(t.Context(), d.at.ID) {
		failed++
		if !errors.Is(err, events.ErrUnknownFact) || o.Version != 1 || o.Fact != nil {
			t.Errorf("ReadOpen = %+v, %v; want the place of the fact that can't be read", o, err)
		}
	}
	if n != 1 || failed != 1 {
		t.Errorf("%d facts before the break, %d after the error; want 1 and 1", n, failed)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range d.ReadOpen(ctx, d.at.ID) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ReadOpen: %v, want %v", err, context.Canceled)
		}
	}
}
