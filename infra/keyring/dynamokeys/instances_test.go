package dynamokeys_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	eh "github.com/looplab/eventhorizon"

	"handoff/domain/conversation"
	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/memlog"
	"handoff/infra/keyring"
	"handoff/infra/keyring/dynamokeys"
	"handoff/tests/awstest"
	"handoff/tests/keyringtest"
)

// clock is a time that a test sets.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time       { return keyringtest.Start.Add(time.Duration(c.nanos.Load())) }
func (c *clock) set(at time.Duration) { c.nanos.Store(int64(at)) }

// pair is a keyring as two instances have it open.
type pair struct {
	a, b *keyring.Keyring
	*clock
}

func newPair(t *testing.T, o dynamokeys.Options) pair {
	t.Helper()
	p := pair{clock: new(clock)}
	o.Now = p.now
	p.a = opened(t, o)
	o.Create = false
	p.b = opened(t, o)
	if err := p.a.EnsureTenant(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestInstancesShareAKeyring(t *testing.T) {
	t.Parallel()
	for sentence, test := range map[string]func(*testing.T, pair){
		"a tenant is known to an instance that did not make it": func(t *testing.T, p pair) {
			ours, errA := p.a.StreamID("acme", events.KindConversation, "c")
			theirs, errB := p.b.StreamID("acme", events.KindConversation, "c")
			if ours != theirs || errA != nil || errB != nil || p.a.ID() != p.b.ID() {
				t.Errorf("streams = %s, %s, errors = %v, %v", ours, theirs, errA, errB)
			}
		},
		"a key destroyed elsewhere is used for ten seconds at most":     destroyedElsewhere,
		"an API key revoked elsewhere is taken for ten seconds at most": revokedElsewhere,
		"first uses on both get the same key": func(t *testing.T, p pair) {
			var wg sync.WaitGroup
			sealed := make([][]byte, 2)
			for i, k := range []*keyring.Keyring{p.a, p.b} {
				wg.Go(func() {
					var err error
					if sealed[i], err = k.Seal(t.Context(), "acme", "key.0", nil, []byte("text")); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			for i, k := range []*keyring.Keyring{p.b, p.a} {
				if plain, err := k.Open(t.Context(), "acme", "key.0", nil, sealed[i]); err != nil || string(plain) != "text" {
					t.Errorf("what the other sealed: %q, %v", plain, err)
				}
			}
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			test(t, newPair(t, behind(t, newServices())))
		})
		t.Run(sentence+", on engines", func(t *testing.T) {
			t.Parallel()
			awstest.Each(t, func(t *testing.T, e awstest.Engine) { test(t, newPair(t, on(t, e))) })
		})
	}
}

func destroyedElsewhere(t *testing.T, p pair) {
	ctx := t.Context()
	sealed, err := p.a.Seal(ctx, "acme", "key.0", nil, []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.b.Destroy(ctx, "acme", "key.0"); err != nil {
		t.Fatal(err)
	}
	for k, at := range map[*keyring.Keyring]time.Duration{p.b: 0, p.a: dynamokeys.Keep} {
		p.set(at)
		_, errOpen := k.Open(ctx, "acme", "key.0", nil, sealed)
		_, errSeal := k.Seal(ctx, "acme", "key.0", nil, nil)
		if !errors.Is(errOpen, keyring.ErrErased) || !errors.Is(errSeal, keyring.ErrErased) {
			t.Errorf("after %s: errors = %v, %v, want ErrErased", at, errOpen, errSeal)
		}
	}
}

func revokedElsewhere(t *testing.T, p pair) {
	ctx := t.Context()
	token, who := keyringtest.Issue(t, p.a, keyring.NewKey{Tenant: "acme", Role: identity.Admin})
	if _, err := p.b.APIKeys().Authenticate(ctx, token); err != nil {
		t.Fatal(err)
	}
	if err := p.a.APIKeys().Revoke(ctx, "acme", who.ID); err != nil {
		t.Fatal(err)
	}
	p.set(dynamokeys.Keep)
	if _, err := p.b.APIKeys().Authenticate(ctx, token); !fault.Is(err, "key-revoked") {
		t.Errorf("error = %v, want key-revoked", err)
	}
}

// overtaken is a log in which something happens right before an append.
type overtaken struct {
	*memlog.Log
	before func()
}

// Append implements eventlog.Log.
func (l *overtaken) Append(ctx context.Context, c eventlog.Commit) (eventlog.Head, error) {
	if before := l.before; before != nil {
		l.before = nil
		before()
	}
	return l.Log.Append(ctx, c)
}

// An instance that still has a destroyed key in memory seals with it, and can't
// commit what it sealed.
func TestNothingIsCommittedUnderADestroyedKey(t *testing.T) {
	t.Parallel()
	p := newPair(t, behind(t, newServices()))
	id, err := p.a.StreamID("acme", events.KindConversation, "store-bot", "c")
	if err != nil {
		t.Fatal(err)
	}
	at := eventlog.Stream{ID: id, Tenant: "acme", Connection: "store-bot"}
	memory := memlog.New()
	log := &overtaken{Log: memory}
	run := func(k *keyring.Keyring, log eventlog.Log, cmd eh.Command) {
		t.Helper()
		ledger := eventlog.NewLedger(log, events.Register(), k, p.now, rand.Text)
		_, err := eventlog.Execute(t.Context(), ledger, conversation.Decider, at, eventlog.Origin{}, func(conversation.State) (eh.Command, error) { return cmd, nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	run(p.a, log, raise("r1", p.now()))
	log.before = func() {
		run(p.b, memory, conversation.Erase{To: conversation.To(id)})
		if err := p.b.Destroy(t.Context(), "acme", events.NewKeyID(id, 0)); err != nil {
			t.Error(err)
		}
		if _, err := p.a.Seal(t.Context(), "acme", events.NewKeyID(id, 0), nil, nil); err != nil {
			t.Errorf("%v: the instance doesn't have the key, and the test shows nothing", err)
		}
	}
	run(p.a, log, raise("r2", p.now()))

	var keys []events.KeyID
	for r, err := range memory.Read(t.Context(), id, 1) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, r.Key)
	}
	if want := []events.KeyID{events.NewKeyID(id, 0), "", events.NewKeyID(id, 1)}; !slices.Equal(keys, want) {
		t.Errorf("facts are sealed under %q, want %q", keys, want)
	}
}

func raise(request string, now time.Time) conversation.Raise {
	return conversation.Raise{Fact: events.EscalationRaised{
		RaisedAt: now, ExpiresAt: now.Add(time.Hour), Request: events.Request{ID: request, Fingerprint: request, Format: "plain"},
		Context: &events.Context{ConversationID: "c", LastPhrase: "my parcel is lost"},
	}}
}
