package keyringtest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/keyring"
	"handoff/infra/keyring/seal"
)

// conversations is what is promised of conversations' keys.
var conversations = map[string]func(*testing.T, Open){
	"what is sealed opens after the keyring is opened again": func(t *testing.T, open Open) {
		k, ctx := Opened(t, open), t.Context()
		sealed := sealText(t, k, key(0), "place", "what was said")
		print, err := k.Fingerprint(ctx, Acme, key(0), []byte("body"))
		if err != nil {
			t.Fatal(err)
		}
		closed(t, k)
		k = open(t, now)
		plain, err := k.Open(ctx, Acme, key(0), []byte("place"), sealed)
		if err != nil || string(plain) != "what was said" {
			t.Errorf("Open = %q, %v", plain, err)
		}
		if again, err := k.Fingerprint(ctx, Acme, key(0), []byte("body")); err != nil || again != print || len(print) != 64 {
			t.Errorf("Fingerprint = %q, %v, want %q", again, err, print)
		}
	},
	"what was changed, or is elsewhere, doesn't open":       opensNothingElse,
	"what can't be sealed is refused":                       refusesToSeal,
	"two first uses at once get the same key":               firstUses,
	"a destroyed key is gone for ever":                      destroyed,
	"nothing opens after its key was destroyed by whomever": destroyedMeanwhile,
}

func sealText(t testing.TB, k *keyring.Keyring, id events.KeyID, aad, text string) []byte {
	t.Helper()
	sealed, err := k.Seal(t.Context(), Acme, id, []byte(aad), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func opensNothingElse(t *testing.T, open Open) {
	k, ctx := Opened(t, open), t.Context()
	sealed := sealText(t, k, key(0), "place", "text")
	sealText(t, k, key(1), "", "")
	changed := bytes.Clone(sealed)
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
		"changed bytes":             {ctx, Acme, key(0), []byte("place"), changed, seal.ErrTampered},
		"no bytes":                  {ctx, Acme, key(0), []byte("place"), nil, seal.ErrTampered},
		"another place":             {ctx, Acme, key(0), []byte("elsewhere"), sealed, seal.ErrTampered},
		"another key":               {ctx, Acme, key(1), []byte("place"), sealed, seal.ErrTampered},
		"a key that was never made": {ctx, Acme, key(2), []byte("place"), sealed, keyring.ErrNoKey},
		"another tenant's key":      {ctx, Other, key(0), []byte("place"), sealed, keyring.ErrNoKey},
		"a context that has ended":  {cancelled, Acme, key(2), nil, nil, context.Canceled},
	} {
		plain, err := k.Open(c.ctx, c.tenant, c.key, c.aad, c.sealed)
		if !errors.Is(err, c.want) || plain != nil {
			t.Errorf("%s: Open = %q, %v, want %v", name, plain, err, c.want)
		}
		if fault.KindOf(err) != fault.Internal {
			t.Errorf("%s: kind = %v, want Internal", name, fault.KindOf(err))
		}
	}
}

func refusesToSeal(t *testing.T, open Open) {
	k := Opened(t, open)
	if _, err := k.Seal(t.Context(), Acme, "", nil, nil); err == nil {
		t.Error("a key without a name was made")
	}
	if _, err := k.Seal(t.Context(), Acme, key(0), nil, make([]byte, seal.MaxPlain+1)); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("error = %v, want TooLarge", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.Seal(cancelled, Acme, key(9), nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error = %v", err)
	}
	if err := k.Destroy(cancelled, Acme, key(9)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error = %v", err)
	}
}

func firstUses(t *testing.T, open Open) {
	k := Opened(t, open)
	const writers, keys = 8, 3
	sealed := make([][keys][]byte, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range keys {
				b, err := k.Seal(t.Context(), Acme, key(i), nil, []byte("text"))
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
			if plain, err := k.Open(t.Context(), Acme, key(i), nil, b); err != nil || string(plain) != "text" {
				t.Errorf("what writer %d sealed under key %d: %q, %v", w, i, plain, err)
			}
		}
	}
}

func destroyed(t *testing.T, open Open) {
	k, ctx := Opened(t, open), t.Context()
	sealed := sealText(t, k, key(0), "", "text")
	if _, err := k.Seal(ctx, Other, key(0), nil, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := errors.Join(k.Destroy(ctx, Acme, key(0)), k.Destroy(ctx, Acme, "never-made")); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string) {
		for _, id := range []events.KeyID{key(0), "never-made"} {
			_, errSeal := k.Seal(ctx, Acme, id, nil, []byte("text"))
			_, errPrint := k.Fingerprint(ctx, Acme, id, []byte("text"))
			_, errOpen := k.Open(ctx, Acme, id, nil, sealed)
			for _, err := range []error{errSeal, errPrint, errOpen} {
				if !errors.Is(err, keyring.ErrErased) || !fault.Is(err, "context-erased") || fault.KindOf(err) != fault.Gone {
					t.Errorf("%s, %s: error = %v, want ErrErased", when, id, err)
				}
			}
		}
		if _, err := k.Seal(ctx, Acme, key(1), nil, []byte("text")); err != nil {
			t.Errorf("%s: the next generation: %v", when, err)
		}
		if _, err := k.Fingerprint(ctx, Other, key(0), nil); err != nil {
			t.Errorf("%s: another tenant's key of that name: %v", when, err)
		}
	}
	check("at once")
	closed(t, k)
	k = open(t, now)
	check("opened again")
}

func destroyedMeanwhile(t *testing.T, open Open) {
	k, ctx := Opened(t, open), t.Context()
	sealed := sealText(t, k, key(0), "", "text")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				if _, err := k.Open(ctx, Acme, key(0), nil, sealed); err != nil && !errors.Is(err, keyring.ErrErased) {
					t.Error(err)
				}
			}
		})
	}
	if err := k.Destroy(ctx, Acme, key(0)); err != nil {
		t.Error(err)
	}
	if _, err := k.Open(ctx, Acme, key(0), nil, sealed); !errors.Is(err, keyring.ErrErased) {
		t.Errorf("after Destroy: error = %v, want ErrErased", err)
	}
	wg.Wait()
	if _, err := k.Open(ctx, Acme, key(0), nil, sealed); !errors.Is(err, keyring.ErrErased) {
		t.Errorf("after all: error = %v, want ErrErased", err)
	}
}
