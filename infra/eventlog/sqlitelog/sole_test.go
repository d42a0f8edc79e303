package sqlitelog_test

import (
	"path/filepath"
	"testing"

	"handoff/infra/eventlog"
	"handoff/infra/eventlog/sqlitelog"
	"handoff/infra/sqlitedb"
	"handoff/tests/eventlogtest"
)

// TestTheSuiteHoldsForALogThatKeepsItsHeads: what is kept in memory must be
// seen by nobody but in the time it takes.
func TestTheSuiteHoldsForALogThatKeepsItsHeads(t *testing.T) {
	t.Parallel()
	eventlogtest.Run(t, func(t *testing.T) eventlog.Log {
		t.Helper()
		db, err := sqlitedb.Open(t.Context(), filepath.Join(t.TempDir(), "handoff.db"), sqlitedb.Options{Schema: sqlitelog.Schema})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		log, err := sqlitelog.NewSole(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		return log
	})
}
