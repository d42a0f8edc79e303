package keyringtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/infra/keyring"
)

// apiKeys is what is promised of API keys.
var apiKeys = map[string]func(*testing.T, Open){
	"an issued key authenticates, also after the keyring is opened again":  authenticates,
	"a key that breaks a rule is not issued":                               refusesToIssue,
	"a bot has two valid keys on a connection at most":                     twoKeys,
	"of many keys of a bot issued at once two are":                         twoAtOnce,
	"a key is ensured once, until it is revoked":                           ensuresOne,
	"whatever proves nothing is refused, and says nothing to whom it must": refusesTokens,
	"keys are listed, renamed and revoked":                                 listsKeys,
	"a revoked key is refused at once": func(t *testing.T, open Open) {
		k := Opened(t, open)
		token, p := Issue(t, k, keyring.NewKey{Tenant: Acme, Role: identity.Admin})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 5 {
					if _, err := k.APIKeys().Authenticate(t.Context(), token); err != nil && !fault.Is(err, "key-revoked") {
						t.Error(err)
					}
				}
			})
		}
		if err := k.APIKeys().Revoke(t.Context(), Acme, p.ID); err != nil {
			t.Error(err)
		}
		for _, when := range []string{"after Revoke", "after all"} {
			if _, err := k.APIKeys().Authenticate(t.Context(), token); !fault.Is(err, "key-revoked") {
				t.Errorf("%s: error = %v, want key-revoked", when, err)
			}
			wg.Wait()
		}
	},
	"what is not there, or another tenant's, can't be changed": func(t *testing.T, open Open) {
		k := Opened(t, open)
		_, p := Issue(t, k, keyring.NewKey{Tenant: Acme, Role: identity.Admin})
		for name, err := range map[string]error{
			"revoke an unknown key":          k.APIKeys().Revoke(t.Context(), Acme, "aaaaaaaa"),
			"revoke a key of another tenant": k.APIKeys().Revoke(t.Context(), Other, p.ID),
			"rename a key of another tenant": k.APIKeys().Rename(t.Context(), Other, p.ID, "mine"),
		} {
			if !fault.Is(err, "key-not-found") {
				t.Errorf("%s: error = %v, want key-not-found", name, err)
			}
		}
		if err := k.APIKeys().Rename(t.Context(), Acme, p.ID, "\xff"); !fault.Is(err, "key-name-invalid") {
			t.Errorf("error = %v, want key-name-invalid", err)
		}
	},
}

func authenticates(t *testing.T, open Open) {
	k := Opened(t, open)
	tokens := map[string]identity.Principal{}
	for _, n := range []keyring.NewKey{
		{Tenant: Acme, Role: identity.Admin, Name: "Ada"},
		{Tenant: Acme, Role: identity.Bot, Connection: "store-bot", Name: "store bot"},
		{Tenant: Acme, Role: identity.Hub},
		{Tenant: Acme, Role: identity.Hub, Connection: "store-bot"},
		{Tenant: Other, Role: identity.Auditor, Expires: Start.Add(time.Hour)},
	} {
		token, p := Issue(t, k, n)
		if want := (identity.Principal{ID: p.ID, Tenant: n.Tenant, Role: n.Role, Connection: n.Connection, Name: n.Name}); p != want {
			t.Errorf("principal = %+v, want %+v", p, want)
		}
		if !strings.HasPrefix(token, "hk_"+p.ID+"_") {
			t.Errorf("token does not begin with the principal's id %s", p.ID)
		}
		tokens[token] = p
	}
	check := func() {
		for token, want := range tokens {
			if got, err := k.APIKeys().Authenticate(t.Context(), token); err != nil || got != want {
				t.Errorf("principal = %+v, %v, want %+v", got, err, want)
			}
		}
	}
	check()
	closed(t, k)
	k = open(t, now)
	check()
	check() // from memory
}

func refusesToIssue(t *testing.T, open Open) {
	k := Opened(t, open)
	for name, c := range map[string]struct {
		key  keyring.NewKey
		code string
	}{
		"a role that there isn't":            {keyring.NewKey{Tenant: Acme, Role: "root"}, "role-unknown"},
		"no role":                            {keyring.NewKey{Tenant: Acme}, "role-unknown"},
		"no tenant":                          {keyring.NewKey{Role: identity.Admin}, "tenant-not-found"},
		"a bot without a connection":         {keyring.NewKey{Tenant: Acme, Role: identity.Bot}, "key-connection-missing"},
		"an administrator of one connection": {keyring.NewKey{Tenant: Acme, Role: identity.Admin, Connection: "a"}, "key-connection-refused"},
		"an auditor of one connection":       {keyring.NewKey{Tenant: Acme, Role: identity.Auditor, Connection: "a"}, "key-connection-refused"},
		"a key that has expired":             {keyring.NewKey{Tenant: Acme, Role: identity.Admin, Expires: Start}, "key-expiry-past"},
		"a name that is too long":            {keyring.NewKey{Tenant: Acme, Role: identity.Admin, Name: strings.Repeat("x", 201)}, "key-name-invalid"},
		"a name that is no text":             {keyring.NewKey{Tenant: Acme, Role: identity.Admin, Name: "\xff"}, "key-name-invalid"},
	} {
		if token, _, err := k.APIKeys().Issue(t.Context(), c.key); !fault.Is(err, c.code) || token != "" {
			t.Errorf("%s: Issue = %q, %v, want %s", name, token, err, c.code)
		}
	}
}

func twoKeys(t *testing.T, open Open) {
	var clock atomic.Int64
	clock.Store(Start.UnixNano())
	k := openedAt(t, open, func() time.Time { return time.Unix(0, clock.Load()).UTC() })
	third := func() error { _, _, err := k.APIKeys().Issue(t.Context(), BotKey("store-bot")); return err }

	_, first := Issue(t, k, BotKey("store-bot"))
	expiring := BotKey("store-bot")
	expiring.Expires = Start.Add(time.Hour)
	Issue(t, k, expiring)
	if err := third(); !fault.Is(err, "too-many-keys") || fault.KindOf(err) != fault.Conflict {
		t.Fatalf("a third key: error = %v, want too-many-keys", err)
	}
	Issue(t, k, BotKey("another-bot"))
	Issue(t, k, keyring.NewKey{Tenant: Other, Role: identity.Bot, Connection: "store-bot"})
	for range 3 {
		Issue(t, k, keyring.NewKey{Tenant: Acme, Role: identity.Hub, Connection: "store-bot"})
	}
	if err := k.APIKeys().Revoke(t.Context(), Acme, first.ID); err != nil {
		t.Fatal(err)
	}
	if err := third(); err != nil {
		t.Fatalf("after one was revoked: %v", err)
	}
	if err := third(); !fault.Is(err, "too-many-keys") {
		t.Fatalf("error = %v, want too-many-keys", err)
	}
	clock.Store(Start.Add(time.Hour).UnixNano())
	if err := third(); err != nil {
		t.Fatalf("after one expired: %v", err)
	}
}

func twoAtOnce(t *testing.T, open Open) {
	k := Opened(t, open)
	var issued atomic.Int64
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			_, _, err := k.APIKeys().Issue(t.Context(), BotKey("store-bot"))
			if err == nil {
				issued.Add(1)
			} else if !fault.Is(err, "too-many-keys") {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all, err := k.APIKeys().List(t.Context(), Acme)
	if got := issued.Load(); got != 2 || len(all) != 2 || err != nil {
		t.Errorf("%d keys were issued, %d are listed (%v), want 2", got, len(all), err)
	}
}

func ensuresOne(t *testing.T, open Open) {
	k := Opened(t, open)
	keys, ctx := k.APIKeys(), t.Context()
	tokens := make(chan string, 6)
	var wg sync.WaitGroup
	for range cap(tokens) {
		wg.Go(func() {
			token, err := keys.EnsureKey(ctx, Acme, "store-bot", identity.Bot)
			if err != nil {
				t.Error(err)
			}
			if token != "" {
				tokens <- token
			}
		})
	}
	wg.Wait()
	if len(tokens) != 1 {
		t.Fatalf("%d tokens, want 1", len(tokens))
	}
	p, err := keys.Authenticate(ctx, <-tokens)
	if err != nil || p.Connection != "store-bot" || p.Role != identity.Bot {
		t.Errorf("principal = %+v, %v", p, err)
	}
	if token, err := keys.EnsureKey(ctx, Acme, "store-bot", identity.Hub); err != nil || token == "" {
		t.Errorf("for another role: %v", err)
	}
	if err := keys.Revoke(ctx, Acme, p.ID); err != nil {
		t.Fatal(err)
	}
	if token, err := keys.EnsureKey(ctx, Acme, "store-bot", identity.Bot); err != nil || token == "" {
		t.Errorf("after it was revoked: %v", err)
	}
	if _, err := keys.EnsureKey(ctx, Acme, "", identity.Bot); !fault.Is(err, "key-connection-missing") {
		t.Errorf("error = %v, want key-connection-missing", err)
	}
}

func refusesTokens(t *testing.T, open Open) {
	var clock atomic.Int64
	clock.Store(Start.UnixNano())
	k := openedAt(t, open, func() time.Time { return time.Unix(0, clock.Load()).UTC() })
	valid, _ := Issue(t, k, keyring.NewKey{Tenant: Acme, Role: identity.Admin})
	revoked, p := Issue(t, k, keyring.NewKey{Tenant: Acme, Role: identity.Admin})
	expired, _ := Issue(t, k, keyring.NewKey{Tenant: Acme, Role: identity.Admin, Expires: Start.Add(time.Second)})
	for _, token := range []string{valid, revoked, expired} { // so that all are in memory
		if _, err := k.APIKeys().Authenticate(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.APIKeys().Revoke(t.Context(), Acme, p.ID); err != nil {
		t.Fatal(err)
	}
	clock.Store(Start.Add(time.Second).UnixNano())
	otherSecret := func(token string) string { return token[:12] + strings.Repeat("a", 52) }
	for name, c := range map[string]struct{ token, code string }{
		"nothing":                              {"", "key-invalid"},
		"what is no token":                     {"Bearer " + valid, "key-invalid"},
		"the secret of another key":            {revoked[:12] + valid[12:], "key-invalid"},
		"an id that was never issued":          {"hk_aaaaaaaa" + valid[11:], "key-invalid"},
		"a valid key's id with another secret": {otherSecret(valid), "key-invalid"},
		"a revoked key's id, another secret":   {otherSecret(revoked), "key-invalid"},
		"an expired key's id, another secret":  {otherSecret(expired), "key-invalid"},
		"a revoked key":                        {revoked, "key-revoked"},
		"an expired key":                       {expired, "key-expired"},
	} {
		got, err := k.APIKeys().Authenticate(t.Context(), c.token)
		if !fault.Is(err, c.code) || fault.KindOf(err) != fault.Unauthenticated || got != (identity.Principal{}) {
			t.Errorf("%s: Authenticate = %+v, %v, want %s", name, got, err, c.code)
		}
	}
}

func listsKeys(t *testing.T, open Open) {
	var ticks atomic.Int64
	k := openedAt(t, open, func() time.Time { return Start.Add(time.Duration(ticks.Add(1)) * time.Millisecond) })
	token, first := Issue(t, k, keyring.NewKey{Tenant: Acme, Role: identity.Admin, Name: "Ada"})
	_, second := Issue(t, k, keyring.NewKey{Tenant: Acme, Role: identity.Hub, Expires: Start.Add(time.Hour)})
	Issue(t, k, keyring.NewKey{Tenant: Other, Role: identity.Admin})
	if _, err := k.APIKeys().Authenticate(t.Context(), token); err != nil { // so that it is in memory
		t.Fatal(err)
	}
	err := errors.Join(k.APIKeys().Rename(t.Context(), Acme, first.ID, "Ada L."), k.APIKeys().Revoke(t.Context(), Acme, second.ID))
	if err != nil {
		t.Fatal(err)
	}
	before := list(t.Context(), t, k)
	if ids := []string{before[0].ID, before[1].ID}; !slices.Equal(ids, []string{first.ID, second.ID}) {
		t.Fatalf("List = %q, want both keys of the tenant, the oldest first", ids)
	}
	if got := before[0]; got.Name != "Ada L." || !got.Revoked.IsZero() || !got.Expires.IsZero() || got.Created.IsZero() {
		t.Errorf("first = %+v", got)
	}
	if got := before[1]; got.Revoked.IsZero() || !got.Expires.Equal(Start.Add(time.Hour)) {
		t.Errorf("second = %+v", got)
	}
	if p, err := k.APIKeys().Authenticate(t.Context(), token); err != nil || p.Name != "Ada L." {
		t.Errorf("name = %q, %v, want the new one", p.Name, err)
	}
	if err := k.APIKeys().Revoke(t.Context(), Acme, second.ID); err != nil {
		t.Errorf("revoked again: %v", err)
	}
	if after := list(t.Context(), t, k); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("revoking again changed %v to %v", before, after)
	}
}

func list(ctx context.Context, t *testing.T, k *keyring.Keyring) []keyring.APIKey {
	t.Helper()
	all, err := k.APIKeys().List(ctx, Acme)
	if err != nil || len(all) != 2 {
		t.Fatalf("List = %+v, %v, want two keys", all, err)
	}
	return all
}
