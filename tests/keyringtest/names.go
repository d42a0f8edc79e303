package keyringtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/keyring"
)

// names is what is promised of tenants and of the names derived for them.
var names = map[string]func(*testing.T, Open){
	"names stay when the keyring is opened again": func(t *testing.T, open Open) {
		names := func() []string {
			k := Opened(t, open)
			defer closed(t, k)
			stream, errStream := k.StreamID(Acme, events.KindConversation, "store-bot", "Kx81c")
			ref, errRef := k.Ref(Acme, "email", "a@example.com")
			if err := errors.Join(errStream, errRef); err != nil {
				t.Fatal(err)
			}
			return []string{stream.String(), ref, k.SystemStreamID(events.KindReservation, "generic", "org", "app").String(), k.SystemRef("email", "a@example.com"), k.ID()}
		}
		if first, second := names(), names(); !slices.Equal(first, second) {
			t.Errorf("names = %v, then %v", first, second)
		}
	},
	"names of tenants, and of the system, differ": func(t *testing.T, open Open) {
		k := Opened(t, open)
		seen := map[string]bool{}
		for _, tenant := range []string{Acme, Other} {
			stream, errStream := k.StreamID(tenant, events.KindConversation, "a", "b")
			ref, errRef := k.Ref(tenant, "email", "a@example.com")
			if err := errors.Join(errStream, errRef); err != nil {
				t.Fatal(err)
			}
			seen[stream.String()], seen[ref] = true, true
		}
		seen[k.SystemStreamID(events.KindConversation, "a", "b").String()], seen[k.SystemRef("email", "a@example.com")], seen[k.ID()] = true, true, true
		if len(seen) != 7 {
			t.Errorf("%d different names, want 7", len(seen))
		}
	},
	"a tenant made at once by several is made once": func(t *testing.T, open Open) {
		k := open(t, now)
		streams := make([]events.StreamID, 4)
		var wg sync.WaitGroup
		for i := range streams {
			wg.Go(func() {
				err := k.EnsureTenant(t.Context(), "new")
				if err == nil {
					streams[i], err = k.StreamID("new", events.KindConversation, "a")
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if distinct := slices.Compact(slices.Clone(streams)); len(distinct) != 1 {
			t.Errorf("names = %v, want one", distinct)
		}
	},
	"tenants are listed, whatever they are called": func(t *testing.T, open Open) {
		k := open(t, now)
		want := []string{"Acme Inc.", "_", "a/b", "a_2fb", strings.Repeat("ü", 64)}
		for _, name := range want {
			if err := k.EnsureTenant(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		got, err := k.Tenants(t.Context())
		if slices.Sort(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("tenants = %q, %v, want %q", got, err, want)
		}
	},
	"a tenant without a proper name is refused": func(t *testing.T, open Open) {
		k := open(t, now)
		for _, name := range []string{"", strings.Repeat("x", 129), "\xff"} {
			if err := k.EnsureTenant(t.Context(), name); !fault.Is(err, "tenant-invalid") {
				t.Errorf("EnsureTenant(%q) = %v, want tenant-invalid", name, err)
			}
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := k.EnsureTenant(cancelled, "late"); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: error = %v", err)
		}
	},
	"nothing is done for a tenant that there isn't": func(t *testing.T, open Open) {
		k, ctx := Opened(t, open), t.Context()
		for name, call := range map[string]func() error{
			"StreamID":       func() error { _, err := k.StreamID("nobody", events.KindDelivery); return err },
			"Ref":            func() error { _, err := k.Ref("nobody", "l", "v"); return err },
			"Seal":           func() error { _, err := k.Seal(ctx, "nobody", "k", nil, nil); return err },
			"Open":           func() error { _, err := k.Open(ctx, "nobody", "k", nil, nil); return err },
			"Fingerprint":    func() error { _, err := k.Fingerprint(ctx, "nobody", "k", nil); return err },
			"Destroy":        func() error { return k.Destroy(ctx, "nobody", "k") },
			"PutSecret":      func() error { return k.PutSecret(ctx, "nobody", "n", nil) },
			"Secret":         func() error { _, err := k.Secret(ctx, "nobody", "n"); return err },
			"SecretVersions": func() error { _, err := k.SecretVersions(ctx, "nobody", "n"); return err },
			"DeleteSecret":   func() error { return k.DeleteSecret(ctx, "nobody", "n") },
			"no name":        func() error { _, err := k.StreamID("", events.KindDelivery); return err },
			"Issue": func() error {
				_, _, err := k.APIKeys().Issue(ctx, keyring.NewKey{Tenant: "nobody", Role: "admin"})
				return err
			},
		} {
			if err := call(); !fault.Is(err, "tenant-not-found") || fault.KindOf(err) != fault.NotFound {
				t.Errorf("%s: error = %v, want tenant-not-found", name, err)
			}
		}
	},
}

// key returns the n-th name of a key.
func key(n int) events.KeyID { return events.KeyID(fmt.Sprint("key.", n)) }
