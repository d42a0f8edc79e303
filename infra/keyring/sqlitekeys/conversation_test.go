package sqlitekeys_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/keyring"
	"handoff/infra/keyring/seal"
)

func TestSealedOpensAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := openAt(t, dir)
	ctx := t.Context()
	sealed, err := k.Seal(ctx, "acme", "key.0", []byte("place"), []byte("what was said"))
	if err != nil {
		t.Fatal(err)
	}
	print, err := k.Fingerprint(ctx, "acme", "key.0", []byte("body"))
	if err := errors.Join(err, k.Close()); err != nil {
		t.Fatal(err)
	}
	k = openAt(t, dir)
	plain, err := k.Open(ctx, "acme", "key.0", []byte("place"), sealed)
	if err != nil || string(plain) != "what was said" {
		t.Errorf("Open = %q, %v", plain, err)
	}
	if again, err := k.Fingerprint(ctx, "acme", "key.0", []byte("body")); err != nil || again != print || len(print) != 64 {
		t.Errorf("Fingerprint = %q, %v, want %q", again, err, print)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	k := openAt(t, t.TempDir())
	ctx := t.Context()
	sealed, err := k.Seal(ctx, "acme", "key.0", []byte("place"), []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Seal(ctx, "acme", "key.1", nil, nil); err != nil {
		t.Fatal(err)
	}
	changed := append([]byte{}, sealed...)
	changed[len(changed)-1] ^= 1
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for name, c := range map[string]struct {
		ctx         context.Context
		tenant      string
		key         events.KeyID
		aad, sealed []byte
		want        error
	}{
		"changed bytes":             {ctx, "acme", "key.0", []byte("place"), changed, seal.ErrTampered},
		"no bytes":                  {ctx, "acme", "key.0", []byte("place"), nil, seal.ErrTampered},
		"another place":             {ctx, "acme", "key.0", []byte("elsewhere"), sealed, seal.ErrTampered},
		"another key":               {ctx, "acme", "key.1", []byte("place"), sealed, seal.ErrTampered},
		"a key that was never made": {ctx, "acme", "key.2", []byte("place"), sealed, keyring.ErrNoKey},
		"another tenant's key":      {ctx, "other", "key.0", []byte("place"), sealed, keyring.ErrNoKey},
		"a context that has ended":  {cancelled, "acme", "key.2", nil, nil, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain, err := k.Open(c.ctx, c.tenant, c.key, c.aad, c.sealed)
			if !errors.Is(err, c.want) || plain != nil {
				t.Errorf("Open = %q, %v, want %v", plain, err, c.want)
			}
			if fault.KindOf(err) != fault.Internal {
				t.Errorf("kind = %v, want Internal", fault.KindOf(err))
			}
		})
	}
}

func TestSealErrors(t *testing.T) {
	t.Parallel()
	k := openAt(t, t.TempDir())
	if _, err := k.Seal(t.Context(), "acme", "", nil, nil); err == nil {
		t.Error("a key without a name was made")
	}
	if _, err := k.Seal(t.Context(), "acme", "key.0", nil, make([]byte, seal.MaxPlain+1)); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("error = %v, want TooLarge", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Seal(cancelled, "acme", "key.9", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error = %v", err)
	}
	if err := k.Destroy(cancelled, "acme", "key.9"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error = %v", err)
	}
}

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

func TestDestroyedKeyIsGoneForEver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := openAt(t, dir)
	ctx := t.Context()
	sealed, err := k.Seal(ctx, "acme", "key.0", nil, []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Seal(ctx, "other", "key.0", nil, []byte("text")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := errors.Join(k.Destroy(ctx, "acme", "key.0"), k.Destroy(ctx, "acme", "never-made")); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string) {
		for _, key := range []events.KeyID{"key.0", "never-made"} {
			_, errSeal := k.Seal(ctx, "acme", key, nil, []byte("text"))
			_, errPrint := k.Fingerprint(ctx, "acme", key, []byte("text"))
			_, errOpen := k.Open(ctx, "acme", key, nil, sealed)
			for _, err := range []error{errSeal, errPrint, errOpen} {
				if !errors.Is(err, keyring.ErrErased) || !fault.Is(err, "context-erased") || fault.KindOf(err) != fault.Gone {
					t.Errorf("%s, %s: error = %v, want ErrErased", when, key, err)
				}
			}
		}
		if _, err := k.Seal(ctx, "acme", "key.1", nil, []byte("text")); err != nil {
			t.Errorf("%s: the next generation: %v", when, err)
		}
		if _, err := k.Fingerprint(ctx, "other", "key.0", nil); err != nil {
			t.Errorf("%s: another tenant's key of that name: %v", when, err)
		}
	}
	check("at once")
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	k = openAt(t, dir)
	check("opened again")
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
