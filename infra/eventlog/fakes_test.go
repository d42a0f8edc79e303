package eventlog_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	eh "github.com/looplab/eventhorizon"
	"github.com/looplab/eventhorizon/uuid"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/memlog"
)

// vault is a sealer that keeps its keys in memory.
type vault struct {
	mu        sync.Mutex
	keys      map[string][]byte
	destroyed map[string]bool
	sealed    []events.KeyID // one for each call of Seal
}

func newVault() *vault { return &vault{keys: map[string][]byte{}, destroyed: map[string]bool{}} }

func (v *vault) aead(tenant string, key events.KeyID, create bool) (cipher.AEAD, error) {
	name := tenant + "/" + string(key)
	if v.destroyed[name] {
		return nil, fault.New(fault.Gone, eventlog.CodeErased, "The key is destroyed.")
	}
	if v.keys[name] == nil && !create {
		return nil, fmt.Errorf("there is no key %s", name)
	}
	if v.keys[name] == nil {
		v.keys[name] = []byte(rand.Text() + rand.Text())[:32]
	}
	block, err := aes.NewCipher(v.keys[name])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Seal implements eventlog.Sealer.
func (v *vault) Seal(_ context.Context, tenant string, key events.KeyID, aad, plain []byte) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sealed = append(v.sealed, key)
	a, err := v.aead(tenant, key, true)
	if err != nil {
		return nil, err
	}
	return a.Seal(nil, nil, plain, aad), nil
}

// Open implements eventlog.Sealer.
func (v *vault) Open(_ context.Context, tenant string, key events.KeyID, aad, sealed []byte) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	a, err := v.aead(tenant, key, false)
	if err != nil {
		return nil, err
	}
	return a.Open(nil, nil, sealed, aad)
}

func (v *vault) destroy(tenant string, key events.KeyID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.destroyed[tenant+"/"+string(key)] = true
}

// changedLog is a log whose Append and Read a test takes over.
type changedLog struct {
	*memlog.Log
	append func(context.Context, eventlog.Commit) (eventlog.Head, error)
}

// Append implements eventlog.Log.
func (l *changedLog) Append(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
	return l.append(ctx, c)
}

// desk is everything that a test of the ledger needs.
type desk struct {
	*eventlog.Ledger
	log   *memlog.Log
	vault *vault
	at    eventlog.Stream
}

func at() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 5, time.UTC) }

func newDesk(t *testing.T) *desk {
	t.Helper()
	log := memlog.New()
	return newDeskOver(log, log)
}

func newDeskOver(log eventlog.Log, memory *memlog.Log) *desk {
	d := &desk{log: memory, vault: newVault(), at: eventlog.Stream{ID: uuid.New(), Tenant: "default", Connection: "store"}}
	var n atomic.Int64
	d.Ledger = eventlog.NewLedger(log, events.Register(), d.vault, at, func() string { return fmt.Sprintf("made-%d", n.Add(1)) })
	return d
}

// run executes one command on the desk's conversation.
func (d *desk) run(ctx context.Context, by eventlog.Origin, cmd eh.Command) (eventlog.Result[conversation.State], error) {
	return eventlog.Execute(ctx, d.Ledger, conversation.Decider, d.at, by, func(conversation.State) (eh.Command, error) { return cmd, nil })
}

func (d *desk) mustRun(t *testing.T, cmd eh.Command) eventlog.Result[conversation.State] {
	t.Helper()
	r, err := d.run(t.Context(), eventlog.Origin{}, cmd)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (d *desk) records(t *testing.T) (all []events.Record) {
	t.Helper()
	for r, err := range d.log.Read(t.Context(), d.at.ID, 1) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func (d *desk) opened(t *testing.T) (all []eventlog.Opened) {
	t.Helper()
	for o, err := range d.ReadOpen(t.Context(), d.at.ID) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

const secret = "my parcel is lost"

func raise(request, fingerprint string) conversation.Raise {
	return conversation.Raise{Fact: events.EscalationRaised{
		RaisedAt: at(), ExpiresAt: at().Add(time.Hour), Request: events.Request{ID: request, Fingerprint: fingerprint, Format: "plain"},
		Context: &events.Context{ConversationID: "c1", LastPhrase: secret},
	}}
}
