package sqlitelog_test

import (
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/sqlitelog"
	"handoff/infra/sqlitedb"
)

func TestAppendIsReadBack(t *testing.T) {
	t.Parallel()
	db, err := sqlitedb.Open(t.Context(), filepath.Join(t.TempDir(), "handoff.db"), sqlitedb.Options{Schema: sqlitelog.Schema})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	log, err := sqlitelog.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	c := eventlog.Commit{
		Stream: uuid.New(), Tenant: "default", Connection: "support", Kind: events.KindConversation, ID: "c1", StateVersion: 3, State: []byte(`{"n":1}`),
		Facts: []events.Record{{Header: events.Header{Type: "EscalationRaised", Schema: 1, Time: 5}, Clear: []byte(`{}`), Sealed: make([]byte, 100)}},
	}
	eventlog.ChainCommit(&c)
	head, err := log.Append(t.Context(), c)
	if err != nil || head != c.Head() {
		t.Fatalf("Append = %v, %v, want %v", head, err, c.Head())
	}
	if err := log.Wait(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	snap, err := log.Load(t.Context(), c.Stream)
	if err != nil || snap.Head != head || string(snap.State) != string(c.State) || snap.StateVersion != 3 {
		t.Fatalf("Load = %+v, %v", snap, err)
	}
	n := 0
	for r, err := range log.ReadConnection(t.Context(), "default", "support", 0) {
		if err != nil || r.Hash != c.Facts[0].Hash || r.Position != 1 {
			t.Fatalf("ReadConnection = %+v, %v", r, err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("ReadConnection yields %d facts, want 1", n)
	}
}
