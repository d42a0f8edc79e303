package marks_test

import (
	"path/filepath"
	"testing"
	"time"

	"handoff/infra/marks"
	"handoff/infra/sqlitedb"
)

func TestMarks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "marks.db")
	db, err := sqlitedb.Open(t.Context(), path, sqlitedb.Options{Schema: marks.Schema})
	if err != nil {
		t.Fatal(err)
	}
	m := marks.New(db)
	want := func(name string, want time.Time) {
		t.Helper()
		if got, err := m.Mark(t.Context(), name); err != nil || !got.Equal(want) {
			t.Errorf("mark %s = %v, %v; want %v", name, got, err, want)
		}
	}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 1, time.UTC)
	want("a", time.Time{})
	for _, at := range []time.Time{noon, noon.Add(time.Hour)} {
		if err := m.SetMark(t.Context(), "a", at); err != nil {
			t.Fatal(err)
		}
		want("a", at)
	}
	want("b", time.Time{})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err = sqlitedb.Open(t.Context(), path, sqlitedb.Options{Schema: marks.Schema}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	m = marks.New(db)
	want("a", noon.Add(time.Hour))
}
