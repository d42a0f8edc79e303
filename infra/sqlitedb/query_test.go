package sqlitedb_test

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/infra/sqlitedb"
)

func TestQueryStoresAndReadsEveryTypeOfArgument(t *testing.T) {
	t.Parallel()
	db, err := sqlitedb.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), sqlitedb.Options{Schema: "CREATE TABLE x (a, b, c, d, e, f, g)"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	at := time.Date(2026, 11, 22, 9, 10, 12, 4, time.UTC)
	err = db.Write(t.Context(), func(c *sqlite.Conn) error {
		return sqlitedb.Exec(c, "INSERT INTO x VALUES (?, ?, ?, ?, ?, ?, ?)", "text", []byte{1, 2}, 3, int64(4), true, at, time.Time{})
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	err = db.Read(t.Context(), func(c *sqlite.Conn) error {
		return sqlitedb.Query(c, "SELECT * FROM x WHERE a = ?", func(s *sqlite.Stmt) {
			rows++
			b := make([]byte, s.ColumnLen(1))
			s.ColumnBytes(1, b)
			if !bytes.Equal(b, []byte{1, 2}) || s.ColumnInt(2) != 3 || s.ColumnInt64(3) != 4 || !s.ColumnBool(4) ||
				!sqlitedb.Instant(s.ColumnInt64(5)).Equal(at) || !sqlitedb.Instant(s.ColumnInt64(6)).IsZero() {
				t.Errorf("row = %v %d %d %t %d %d", b, s.ColumnInt(2), s.ColumnInt64(3), s.ColumnBool(4), s.ColumnInt64(5), s.ColumnInt64(6))
			}
		}, "text")
	})
	if err != nil || rows != 1 {
		t.Errorf("rows = %d, %v, want 1", rows, err)
	}
}
