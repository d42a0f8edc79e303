package sqlitekeys_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"handoff/events"
	"handoff/infra/keyring"
	"handoff/infra/keyring/seal"
)

func TestKeysThatWereChanged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := openAt(t, dir)
	for _, key := range []events.KeyID{"key.0", "key.1"} {
		if _, err := k.Seal(t.Context(), "acme", key, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	tamper(t, dir, "UPDATE conversation_keys SET wrapped = (SELECT wrapped FROM conversation_keys WHERE key = 'key.1') WHERE key = 'key.0'")
	if _, err := openAt(t, dir).Seal(t.Context(), "acme", "key.0", nil, nil); !errors.Is(err, seal.ErrTampered) {
		t.Errorf("error = %v, want ErrTampered", err)
	}
}

func TestFirstUsesAtOnceGetTheSameKey(t *testing.T) {
	t.Parallel()
	k := openAt(t, t.TempDir())
	const writers, keys = 16, 20
	sealed := make([][keys][]byte, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range keys {
				b, err := k.Seal(t.Context(), "acme", events.KeyID(fmt.Sprint("key.", i)), nil, []byte("text"))
				if err != nil {
					t.Error(err)
				}
				sealed[w][i] = b
			}
		})
	}
	wg.Wait()
	for w := range writers {
		for i, b := range sealed[w] {
			if plain, err := k.Open(t.Context(), "acme", events.KeyID(fmt.Sprint("key.", i)), nil, b); err != nil || string(plain) != "text" {
				t.Errorf("what writer %d sealed under key %d: %q, %v", w, i, plain, err)
			}
		}
	}
}

// Whatever was going on meanwhile, nothing opens after Destroy returned.
func TestDestroyWhileOthersSealAndOpen(t *testing.T) {
	t.Parallel()
	k := openAt(t, t.TempDir())
	ctx := t.Context()
	for round := range 10 {
		key := events.KeyID(fmt.Sprint("key.", round))
		sealed, err := k.Seal(ctx, "acme", key, nil, []byte("text"))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for range 50 {
					_, errOpen := k.Open(ctx, "acme", key, nil, sealed)
					_, errSeal := k.Seal(ctx, "acme", events.KeyID(fmt.Sprint("other.", round, w)), nil, nil)
					if errSeal != nil || (errOpen != nil && !errors.Is(errOpen, keyring.ErrErased)) {
						t.Errorf("seal: %v, open: %v", errSeal, errOpen)
					}
				}
			})
		}
		if err := k.Destroy(ctx, "acme", key); err != nil {
			t.Error(err)
		}
		if _, err := k.Open(ctx, "acme", key, nil, sealed); !errors.Is(err, keyring.ErrErased) {
			t.Errorf("after Destroy: error = %v, want ErrErased", err)
		}
		wg.Wait()
		if _, err := k.Open(ctx, "acme", key, nil, sealed); !errors.Is(err, keyring.ErrErased) {
			t.Errorf("after all: error = %v, want ErrErased", err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	k := openAt(f, f.TempDir())
	sealed, err := k.Seal(f.Context(), "acme", "key.0", []byte("aad"), []byte(strings.Repeat("text ", 100)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("key.0", []byte("aad"), sealed[1:])
	f.Add("key.1", []byte("aad"), sealed)
	f.Add("", []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, key string, aad, arbitrary []byte) {
		plain, err := k.Open(t.Context(), "acme", events.KeyID(key), aad, arbitrary)
		if (err == nil) != (key == "key.0" && string(aad) == "aad" && string(arbitrary) == string(sealed)) {
			t.Errorf("Open = %q, %v", plain, err)
		}
	})
}
