package sqlitekeys_test

import (
	"testing"
	"time"

	"handoff/infra/keyring"
	"handoff/tests/keyringtest"
)

func TestSQLiteKeepsTheKeyringsPromises(t *testing.T) {
	t.Parallel()
	keyringtest.Run(t, func(t *testing.T) keyringtest.Open {
		t.Helper()
		dir := t.TempDir()
		return func(t testing.TB, now func() time.Time) *keyring.Keyring {
			t.Helper()
			return openDir(t, dir, now)
		}
	})
}
