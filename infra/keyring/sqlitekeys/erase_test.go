package sqlitekeys_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/keyring"
)

// files returns every byte of every file in dir.
func files(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = b
	}
	return all
}

func contains(t testing.TB, dir string, what []byte) (where []string) {
	t.Helper()
	for name, b := range files(t, dir) {
		if bytes.Contains(b, what) {
			where = append(where, name)
		}
	}
	return where
}

// wrappedKeys returns the bytes that stand for each key in keys.db.
func wrappedKeys(t testing.TB, dir string) map[events.KeyID][]byte {
	t.Helper()
	c, all := reader(t, dir), map[events.KeyID][]byte{}
	err := sqlitex.ExecuteTransient(c, "SELECT key, wrapped FROM conversation_keys WHERE erased = 0", &sqlitex.ExecOptions{
		ResultFunc: func(s *sqlite.Stmt) error {
			b := make([]byte, s.ColumnLen(1))
			s.ColumnBytes(1, b)
			all[events.KeyID(s.ColumnText(0))] = b
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sealMany makes keys in no order, as those of conversations come, and keeps
// what was sealed beside the keyring, as the log would.
func sealMany(t testing.TB, k *keyring.Keyring, dir string, n int) {
	t.Helper()
	var log bytes.Buffer
	for i := range n {
		stream, err := k.StreamID("acme", events.KindConversation, fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := k.Seal(t.Context(), "acme", events.NewKeyID(stream, 0), nil, []byte("my card was stolen in Utrecht"))
		if err != nil {
			t.Fatal(err)
		}
		log.Write(sealed)
	}
	if err := os.WriteFile(filepath.Join(dir, "handoff.db"), log.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDestroyLeavesNoByte(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := openAt(t, dir)
	sealMany(t, k, dir, 1500) // many pages, so that they are split
	wrapped := wrappedKeys(t, dir)
	if len(wrapped) != 1500 {
		t.Fatalf("%d keys, want 1500", len(wrapped))
	}
	destroyed := 0
	for key, b := range wrapped {
		if len(contains(t, dir, b)) == 0 {
			t.Fatalf("key %s is in no file before it is destroyed: the test looks for the wrong thing", key)
		}
		if err := k.Destroy(t.Context(), "acme", key); err != nil {
			t.Fatal(err)
		}
		if where := contains(t, dir, b); where != nil {
			t.Fatalf("destroyed key %s is still in %v", key, where)
		}
		if destroyed++; destroyed == 60 {
			break
		}
	}
	if where := contains(t, dir, []byte("Utrecht")); where != nil {
		t.Errorf("the text is in %v", where)
	}
	if got := len(wrappedKeys(t, dir)); got != 1500-destroyed {
		t.Errorf("%d keys are left, want %d", got, 1500-destroyed)
	}
}

func TestDestroyWithAReaderInTheWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := openAt(t, dir)
	sealMany(t, k, dir, 3)
	wrapped := wrappedKeys(t, dir)

	inTheWay := reader(t, dir)
	end, err := beginRead(inTheWay)
	if err != nil {
		t.Fatal(err)
	}
	var key events.KeyID
	for key = range wrapped {
		break
	}
	if err := k.Destroy(t.Context(), "acme", key); !fault.Is(err, "erase-unfinished") || fault.KindOf(err).Permanent() {
		t.Fatalf("error = %v, want erase-unfinished", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := k.Destroy(short, "acme", key); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error = %v, want that of a context that has ended", err)
	}
	if _, err := k.Seal(t.Context(), "acme", key, nil, nil); err == nil {
		t.Error("the key is used although its destruction has begun")
	}

	// A crash here: what it leaves is put right when the keyring is opened.
	crashed := t.TempDir()
	for name, b := range files(t, dir) {
		if err := os.WriteFile(filepath.Join(crashed, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if contains(t, crashed, wrapped[key]) == nil {
		t.Error("nothing was left to put right: the test shows nothing")
	}
	openAt(t, crashed)
	if where := contains(t, crashed, wrapped[key]); where != nil {
		t.Errorf("after a crash the destroyed key is still in %v", where)
	}

	if err := end(); err != nil {
		t.Fatal(err)
	}
	if err := k.Destroy(t.Context(), "acme", key); err != nil {
		t.Fatal(err)
	}
	if where := contains(t, dir, wrapped[key]); where != nil {
		t.Errorf("the destroyed key is still in %v", where)
	}
}

// beginRead holds a read transaction until the function that it returns is
// called.
func beginRead(c *sqlite.Conn) (end func() error, err error) {
	if err := sqlitex.ExecuteTransient(c, "BEGIN", nil); err != nil {
		return nil, err
	}
	end = func() error { return sqlitex.ExecuteTransient(c, "ROLLBACK", nil) }
	return end, sqlitex.ExecuteTransient(c, "SELECT count(*) FROM conversation_keys", nil)
}
