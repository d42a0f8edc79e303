// Package keyringtest holds the suite that the keyring passes on every store:
// what infra/keyring promises, one sentence per test.
package keyringtest

import (
	"testing"
	"time"

	"handoff/domain/identity"
	"handoff/infra/keyring"
)

// Start is the time at which tests begin.
var Start = time.Date(2026, 11, 22, 9, 10, 12, 0, time.UTC)

// Tenants are those that Opened makes.
const (
	Acme  = "acme"
	Other = "other"
)

// Open opens the keyring in one store. It is called again only after what it
// returned before is closed.
type Open func(t testing.TB, now func() time.Time) *keyring.Keyring

// Run tests the keyring in stores made by store. Each test uses an empty one of
// its own.
func Run(t *testing.T, store func(t *testing.T) Open) {
	t.Helper()
	for _, group := range []map[string]func(*testing.T, Open){names, conversations, apiKeys, secrets} {
		for sentence, test := range group {
			t.Run(sentence, func(t *testing.T) {
				t.Parallel()
				test(t, store(t))
			})
		}
	}
	for sentence, test := range transfers {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			test(t, store(t), store(t))
		})
	}
}

// Opened opens a keyring at Start, with two tenants.
func Opened(t testing.TB, open Open) *keyring.Keyring {
	t.Helper()
	return openedAt(t, open, now)
}

func now() time.Time { return Start }

func openedAt(t testing.TB, open Open, now func() time.Time) *keyring.Keyring {
	t.Helper()
	k := open(t, now)
	for _, tenant := range []string{Acme, Other} {
		if err := k.EnsureTenant(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

func closed(t testing.TB, k *keyring.Keyring) {
	t.Helper()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
}

// Issue makes an API key.
func Issue(t testing.TB, k *keyring.Keyring, n keyring.NewKey) (string, identity.Principal) {
	t.Helper()
	token, p, err := k.APIKeys().Issue(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return token, p
}

// BotKey asks for the key of a bot on a connection of Acme.
func BotKey(connection string) keyring.NewKey {
	return keyring.NewKey{Tenant: Acme, Role: identity.Bot, Connection: connection}
}
