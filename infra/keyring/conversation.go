package keyring

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/keyring/seal"
	"handoff/infra/sqlitedb"
)

// ErrErased is the fault for a key that was destroyed.
var ErrErased = fault.New(fault.Gone, "context-erased", "The private parts were erased; their key is destroyed.")

// ErrNoKey is returned by Open for a key that was never made: the sealed bytes
// come from another keyring, or keys.db was put back from an old copy.
var ErrNoKey = errors.New("keyring: it holds no such key")

const (
	wrappedSize      = seal.SecretSize + 12 + 16 // nonce and tag
	truncateAttempts = 5
	truncatePause    = 50 * time.Millisecond
)

type slot struct {
	tenant string
	key    events.KeyID
}

// Seal encrypts plain under the named key and binds it to aad. The key is made
// at its first use and is on disk before Seal returns; of two first uses at
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
// returns nil the key is in no byte of any file of the keyring. If it fails the
// key may be destroyed and its bytes still there; call it again. Destroying a
// key twice is no error. Others may read and write meanwhile; a program that
// holds a read transaction on the file makes Destroy fail with an Unavailable
// fault erase-unfinished.
func (k *Keyring) Destroy(ctx context.Context, tenant string, key events.KeyID) error {
	t, err := k.tenant(tenant)
	if err != nil {
		return err
	}
	err = k.db.Write(ctx, func(c *sqlite.Conn) error {
		return exec(c, `INSERT INTO conversation_keys (tenant, key, wrapped, erased) VALUES (?1, ?2, zeroblob(?3), 1)
			ON CONFLICT DO UPDATE SET wrapped = zeroblob(length(wrapped)), erased = 1 WHERE erased = 0`, t.id, string(key), wrappedSize)
	})
	k.keys.Drop(slot{tenant, key}) // only now: until the commit others may still read it
	if err == nil {
		err = k.truncate(ctx)
	}
	if err != nil {
		return fmt.Errorf("destroy key %s: %w", key, err)
	}
	return nil
}

// truncate empties the write-ahead log, where what was overwritten still stands.
func (k *Keyring) truncate(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		err := k.db.Truncate(ctx)
		if !errors.Is(err, sqlitedb.ErrBusy) {
			return err
		}
		if attempt == truncateAttempts {
			return fault.New(fault.Unavailable, "erase-unfinished",
				"The key is destroyed, but another program reads keys.db and keeps its bytes from being overwritten. End it and erase again.").Because(err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(truncatePause):
		}
	}
}

// key returns the key of a slot and, if it was never made and make is set,
// makes it.
func (k *Keyring) key(ctx context.Context, at slot, create bool) (*seal.Key, error) {
	if c, ok := k.keys.Get(at); ok {
		return c, nil
	}
	t, err := k.tenant(at.tenant)
	if err != nil {
		return nil, err
	}
	mark := k.keys.Mark(at)
	read := k.readKey
	if create {
		read = k.makeKey // most are new; to find one there costs no sync either
	}
	wrapped, err := read(ctx, t, at.key)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", at.key, err)
	}
	secret, err := unwrapSecret(t.wrapping, conversationOf(at.key), wrapped)
	if err != nil {
		return nil, fmt.Errorf("unwrap key %s: %w", at.key, err)
	}
	c := seal.NewKey(secret, k.packer)
	k.keys.Put(at, c, mark)
	return c, nil
}

func (k *Keyring) readKey(ctx context.Context, t *tenant, key events.KeyID) (wrapped []byte, err error) {
	err = k.read(ctx, func(c *sqlite.Conn) error {
		wrapped, err = selectKey(c, t, key)
		return err
	})
	return wrapped, err
}

func (k *Keyring) makeKey(ctx context.Context, t *tenant, key events.KeyID) ([]byte, error) {
	if key == "" {
		return nil, errors.New("keyring: a key needs a name")
	}
	var wrapped []byte
	fresh := t.wrapping.Wrap(conversationOf(key), seal.NewSecret().Bytes())
	err := k.db.WriteSized(ctx, len(fresh)+2*len(key), func(c *sqlite.Conn) error {
		err := exec(c, "INSERT INTO conversation_keys (tenant, key, wrapped, erased) VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING", t.id, string(key), fresh)
		if err == nil {
			wrapped, err = selectKey(c, t, key)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return wrapped, nil
}

func selectKey(c *sqlite.Conn, t *tenant, key events.KeyID) ([]byte, error) {
	var wrapped []byte
	err := ErrNoKey
	failed := query(c, "SELECT wrapped, erased FROM conversation_keys WHERE tenant = ? AND key = ?", func(s *sqlite.Stmt) error {
		if wrapped, err = blob(s, 0), nil; s.ColumnBool(1) {
			wrapped, err = nil, ErrErased
		}
		return nil
	}, t.id, string(key))
	if failed != nil {
		return nil, failed
	}
	return wrapped, err
}

func conversationOf(key events.KeyID) string { return "conversation\x00" + string(key) }
