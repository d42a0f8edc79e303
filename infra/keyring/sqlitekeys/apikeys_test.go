package sqlitekeys_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/infra/keyring"
)

func issue(t testing.TB, k *keyring.Keyring, n keyring.NewKey) (string, identity.Principal) {
	t.Helper()
	token, p, err := k.APIKeys().Issue(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return token, p
}

func botKey(connection string) keyring.NewKey {
	return keyring.NewKey{Tenant: "acme", Role: identity.Bot, Connection: connection}
}

func TestIssuedKeyAuthenticates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := openAt(t, dir)
	tokens := map[string]identity.Principal{}
	for _, n := range []keyring.NewKey{
		{Tenant: "acme", Role: identity.Admin, Name: "Ada"},
		{Tenant: "acme", Role: identity.Bot, Connection: "store-bot", Name: "store bot"},
		{Tenant: "acme", Role: identity.Hub},
		{Tenant: "acme", Role: identity.Hub, Connection: "store-bot"},
		{Tenant: "other", Role: identity.Auditor, Expires: start.Add(time.Hour)},
	} {
		token, p := issue(t, k, n)
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
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	k = openAt(t, dir)
	check()
	check() // from memory
}

func TestIssueRefuses(t *testing.T) {
	t.Parallel()
	k := openAt(t, t.TempDir())
	for name, c := range map[string]struct {
		key  keyring.NewKey
		code string
	}{
		"a role that there isn't":            {keyring.NewKey{Tenant: "acme", Role: "root"}, "role-unknown"},
		"no role":                            {keyring.NewKey{Tenant: "acme"}, "role-unknown"},
		"no tenant":                          {keyring.NewKey{Role: identity.Admin}, "tenant-not-found"},
		"a bot without a connection":         {keyring.NewKey{Tenant: "acme", Role: identity.Bot}, "key-connection-missing"},
		"an administrator of one connection": {keyring.NewKey{Tenant: "acme", Role: identity.Admin, Connection: "a"}, "key-connection-refused"},
		"an auditor of one connection":       {keyring.NewKey{Tenant: "acme", Role: identity.Auditor, Connection: "a"}, "key-connection-refused"},
		"a key that has expired":             {keyring.NewKey{Tenant: "acme", Role: identity.Admin, Expires: start}, "key-expiry-past"},
		"a name that is too long":            {keyring.NewKey{Tenant: "acme", Role: identity.Admin, Name: strings.Repeat("x", 201)}, "key-name-invalid"},
		"a name that is no text":             {keyring.NewKey{Tenant: "acme", Role: identity.Admin, Name: "\xff"}, "key-name-invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if token, _, err := k.APIKeys().Issue(t.Context(), c.key); !fault.Is(err, c.code) || token != "" {
				t.Errorf("Issue = %q, %v, want %s", token, err, c.code)
			}
		})
	}
}

func TestBotHasTwoValidKeysAtMost(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(start.UnixNano())
	k := openWith(t, t.TempDir(), func() time.Time { return time.Unix(0, now.Load()).UTC() })
	keys := k.APIKeys()
	third := func() error { _, _, err := keys.Issue(t.Context(), botKey("store-bot")); return err }

	_, first := issue(t, k, botKey("store-bot"))
	expiring := botKey("store-bot")
	expiring.Expires = start.Add(time.Hour)
	issue(t, k, expiring)
	if err := third(); !fault.Is(err, "too-many-keys") || fault.KindOf(err) != fault.Conflict {
		t.Fatalf("a third key: error = %v, want too-many-keys", err)
	}
	issue(t, k, botKey("another-bot"))
	issue(t, k, keyring.NewKey{Tenant: "other", Role: identity.Bot, Connection: "store-bot"})
	for range 3 {
		issue(t, k, keyring.NewKey{Tenant: "acme", Role: identity.Hub, Connection: "store-bot"})
	}
	if err := keys.Revoke(t.Context(), "acme", first.ID); err != nil {
		t.Fatal(err)
	}
	if err := third(); err != nil {
		t.Fatalf("after one was revoked: %v", err)
	}
	if err := third(); !fault.Is(err, "too-many-keys") {
		t.Fatalf("error = %v, want too-many-keys", err)
	}
	now.Store(start.Add(time.Hour).UnixNano())
	if err := third(); err != nil {
		t.Fatalf("after one expired: %v", err)
	}
}

func TestBotKeysIssuedAtOnce(t *testing.T) {
	t.Parallel()
	k := openAt(t, t.TempDir())
	var issued atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			_, _, err := k.APIKeys().Issue(t.Context(), botKey("store-bot"))
			if err == nil {
				issued.Add(1)
			} else if !fault.Is(err, "too-many-keys") {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := issued.Load(); got != 2 {
		t.Errorf("%d keys were issued, want 2", got)
	}
}

func TestEnsureKeyIssuesOne(t *testing.T) {
	t.Parallel()
	k := openAt(t, t.TempDir())
	tokens := make(chan string, 16)
	var wg sync.WaitGroup
	for range cap(tokens) {
		wg.Go(func() {
			token, err := k.APIKeys().EnsureKey(t.Context(), "acme", "store-bot", identity.Bot)
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
	p, err := k.APIKeys().Authenticate(t.Context(), <-tokens)
	if err != nil || p.Connection != "store-bot" || p.Role != identity.Bot {
		t.Errorf("principal = %+v, %v", p, err)
	}
	if token, err := k.APIKeys().EnsureKey(t.Context(), "acme", "store-bot", identity.Hub); err != nil || token == "" {
		t.Errorf("for another role: %v", err)
	}
	if err := k.APIKeys().Revoke(t.Context(), "acme", p.ID); err != nil {
		t.Fatal(err)
	}
	if token, err := k.APIKeys().EnsureKey(t.Context(), "acme", "store-bot", identity.Bot); err != nil || token == "" {
		t.Errorf("after it was revoked: %v", err)
	}
	if _, err := k.APIKeys().EnsureKey(t.Context(), "acme", "", identity.Bot); !fault.Is(err, "key-connection-missing") {
		t.Errorf("error = %v, want key-connection-missing", err)
	}
}

func TestAuthenticateRefuses(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(start.UnixNano())
	k := openWith(t, t.TempDir(), func() time.Time { return time.Unix(0, now.Load()).UTC() })
	valid, _ := issue(t, k, keyring.NewKey{Tenant: "acme", Role: identity.Admin})
	revoked, p := issue(t, k, keyring.NewKey{Tenant: "acme", Role: identity.Admin})
	expired, _ := issue(t, k, keyring.NewKey{Tenant: "acme", Role: identity.Admin, Expires: start.Add(time.Second)})
	for _, token := range []string{valid, revoked, expired} { // so that all are in memory
		if _, err := k.APIKeys().Authenticate(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.APIKeys().Revoke(t.Context(), "acme", p.ID); err != nil {
		t.Fatal(err)
	}
	now.Store(start.Add(time.Second).UnixNano())
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
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := k.APIKeys().Authenticate(t.Context(), c.token)
			if !fault.Is(err, c.code) || fault.KindOf(err) != fault.Unauthenticated || got != (identity.Principal{}) {
				t.Errorf("Authenticate = %+v, %v, want %s", got, err, c.code)
			}
		})
	}
}

func TestRevokedKeyIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	k := openAt(t, t.TempDir())
	for range 20 {
		token, p := issue(t, k, keyring.NewKey{Tenant: "acme", Role: identity.Admin})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					if _, err := k.APIKeys().Authenticate(t.Context(), token); err != nil && !fault.Is(err, "key-revoked") {
						t.Error(err)
					}
				}
			})
		}
		if err := k.APIKeys().Revoke(t.Context(), "acme", p.ID); err != nil {
			t.Error(err)
		}
		if _, err := k.APIKeys().Authenticate(t.Context(), token); !fault.Is(err, "key-revoked") {
			t.Errorf("after Revoke: error = %v, want key-revoked", err)
		}
		wg.Wait()
		if _, err := k.APIKeys().Authenticate(t.Context(), token); !fault.Is(err, "key-revoked") {
			t.Errorf("after all: error = %v, want key-revoked", err)
		}
	}
}

func TestListRenameRevoke(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	k := openWith(t, t.TempDir(), func() time.Time { return start.Add(time.Duration(now.Add(1)) * time.Second) })
	keys := k.APIKeys()
	token, first := issue(t, k, keyring.NewKey{Tenant: "acme", Role: identity.Admin, Name: "Ada"})
	_, second := issue(t, k, keyring.NewKey{Tenant: "acme", Role: identity.Hub, Expires: start.Add(time.Hour)})
	issue(t, k, keyring.NewKey{Tenant: "other", Role: identity.Admin})
	if _, err := keys.Authenticate(t.Context(), token); err != nil { // so that it is in memory
		t.Fatal(err)
	}
	err := errors.Join(keys.Rename(t.Context(), "acme", first.ID, "Ada L."), keys.Revoke(t.Context(), "acme", second.ID))
	if err != nil {
		t.Fatal(err)
	}
	before, err := keys.List(t.Context(), "acme")
	if err != nil || len(before) != 2 || before[0].ID != first.ID || before[1].ID != second.ID {
		t.Fatalf("List = %+v, %v, want both keys of the tenant, the oldest first", before, err)
	}
	if got := before[0]; got.Name != "Ada L." || !got.Revoked.IsZero() || !got.Expires.IsZero() || got.Created.IsZero() {
		t.Errorf("first = %+v", got)
	}
	if got := before[1]; got.Revoked.IsZero() || !got.Expires.Equal(start.Add(time.Hour)) {
		t.Errorf("second = %+v", got)
	}
	if p, err := keys.Authenticate(t.Context(), token); err != nil || p.Name != "Ada L." {
		t.Errorf("name = %q, %v, want the new one", p.Name, err)
	}
	if err := keys.Revoke(t.Context(), "acme", second.ID); err != nil {
		t.Errorf("revoked again: %v", err)
	}
	after, err := keys.List(t.Context(), "acme")
	if err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("revoking again changed %v to %v, %v", before, after, err)
	}
}

func TestKeysThatAreNotThere(t *testing.T) {
	t.Parallel()
	k := openAt(t, t.TempDir())
	_, p := issue(t, k, keyring.NewKey{Tenant: "acme", Role: identity.Admin})
	for name, call := range map[string]func() error{
		"revoke an unknown key":          func() error { return k.APIKeys().Revoke(t.Context(), "acme", "aaaaaaaa") },
		"revoke a key of another tenant": func() error { return k.APIKeys().Revoke(t.Context(), "other", p.ID) },
		"rename a key of another tenant": func() error { return k.APIKeys().Rename(t.Context(), "other", p.ID, "mine") },
	} {
		if err := call(); !fault.Is(err, "key-not-found") {
			t.Errorf("%s: error = %v, want key-not-found", name, err)
		}
	}
	if err := k.APIKeys().Rename(t.Context(), "acme", p.ID, "\xff"); !fault.Is(err, "key-name-invalid") {
		t.Errorf("error = %v, want key-name-invalid", err)
	}
}
