package sqlitedb_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/infra/sqlitedb"
)

// readHere is set where this program runs as the second process of
// TestAnotherProcessReads.
var readHere = flag.String("read-here", "", "print the notes in the file at this path")

const schema = `CREATE TABLE IF NOT EXISTS notes (n INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT`

func open(t *testing.T, o sqlitedb.Options) (*sqlitedb.DB, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	return reopen(t, path, o), path
}

func reopen(t *testing.T, path string, o sqlitedb.Options) *sqlitedb.DB {
	t.Helper()
	if o.Schema == "" {
		o.Schema = schema
	}
	db, err := sqlitedb.Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return db
}

// note returns a job that writes one row.
func note(n int) func(*sqlite.Conn) error {
	return func(c *sqlite.Conn) error {
		return sqlitex.Execute(c, "INSERT INTO notes VALUES (?, ?)", &sqlitex.ExecOptions{Args: []any{n, "note " + strconv.Itoa(n)}})
	}
}

// notes returns the numbers of the rows that a reader sees, such as "1 2 5".
func notes(t *testing.T, db *sqlitedb.DB) string {
	t.Helper()
	s, err := list(t.Context(), db)
	if err != nil {
		t.Error(err)
	}
	return s
}

func list(ctx context.Context, db *sqlitedb.DB) (string, error) {
	var all []string
	err := db.Read(ctx, func(c *sqlite.Conn) error {
		return sqlitex.Execute(c, "SELECT n FROM notes ORDER BY n", &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
			all = append(all, s.ColumnText(0))
			return nil
		}})
	})
	return strings.Join(all, " "), err
}

func TestWhatIsWrittenIsThereAfterReopening(t *testing.T) {
	t.Parallel()
	db, path := open(t, sqlitedb.Options{})
	for n := range 3 {
		if err := db.Write(t.Context(), note(n)); err != nil {
			t.Fatal(err)
		}
		if got := notes(t, db); !strings.HasSuffix(got, strconv.Itoa(n)) {
			t.Fatalf("a read after a write sees %q", got)
		}
	}
	if err := errors.Join(db.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	if err := db.Write(t.Context(), note(9)); !errors.Is(err, sqlitedb.ErrClosed) {
		t.Errorf("Write = %v, want %v", err, sqlitedb.ErrClosed)
	}
	if err := db.Read(t.Context(), func(*sqlite.Conn) error { return nil }); err == nil {
		t.Error("Read after Close = nil")
	}
	if got := notes(t, reopen(t, path, sqlitedb.Options{})); got != "0 1 2" {
		t.Errorf("the file holds %q, want %q", got, "0 1 2")
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	garbage := filepath.Join(t.TempDir(), "garbage.db")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing.db")
	for sentence, c := range map[string]struct {
		path    string
		options sqlitedb.Options
	}{
		"a file that is no database":                  {garbage, sqlitedb.Options{}},
		"a file that is no database, read-only":       {garbage, sqlitedb.Options{ReadOnly: true}},
		"a schema that is no SQL":                     {filepath.Join(t.TempDir(), "a.db"), sqlitedb.Options{Schema: "CREATE NONSENSE"}},
		"a folder that is missing":                    {filepath.Join(missing, "a.db"), sqlitedb.Options{}},
		"a file that is missing, where it only reads": {missing, sqlitedb.Options{ReadOnly: true}},
	} {
		if db, err := sqlitedb.Open(t.Context(), c.path, c.options); err == nil {
			t.Errorf("%s: Open = nil", sentence)
			_ = db.Close()
		}
	}
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a read-only Open made a file: %v", err)
	}
}

func TestReadOnlyFollowsTheWriter(t *testing.T) {
	t.Parallel()
	db, path := open(t, sqlitedb.Options{})
	reader := reopen(t, path, sqlitedb.Options{ReadOnly: true})
	if err := db.Write(t.Context(), note(1)); err != nil {
		t.Fatal(err)
	}
	if got := notes(t, reader); got != "1" {
		t.Errorf("the reader sees %q, want %q", got, "1")
	}
	if err := reader.Write(t.Context(), note(2)); !errors.Is(err, sqlitedb.ErrReadOnly) {
		t.Errorf("Write = %v, want %v", err, sqlitedb.ErrReadOnly)
	}
	if err := reader.Truncate(t.Context()); !errors.Is(err, sqlitedb.ErrReadOnly) {
		t.Errorf("Truncate = %v, want %v", err, sqlitedb.ErrReadOnly)
	}
}

func TestReadersCannotWrite(t *testing.T) {
	t.Parallel()
	db, _ := open(t, sqlitedb.Options{})
	if err := db.Read(t.Context(), note(1)); err == nil {
		t.Error("a write on a reading connection = nil")
	}
	if got := notes(t, db); got != "" {
		t.Errorf("the file holds %q, want nothing", got)
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	db, _ := open(t, sqlitedb.Options{Readers: 1})
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Read(ctx, func(c *sqlite.Conn) error {
		return sqlitex.Execute(c, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n", &sqlitex.ExecOptions{
			ResultFunc: func(s *sqlite.Stmt) error {
				if s.ColumnInt(0) == 1000 {
					cancel()
				}
				return nil
			},
		})
	})
	if sqlite.ErrCode(err) != sqlite.ResultInterrupt {
		t.Errorf("Read = %v, want an interrupt", err)
	}
	err = db.Read(t.Context(), func(*sqlite.Conn) error {
		_, err := list(ctx, db)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Read without a free connection = %v, want %v", err, context.Canceled)
	}
	if got := notes(t, db); got != "" {
		t.Errorf("the next read sees %q, want nothing", got)
	}
}

func TestAnotherProcessReads(t *testing.T) {
	t.Parallel()
	if *readHere != "" {
		db, err := sqlitedb.Open(t.Context(), *readHere, sqlitedb.Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		t.Logf("notes: %s.", notes(t, db))
		return
	}
	db, path := open(t, sqlitedb.Options{})
	want := ""
	for n := range 3 {
		if err := db.Write(t.Context(), note(n)); err != nil {
			t.Fatal(err)
		}
		want = strings.TrimSpace(want + " " + strconv.Itoa(n))
		out, err := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-read-here="+path).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "notes: "+want+".") {
			t.Fatalf("the other process: %v, want %q in:\n%s", err, want, out)
		}
	}
}

func TestDeletedContentIsGone(t *testing.T) {
	t.Parallel()
	db, path := open(t, sqlitedb.Options{SecureDelete: true})
	secret := strings.Repeat("zyzzyva-", 4000)
	for _, sql := range []string{"INSERT INTO notes VALUES (1, '" + secret + "')", "INSERT INTO notes VALUES (2, 'kept')", "DELETE FROM notes WHERE n = 1"} {
		err := db.Write(t.Context(), func(c *sqlite.Conn) error { return sqlitex.ExecuteTransient(c, sql, nil) })
		if err != nil {
			t.Fatal(err)
		}
	}
	if !find(t, path, "zyzzyva") {
		t.Error("the secret was never in the files: the test shows nothing")
	}
	if err := db.Truncate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if find(t, path, "zyzzyva") {
		t.Error("the secret is in the files after it was deleted and the log truncated")
	}
	if !find(t, path, "kept") {
		t.Error("what was not deleted is gone too")
	}
}

// find reports whether a database file or its write-ahead log contains text.
func find(t *testing.T, path, text string) bool {
	t.Helper()
	for _, p := range []string{path, path + "-wal"} {
		b, err := os.ReadFile(p)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(text)) {
			return true
		}
	}
	return false
}

func TestTruncateGivesWayToAReader(t *testing.T) {
	t.Parallel()
	db, path := open(t, sqlitedb.Options{})
	if err := db.Write(t.Context(), note(1)); err != nil {
		t.Fatal(err)
	}
	err := db.Read(t.Context(), func(c *sqlite.Conn) (err error) {
		end, err := sqlitex.Transaction(c), sqlitex.Execute(c, "SELECT count(*) FROM notes", nil)
		defer end(&err)
		if err != nil {
			return err
		}
		if err := db.Write(t.Context(), note(2)); err != nil {
			t.Errorf("Write beside a reader = %v", err)
		}
		if err := db.Truncate(t.Context()); !errors.Is(err, sqlitedb.ErrBusy) {
			t.Errorf("Truncate beside a reader = %v, want %v", err, sqlitedb.ErrBusy)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Truncate(t.Context()); err != nil {
		t.Errorf("Truncate = %v", err)
	}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() != 0 {
		t.Errorf("the write-ahead log has %v bytes, %v, want 0", info.Size(), err)
	}
	if got := notes(t, db); got != "1 2" {
		t.Errorf("the file holds %q, want %q", got, "1 2")
	}
}
