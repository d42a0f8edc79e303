package sqlitelog_test

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

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

// TestNoHeadIsKeptThatAnotherAppendOvertook: of two appends to a stream, the one
// that was stored first may be the last to hear of it.
func TestNoHeadIsKeptThatAnotherAppendOvertook(t *testing.T) {
	t.Parallel()
	db, err := sqlitedb.Open(t.Context(), filepath.Join(t.TempDir(), "handoff.db"), sqlitedb.Options{Schema: sqlitelog.Schema, UnsafeNoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	log, err := sqlitelog.NewSole(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	stream := uuid.New()
	var stored atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range 300 {
				snap, err := log.Load(t.Context(), stream)
				if err != nil {
					t.Error(err)
					return
				}
				_, err = log.Append(t.Context(), eventlogtest.Commit(stream, uuid.NewString(), snap.Head, eventlogtest.Facts(i, 1)...))
				if err == nil {
					stored.Add(1)
				}
			}
		})
	}
	wg.Wait()
	snap, err := log.Load(t.Context(), stream)
	if err != nil || int64(snap.Version) != stored.Load() {
		t.Errorf("Load = version %d, %v, want %d, as many as were stored", snap.Version, err, stored.Load())
	}
	if _, err := log.Append(t.Context(), eventlogtest.Commit(stream, "last", snap.Head, eventlogtest.Facts(0, 1)...)); err != nil {
		t.Errorf("Append after what was loaded = %v", err)
	}
}
