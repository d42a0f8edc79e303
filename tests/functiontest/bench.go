// Package functiontest is a bench for functions: a log in memory, keys that
// are no secret, and a clock that stands still.
package functiontest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/memlog"
	"handoff/infra/rulebook"
)

// Tenant is the tenant of a bench.
const Tenant = "default"

// Bench is what a function works on.
type Bench struct {
	*testing.T
	Log    *memlog.Log
	Ledger *eventlog.Ledger
	Keys   *Keys
	Rules  *rulebook.Rulebook
	Clock  time.Time
	ids    atomic.Int64
}

// New returns an empty bench at ten in the morning.
func New(t *testing.T) *Bench {
	t.Helper()
	b := &Bench{T: t, Log: memlog.New(), Keys: new(Keys), Clock: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)}
	b.Ledger = eventlog.NewLedger(b.Log, events.Register(), b.Keys, b.Now, func() string {
		return fmt.Sprintf("commit-%d", b.ids.Add(1))
	})
	b.Rules = rulebook.New(b.Ledger)
	return b
}

// Now returns the bench's time.
func (b *Bench) Now() time.Time { return b.Clock }

// Stream returns the stream of that kind and name.
func (b *Bench) Stream(kind events.Kind, parts ...string) events.StreamID {
	id, _ := b.Keys.StreamID(Tenant, kind, parts...)
	return id
}

// Give appends facts to a connection's stream and returns what a function is
// told of the last one.
func (b *Bench) Give(connection string, facts ...events.Fact) events.Notification {
	b.Helper()
	return b.GiveTo(b.Stream(events.KindConnection, connection), events.KindConnection, connection, facts...)
}

// GiveTo is Give for any stream. What is private is sealed as it would be.
func (b *Bench) GiveTo(stream events.StreamID, kind events.Kind, connection string, facts ...events.Fact) events.Notification {
	b.Helper()
	snap, err := b.Log.Load(b.Context(), stream)
	if err != nil {
		b.Fatal(err)
	}
	c := eventlog.Commit{
		Stream: stream, Tenant: Tenant, Kind: kind, Connection: connection, ID: fmt.Sprintf("given-%d", b.ids.Add(1)), After: snap.Head,
		StateVersion: -1, State: []byte("{}"), // so that it is refolded
	}
	for i, f := range facts {
		clear, private, schema, err := events.Register().Encode(f)
		if err != nil {
			b.Fatal(err)
		}
		r := events.Record{Clear: clear, Header: events.Header{
			Stream: stream, Version: snap.Version + i + 1, Type: f.FactType(), Schema: schema, Time: b.Clock.UnixNano(), Actor: "test",
		}}
		if private != nil {
			r.Key = events.NewKeyID(stream, 0)
			if r.Sealed, err = b.Keys.Seal(b.Context(), Tenant, r.Key, events.AssociatedData(r.Header), private); err != nil {
				b.Fatal(err)
			}
		}
		c.Facts = append(c.Facts, r)
	}
	eventlog.ChainCommit(&c)
	if _, err := b.Log.Append(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	return events.Notify(c.Facts[len(c.Facts)-1])
}

// Types returns the types of a stream's facts.
func (b *Bench) Types(stream events.StreamID) []string {
	b.Helper()
	var types []string
	for r, err := range b.Log.Read(b.Context(), stream, 1) {
		if err != nil {
			b.Fatal(err)
		}
		types = append(types, r.Type)
	}
	return types
}

// Last returns a stream's last fact.
func (b *Bench) Last(stream events.StreamID) events.Fact {
	b.Helper()
	var last events.Fact
	for o, err := range b.Ledger.ReadOpen(b.Context(), stream) {
		if err != nil {
			b.Fatal(err)
		}
		last = o.Fact
	}
	return last
}

// Want fails the test unless the stream has facts of exactly these types.
func (b *Bench) Want(stream events.StreamID, types ...string) {
	b.Helper()
	if got := b.Types(stream); !slices.Equal(got, types) {
		b.Errorf("facts = %v, want %v", got, types)
	}
}

// Twice has a function told of the same fact twice and fails the test if the
// second time changed anything.
func (b *Bench) Twice(handle func(context.Context, events.Notification) error, n events.Notification) {
	b.Helper()
	if err := handle(b.Context(), n); err != nil {
		b.Fatalf("handle %s: %v", n.Type, err)
	}
	before := b.Count()
	if err := handle(b.Context(), n); err != nil {
		b.Fatalf("handle %s again: %v", n.Type, err)
	}
	if after := b.Count(); after != before {
		b.Errorf("handling %s again appended %d facts, want none", n.Type, after-before)
	}
}

// Count returns how many facts the log has.
func (b *Bench) Count() int {
	b.Helper()
	n := 0
	for _, err := range b.Log.ReadAll(b.Context(), 0) {
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	return n
}

// Sample reads a function's sample event and fails the test if it is not of
// the type that the function is told of, or can't be decoded.
func Sample(t *testing.T, typ string) events.Notification {
	t.Helper()
	data, err := os.ReadFile("testdata/event.json")
	if err != nil {
		t.Fatal(err)
	}
	var n events.Notification
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&n); err != nil {
		t.Fatal(err)
	}
	if _, err := events.Register().Decode(n.Type, n.Schema, n.Clear); err != nil || n.Type != typ {
		t.Fatalf("the sample is of type %s (%v), want %s", n.Type, err, typ)
	}
	return n
}

// Keys name streams and seal without any secret.
type Keys struct {
	mu     sync.Mutex
	erased map[events.KeyID]bool
}

// StreamID names a stream after its parts.
func (*Keys) StreamID(tenant string, kind events.Kind, parts ...string) (events.StreamID, error) {
	h := sha256.Sum256([]byte(tenant + "\x00" + string(kind) + "\x00" + strings.Join(parts, "\x00")))
	return uuid.UUID(h[:16]), nil
}

// SystemStreamID names a stream of no tenant.
func (k *Keys) SystemStreamID(kind events.Kind, parts ...string) events.StreamID {
	id, _ := k.StreamID("", kind, parts...)
	return id
}

// Ref hashes a value.
func (*Keys) Ref(tenant, label, value string) (string, error) {
	h := sha256.Sum256([]byte(tenant + "\x00" + label + "\x00" + value))
	return hex.EncodeToString(h[:16]), nil
}

// Fingerprint hashes data.
func (k *Keys) Fingerprint(_ context.Context, _ string, key events.KeyID, data []byte) (string, error) {
	if k.isErased(key) {
		return "", erased()
	}
	h := sha256.Sum256(append([]byte(key), data...))
	return hex.EncodeToString(h[:16]), nil
}

// Seal marks what it should seal, and what it is bound to.
func (k *Keys) Seal(_ context.Context, _ string, key events.KeyID, aad, plain []byte) ([]byte, error) {
	if k.isErased(key) {
		return nil, erased()
	}
	sum := sha256.Sum256(aad)
	return append(sum[:], plain...), nil
}

// Open checks what it is bound to.
func (k *Keys) Open(_ context.Context, _ string, key events.KeyID, aad, sealed []byte) ([]byte, error) {
	if k.isErased(key) {
		return nil, erased()
	}
	if sum := sha256.Sum256(aad); len(sealed) < len(sum) || !bytes.Equal(sum[:], sealed[:len(sum)]) {
		return nil, errors.New("functiontest: sealed for another place")
	}
	return sealed[sha256.Size:], nil
}

// Destroy makes a key unusable.
func (k *Keys) Destroy(_ context.Context, _ string, key events.KeyID) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.erased == nil {
		k.erased = make(map[events.KeyID]bool)
	}
	k.erased[key] = true
	return nil
}

func (k *Keys) isErased(key events.KeyID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.erased[key]
}

func erased() error { return fault.New(fault.Gone, eventlog.CodeErased, "The context was erased.") }
