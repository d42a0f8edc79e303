// Package keyring holds the keys of all tenants, whatever they are stored in:
// package sqlitekeys keeps them in a file of one machine, package dynamokeys in
// a table on AWS. What is not storage is written here, once.
//
// It promises:
//
//   - What is sealed opens again, at the same place only, until its key is
//     destroyed. A key is durable before anything sealed under it is returned.
//   - After Destroy the key is nowhere in the store, and it is never made
//     again. What was sealed under it is noise from then on, wherever a copy of
//     it may be. Copies of the store that were made before are the one thing
//     that undoes this: keep them for less long than the log's. Where several
//     instances share a store, another one that has just used the key may hold
//     it in memory for Options.Keep at most.
//   - Names of streams, and refs, tell nobody without the keyring what they
//     stand for.
//   - Of a token only a hash is stored; of a secret only sealed bytes.
//
// Of each tenant there are two secrets, its Roots: one from which names are
// derived, one that wraps its conversations' keys and its secrets. How, is said
// in package seal; it is the same for every store, so rows can be copied from
// one to another as they are (see Row). Keys in memory are not protected from
// whoever may read the memory of the process.
//
// # Erasing where several instances share a store
//
// An instance that still has a destroyed key in memory can seal with it. It
// can't commit what it sealed: the fact ContextErased is appended before the key
// is destroyed and begins a new generation of keys, so whoever loaded the stream
// after it seals under the next key, and whoever loaded it before is refused by
// the log's check of versions, decides again, and seals under the next key. What
// such an instance can do is open, for as long as it believes its memory, what
// it could have opened a moment earlier.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"handoff/events"
	"handoff/infra/keyring/seal"
)

// FileName is the keyring's file in a data directory.
const FileName = "keys.db"

// cached is how many keys stay unwrapped in memory, about 1 KiB each.
const cached = 10_000

// ErrNoSystem is returned by New for a store that is empty.
var ErrNoSystem = errors.New("the keyring was not made yet: make the first tenant")

// Store is what a keyring is kept in. Whatever a method has written is durable
// when it returns nil, and every reader sees it from then on. All methods are
// safe for concurrent use.
type Store interface {
	RootStore
	ConversationStore
	APIKeyStore
	SecretStore
	// Rows yields every row but the roots, in any order.
	Rows(ctx context.Context) iter.Seq2[Row, error]
	Close() error
}

// Options say how a keyring treats its store.
type Options struct {
	Now func() time.Time
	// Keep is how long what was read from the store is believed. Zero is for
	// ever: for a store that nobody else writes.
	Keep time.Duration
	// Tenants are loaded at once. Others are at their first use.
	Tenants []string
	// Create makes the secret that belongs to no tenant where it is missing.
	Create bool
}

// Keyring holds the keys of all tenants. It is safe for concurrent use; whoever
// opened it closes it.
type Keyring struct {
	store  Store
	packer *seal.Packer
	now    func() time.Time
	keys   *cache[slot, *seal.Key]
	api    *APIKeys

	mu      sync.RWMutex
	system  *seal.Namer
	tenants map[string]*tenant
}

// New returns the keyring in a store; closing it closes the store. It returns
// ErrNoSystem for an empty store, unless it may create what is missing.
func New(ctx context.Context, s Store, o Options) (*Keyring, error) {
	packer, err := seal.NewPacker()
	if err != nil {
		return nil, err
	}
	k := &Keyring{
		store: s, packer: packer, now: o.Now, tenants: map[string]*tenant{},
		keys: newCache[slot, *seal.Key](o.Now, o.Keep),
	}
	k.api = &APIKeys{ring: k, cache: newCache[string, APIKeyRow](o.Now, o.Keep)}
	err = k.load(ctx, append([]string{systemName}, o.Tenants...)...)
	if err == nil && k.system == nil && o.Create {
		err = k.makeRoots(ctx, systemName, Roots{Naming: seal.NewSecret()})
	}
	if err == nil && k.system == nil {
		err = ErrNoSystem
	}
	if err != nil {
		return nil, err
	}
	return k, nil
}

// ID names this keyring, so that a log can say which one it was written with.
func (k *Keyring) ID() string { return k.systemNames().Ref("keyring", "id") }

// SystemStreamID returns the id of a stream that belongs to no tenant, such as
// a reservation, which must be the same for all of them.
func (k *Keyring) SystemStreamID(kind events.Kind, parts ...string) events.StreamID {
	return k.systemNames().Stream(string(kind), parts...)
}

// SystemRef returns what stands for value among those of a label that belong to
// no tenant, as Ref does for a tenant's. It never waits for the store.
func (k *Keyring) SystemRef(label, value string) string { return k.systemNames().Ref(label, value) }

func (k *Keyring) systemNames() *seal.Namer {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.system
}

// APIKeys returns the keys by which callers prove who they are.
func (k *Keyring) APIKeys() *APIKeys { return k.api }

// Close forgets the keys in memory and closes the store.
func (k *Keyring) Close() error {
	err := k.store.Close()
	k.keys.clear()
	k.api.cache.clear()
	if err != nil {
		return fmt.Errorf("close the keyring: %w", err)
	}
	return nil
}
