package keyring

import (
	"context"
	"errors"
	"fmt"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/keyring/seal"
)

// ErrErased is the fault for a key that was destroyed.
var ErrErased = fault.New(fault.Gone, "context-erased", "The private parts were erased; their key is destroyed.")

// ErrNoKey is returned by Open for a key that was never made: the sealed bytes
// come from another keyring, or this one was put back from an old copy.
var ErrNoKey = errors.New("keyring: it holds no such key")

// WrappedSize is the size of a conversation's wrapped key in bytes: the key, a
// nonce and a tag.
const WrappedSize = seal.SecretSize + 12 + 16

// ConversationStore keeps conversations' keys, wrapped.
type ConversationStore interface {
	// ConversationKey returns a key, ErrErased or ErrNoKey.
	ConversationKey(ctx context.Context, tenant string, key events.KeyID) (wrapped []byte, err error)
	// MakeConversationKey keeps fresh as the key unless there is one, and
	// returns the one that is kept, or ErrErased.
	MakeConversationKey(ctx context.Context, tenant string, key events.KeyID, fresh []byte) (wrapped []byte, err error)
	// DestroyConversationKey overwrites the key, if there is one, with a mark
	// that it can never be made again.
	DestroyConversationKey(ctx context.Context, tenant string, key events.KeyID) error
}

type slot struct {
	tenant string
	key    events.KeyID
}

// Seal encrypts plain under the named key and binds it to aad. The key is made
// at its first use and is durable before Seal returns; of two first uses at
// once both get the same key. A destroyed key gives ErrErased.
func (k *Keyring) Seal(ctx context.Context, tenant string, key events.KeyID, aad, plain []byte) ([]byte, error) {
	c, err := k.key(ctx, slot{tenant, key}, true)
	if err != nil {
		return nil, err
	}
	sealed, err := c.Seal(aad, plain)
	if errors.Is(err, seal.ErrTooLarge) {
		return nil, fault.Newf(fault.TooLarge, "context-too-large", "The private part is larger than %d MiB.", seal.MaxPlain>>20).Because(err)
	}
	return sealed, err
}

// Open undoes Seal for the same tenant, key and aad. It returns ErrErased where
// the key was destroyed, ErrNoKey where it never was, and seal.ErrTampered
// where the bytes are not those that Seal returned.
func (k *Keyring) Open(ctx context.Context, tenant string, key events.KeyID, aad, sealed []byte) ([]byte, error) {
	c, err := k.key(ctx, slot{tenant, key}, false)
	if err != nil {
		return nil, err
	}
	return c.Open(aad, sealed)
}

// Fingerprint returns a keyed hash of data, by which equal data is told within
// one conversation. It makes the key as Seal does.
func (k *Keyring) Fingerprint(ctx context.Context, tenant string, key events.KeyID, data []byte) (string, error) {
	c, err := k.key(ctx, slot{tenant, key}, true)
	if err != nil {
		return "", err
	}
	return c.Fingerprint(data), nil
}

// Destroy destroys a key for ever, whether it was ever made or not. When it
// returns nil the key is nowhere in the store. If it fails the key may be
// destroyed and its bytes still there; call it again. Destroying a key twice is
// no error.
func (k *Keyring) Destroy(ctx context.Context, tenant string, key events.KeyID) error {
	if _, err := k.tenant(ctx, tenant); err != nil {
		return err
	}
	err := k.store.DestroyConversationKey(ctx, tenant, key)
	k.keys.drop(slot{tenant, key}) // only now: until the write others may still read it
	if err != nil {
		return fmt.Errorf("destroy key %s: %w", key, err)
	}
	return nil
}

// key returns the key of a slot and, if it was never made and make is set,
// makes it.
func (k *Keyring) key(ctx context.Context, at slot, create bool) (*seal.Key, error) {
	if c, ok := k.keys.get(at); ok {
		return c, nil
	}
	t, err := k.tenant(ctx, at.tenant)
	if err != nil {
		return nil, err
	}
	mark := k.keys.mark(at)
	wrapped, err := k.wrapped(ctx, t, at, create)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", at.key, err)
	}
	secret, err := unwrapSecret(t.wrapping, conversationOf(at.key), wrapped)
	if err != nil {
		return nil, fmt.Errorf("unwrap key %s: %w", at.key, err)
	}
	c := seal.NewKey(secret, k.packer)
	k.keys.put(at, c, mark)
	return c, nil
}

// wrapped reads a key or makes it. It doesn't look first whether there is one:
// most are new, and to be told so by the store costs less than to look.
func (k *Keyring) wrapped(ctx context.Context, t *tenant, at slot, create bool) ([]byte, error) {
	if !create {
		return k.store.ConversationKey(ctx, at.tenant, at.key)
	}
	if at.key == "" {
		return nil, errors.New("keyring: a key needs a name")
	}
	return k.store.MakeConversationKey(ctx, at.tenant, at.key, t.wrapping.Wrap(conversationOf(at.key), seal.NewSecret().Bytes()))
}

func conversationOf(key events.KeyID) string { return "conversation\x00" + string(key) }
