package bootstrap_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/functions/bootstrap"
	"handoff/infra/keyring"
	"handoff/infra/keyring/sqlitekeys"
)

// stack returns the function over an empty keyring.
func stack(t *testing.T) (*bootstrap.Handler, *keyring.Keyring) {
	t.Helper()
	master, err := keyring.NewMasterKey([]byte(strings.Repeat("m", 32)))
	if err != nil {
		t.Fatal(err)
	}
	k, err := sqlitekeys.Open(t.Context(), t.TempDir(), master, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bootstrap.Handler{Tenants: k, Keys: k.APIKeys(), Tenant: "default"}, k
}

func call(t *testing.T, h *bootstrap.Handler, r bootstrap.Request) bootstrap.Answer {
	t.Helper()
	a, err := h.Handle(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if a.Message == "" {
		t.Error("the answer says nothing to people")
	}
	return a
}

func administers(t *testing.T, k *keyring.Keyring, token, tenant string) {
	t.Helper()
	p, err := k.APIKeys().Authenticate(t.Context(), token)
	if err != nil || p.Role != identity.Admin || p.Tenant != tenant || p.Connection != "" {
		t.Errorf("the key is one of %+v, %v, want an administrator of %s", p, err, tenant)
	}
}

func TestAStackIsSetUpOnce(t *testing.T) {
	t.Parallel()
	h, k := stack(t)
	event, err := os.ReadFile("testdata/event.json")
	if err != nil {
		t.Fatal(err)
	}
	var r bootstrap.Request
	if err := json.Unmarshal(event, &r); err != nil {
		t.Fatal(err)
	}
	first := call(t, h, r)
	administers(t, k, first.APIKey, "default")
	if again := call(t, h, bootstrap.Request{}); again.APIKey != "" || again.Tenant != "default" || again.Message == first.Message {
		t.Errorf("called again: %+v, want no key", again)
	}
	administers(t, k, first.APIKey, "default")
	other := call(t, h, bootstrap.Request{Tenant: "other"})
	administers(t, k, other.APIKey, "other")
}

func TestAKeyThatWasLostIsReplaced(t *testing.T) {
	t.Parallel()
	h, k := stack(t)
	lost := call(t, h, bootstrap.Request{})
	another := call(t, h, bootstrap.Request{Replace: true})
	administers(t, k, another.APIKey, "default")
	if another.APIKey == lost.APIKey {
		t.Error("it is the same key")
	}
	all, err := k.APIKeys().List(t.Context(), "default")
	if err != nil || len(all) != 2 {
		t.Fatalf("%d keys, %v, want 2", len(all), err)
	}
	for _, a := range all {
		if err := k.APIKeys().Revoke(t.Context(), "default", a.ID); err != nil {
			t.Fatal(err)
		}
	}
	administers(t, k, call(t, h, bootstrap.Request{}).APIKey, "default")
}

func TestOfSeveralCallsAtOnceOneGetsTheKey(t *testing.T) {
	t.Parallel()
	h, _ := stack(t)
	keys := make(chan string, 8)
	var wg sync.WaitGroup
	for range cap(keys) {
		wg.Go(func() {
			a, err := h.Handle(t.Context(), bootstrap.Request{})
			if err != nil {
				t.Error(err)
			}
			if a.APIKey != "" {
				keys <- a.APIKey
			}
		})
	}
	wg.Wait()
	if len(keys) != 1 {
		t.Errorf("%d calls got a key, want 1", len(keys))
	}
}

// broken fails at one step.
type broken struct{ tenants, keys error }

func (b broken) EnsureTenant(context.Context, string) error { return b.tenants }

func (b broken) EnsureKey(context.Context, string, string, identity.Role) (string, error) {
	return "", b.keys
}

func (b broken) Issue(context.Context, identity.NewKey) (string, identity.Principal, error) {
	return "", identity.Principal{}, b.keys
}

func TestWhatFailsIsTold(t *testing.T) {
	t.Parallel()
	away := errors.New("the table is away")
	for sentence, c := range map[string]struct {
		with broken
		r    bootstrap.Request
	}{
		"no tenant":       {broken{tenants: away}, bootstrap.Request{}},
		"no key":          {broken{keys: away}, bootstrap.Request{}},
		"no key in place": {broken{keys: away}, bootstrap.Request{Replace: true}},
	} {
		h := bootstrap.Handler{Tenants: c.with, Keys: c.with, Tenant: "default"}
		if a, err := h.Handle(t.Context(), c.r); !errors.Is(err, away) || a != (bootstrap.Answer{}) {
			t.Errorf("%s: Handle = %+v, %v", sentence, a, err)
		}
	}
	h, _ := stack(t)
	if _, err := h.Handle(t.Context(), bootstrap.Request{Tenant: "\xff"}); !fault.Is(err, "tenant-invalid") {
		t.Errorf("error = %v, want tenant-invalid", err)
	}
}
