package sqlitekeys_test

import (
	"sync"
	"testing"

	"handoff/domain/fault"
	"handoff/domain/identity"
	"handoff/infra/keyring"
	"handoff/tests/keyringtest"
)

func TestRevokedKeyIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	k := openAt(t, t.TempDir())
	for range 20 {
		token, p := keyringtest.Issue(t, k, keyring.NewKey{Tenant: "acme", Role: identity.Admin})
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
