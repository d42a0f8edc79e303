package sqlitelog_test

import (
	"path/filepath"
	"testing"

	"handoff/infra/eventlog"
	"handoff/infra/eventlog/sqlitelog"
	"handoff/infra/sqlitedb"
	"handoff/tests/eventlogtest"
)

func TestLog(t *testing.T) {
	t.Parallel()
	eventlogtest.Run(t, func(t *testing.T) eventlog.Log { return open(t, filepath.Join(t.TempDir(), "handoff.db")) })
}

// open returns the log in a file, which is closed at the end of the test.
func open(t testing.TB, path string) *sqlitelog.Log {
	t.Helper()
	db, err := sqlitedb.Open(t.Context(), path, sqlitedb.Options{Schema: sqlitelog.Schema})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	log, err := sqlitelog.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return log
}
