package sqlitekeys_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/events"
	"handoff/infra/keyring"
	"handoff/infra/keyring/sqlitekeys"
)

var start = time.Date(2026, 11, 22, 9, 10, 12, 0, time.UTC)

func master(t testing.TB, seed byte) keyring.MasterKey {
	t.Helper()
	m, err := keyring.NewMasterKey(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// openAt opens the keyring in dir with tenants acme and other.
func openAt(t testing.TB, dir string) *keyring.Keyring {
	t.Helper()
	return openWith(t, dir, func() time.Time { return start })
}

func openWith(t testing.TB, dir string, now func() time.Time) *keyring.Keyring {
	t.Helper()
	k := openDir(t, dir, now)
	for _, tenant := range []string{"acme", "other"} {
		if err := k.EnsureTenant(context.Background(), tenant); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

func openDir(t testing.TB, dir string, now func() time.Time) *keyring.Keyring {
	t.Helper()
	k, err := sqlitekeys.Open(context.Background(), dir, master(t, 1), now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// reader opens keys.db as another process would that only looks.
func reader(t testing.TB, dir string) *sqlite.Conn {
	t.Helper()
	c, err := sqlite.OpenConn(filepath.Join(dir, keyring.FileName), sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// tamper changes keys.db while no keyring has it open.
func tamper(t testing.TB, dir, sql string) {
	t.Helper()
	c, err := sqlite.OpenConn(filepath.Join(dir, keyring.FileName), sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sqlitex.ExecuteScript(c, sql, nil), c.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	made := t.TempDir()
	if err := openAt(t, made).Close(); err != nil {
		t.Fatal(err)
	}
	noDatabase := t.TempDir()
	if err := os.WriteFile(filepath.Join(noDatabase, keyring.FileName), []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dir    string
		master keyring.MasterKey
		want   string
	}{
		"another master key":           {made, master(t, 2), "another master key"},
		"no master key":                {made, keyring.MasterKey{}, "no master key"},
		"a directory that isn't there": {filepath.Join(made, "missing"), master(t, 1), "no such file"},
		"a file that is no database":   {noDatabase, master(t, 1), "open the keyring"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, err := sqlitekeys.Open(t.Context(), c.dir, c.master, time.Now)
			if err == nil {
				t.Fatal(errors.Join(errors.New("it opened"), k.Close()))
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want it to contain %q", err, c.want)
			}
			if got := errors.Is(err, keyring.ErrWrongMasterKey); got != (name == "another master key") {
				t.Errorf("errors.Is(err, ErrWrongMasterKey) = %v", got)
			}
		})
	}
}

func TestOpenRefusesTenantsThatWereChanged(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"a naming secret of another tenant":   "UPDATE tenants SET naming = (SELECT naming FROM tenants WHERE name = 'other') WHERE name = 'acme'",
		"a wrapping secret of another tenant": "UPDATE tenants SET wrapping = (SELECT wrapping FROM tenants WHERE name = 'other') WHERE name = 'acme'",
		"a tenant with another's name":        "UPDATE tenants SET name = 'third' WHERE name = 'acme'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := openAt(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
			tamper(t, dir, sql)
			if k, err := sqlitekeys.Open(t.Context(), dir, master(t, 1), time.Now); err == nil {
				t.Fatal(errors.Join(errors.New("it opened"), k.Close()))
			}
		})
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openAt(t, dir)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s has mode %#o, want 0600", f.Name(), got)
		}
	}
}

func TestNamesOfTenantsDiffer(t *testing.T) {
	t.Parallel()
	k, elsewhere := openAt(t, t.TempDir()), openAt(t, t.TempDir())
	seen := map[string]bool{}
	for _, ring := range []*keyring.Keyring{k, elsewhere} {
		for _, tenant := range []string{"acme", "other"} {
			stream, errStream := ring.StreamID(tenant, events.KindConversation, "a", "b")
			ref, errRef := ring.Ref(tenant, "email", "a@example.com")
			if err := errors.Join(errStream, errRef); err != nil {
				t.Fatal(err)
			}
			seen[stream.String()], seen[ref] = true, true
		}
		seen[ring.SystemStreamID(events.KindConversation, "a", "b").String()], seen[ring.ID()] = true, true
	}
	if len(seen) != 12 {
		t.Errorf("%d different names, want 12", len(seen))
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	k := openAt(t, t.TempDir())
	ctx := t.Context()
	sealed, err := k.Seal(ctx, "acme", "key.0", nil, []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(k.Close(), k.Close()); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Open with a key that was in memory": func() error { _, err := k.Open(ctx, "acme", "key.0", nil, sealed); return err },
		"Seal with a new key":                func() error { _, err := k.Seal(ctx, "acme", "key.1", nil, nil); return err },
		"Destroy":                            func() error { return k.Destroy(ctx, "acme", "key.0") },
		"PutSecret":                          func() error { return k.PutSecret(ctx, "acme", "n", nil) },
		"Secret":                             func() error { _, err := k.Secret(ctx, "acme", "n"); return err },
		"EnsureTenant":                       func() error { return k.EnsureTenant(ctx, "new") },
		"List":                               func() error { _, err := k.APIKeys().List(ctx, "acme"); return err },
		"Revoke":                             func() error { return k.APIKeys().Revoke(ctx, "acme", "x") },
	} {
		if call() == nil {
			t.Errorf("%s works after Close", name)
		}
	}
}
