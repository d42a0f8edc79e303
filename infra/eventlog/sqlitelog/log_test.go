package sqlitelog_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/events"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/sqlitelog"
	"handoff/infra/sqlitedb"
	"handoff/tests/eventlogtest"
)

func TestLog(t *testing.T) {
	t.Parallel()
	eventlogtest.Run(t, func(t *testing.T) eventlog.Log { return open(t, newFile(t)) })
}

func newFile(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "handoff.db")
}

// open returns the log in a file, which is closed at the end of the test.
func open(t testing.TB, path string) *sqlitelog.Log {
	t.Helper()
	log, _ := openFile(t, path, sqlitedb.Options{Schema: sqlitelog.Schema})
	return log
}

func openFile(t testing.TB, path string, o sqlitedb.Options) (*sqlitelog.Log, *sqlitedb.DB) {
	t.Helper()
	db, err := sqlitedb.Open(t.Context(), path, o)
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
	return log, db
}

// fill appends the facts of three streams and returns all facts as stored.
func fill(t *testing.T, log *sqlitelog.Log) []events.Record {
	t.Helper()
	for i := range 3 {
		head, err := eventlogtest.Fill(t.Context(), log, uuid.New(), 10, 3)
		if err != nil || head.Version != 10 {
			t.Fatalf("Fill stream %d = %v, %v", i, head, err)
		}
	}
	all, err := eventlogtest.Collect(log.ReadAll(t.Context(), 0))
	if err != nil || len(all) != 30 {
		t.Fatalf("ReadAll = %d facts, %v", len(all), err)
	}
	return all
}

func TestALogIsTheSameAfterReopening(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	first, db := openFile(t, path, sqlitedb.Options{Schema: sqlitelog.Schema})
	want := fill(t, first)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	log := open(t, path)
	got, err := eventlogtest.Collect(log.ReadAll(t.Context(), 0))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ReadAll = %d facts, %v, want %d as before", len(got), err, len(want))
	}
	last := want[len(want)-1]
	c := eventlogtest.Commit(last.Stream, "next", eventlog.Head{Version: last.Version, Hash: last.Hash}, eventlogtest.Fact(99))
	eventlogtest.MustAppend(t, log, c)
	if pos, err := log.Last(t.Context()); err != nil || pos != 31 {
		t.Errorf("Last = %d, %v, want 31", pos, err)
	}
}

func TestAReaderFollowsTheLogOfAnother(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	log := open(t, path)
	reader, _ := openFile(t, path, sqlitedb.Options{ReadOnly: true})
	heard := make(chan error, 1)
	go func() { heard <- reader.Wait(t.Context(), 29) }()
	want := fill(t, log)
	if err := <-heard; err != nil {
		t.Fatalf("Wait = %v", err)
	}
	got, err := eventlogtest.Collect(reader.ReadAll(t.Context(), 0))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ReadAll = %d facts, %v, want the writer's %d", len(got), err, len(want))
	}
	c := eventlogtest.Commit(uuid.New(), "a", eventlog.Head{}, eventlogtest.Fact(1))
	if _, err := reader.Append(t.Context(), c); !errors.Is(err, sqlitedb.ErrReadOnly) {
		t.Errorf("Append = %v, want %v", err, sqlitedb.ErrReadOnly)
	}
}

func TestAFileWithoutALogIsNoLog(t *testing.T) {
	t.Parallel()
	db, err := sqlitedb.Open(t.Context(), newFile(t), sqlitedb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := sqlitelog.New(t.Context(), db); err == nil {
		t.Error("New = nil for a file without the tables")
	}
}

func TestStreamsTellsEveryHead(t *testing.T) {
	t.Parallel()
	log := open(t, newFile(t))
	for s, err := range log.Streams(t.Context()) {
		t.Fatalf("Streams of an empty log yields %v, %v", s, err)
	}
	var want []events.StreamID
	for i := range 200 {
		c := eventlogtest.Commit(uuid.New(), "a", eventlog.Head{}, eventlogtest.Facts(i, 1+i%3)...)
		c.Tenant = fmt.Sprint("tenant-", i%7)
		eventlog.ChainCommit(&c)
		eventlogtest.MustAppend(t, log, c)
		want = append(want, c.Stream)
	}
	n := 0
	for s, err := range log.Streams(t.Context()) {
		if err != nil || s.ID != want[n] {
			t.Fatalf("stream %d is %s, %v, want %s", n, s.ID, err, want[n])
		}
		snap, err := log.Load(t.Context(), s.ID)
		if err != nil || !reflect.DeepEqual(s.Snapshot, snap) || s.Tenant != fmt.Sprint("tenant-", n%7) || s.Version != 1+n%3 {
			t.Errorf("stream %d = %+v, %v, but Load = %+v", n, s.Snapshot, err, snap)
		}
		n++
	}
	if n != len(want) {
		t.Errorf("Streams yields %d streams, want %d", n, len(want))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for s, err := range log.Streams(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Streams = %v, %v, want %v", s.ID, err, context.Canceled)
		}
	}
}

// What a log stores was read here by the SQLite that Debian 12 has, 3.40.
func TestPeopleCanReadTheFile(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	log, db := openFile(t, path, sqlitedb.Options{Schema: sqlitelog.Schema})
	small, large := eventlogtest.Fact(1), eventlogtest.Fact(2)
	large.Sealed, large.Time = eventlogtest.Bytes(2, 20_000), -1
	c := eventlogtest.Commit(uuid.New(), "a", eventlog.Head{}, small, large)
	eventlogtest.MustAppend(t, log, c)
	const sql = "SELECT stream, version, kind, type, tenant, connection, time, clear, sealed_bytes, actor, hash FROM log ORDER BY pos"
	want := fmt.Sprintf(`%s|1|conversation|EscalationRaised|default|support|2023-11-14T22:13:20.000000001Z|{"n":1}|100|principal|%s
%s|2|conversation|EscalationRaised|default|support|1969-12-31T23:59:59.999999999Z|{"n":2}|20000|principal|%s
`, c.Stream, c.Facts[0].Hash, c.Stream, c.Facts[1].Hash)
	if got := rows(t, db, sql); got != want {
		t.Errorf("the view log yields\n%swant\n%s", got, want)
	}
	cli, err := exec.LookPath("sqlite3")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("there is no sqlite3 here, and in CI there must be")
	}
	if err != nil {
		t.Skip("there is no sqlite3 here: that the ordinary program reads the file is not tested")
	}
	got, err := exec.CommandContext(t.Context(), cli, "-readonly", path, sql).CombinedOutput()
	if err != nil || string(got) != want {
		t.Errorf("sqlite3: %v\n%swant\n%s", err, got, want)
	}
}

// rows returns what a query yields as sqlite3 prints it.
func rows(t *testing.T, db *sqlitedb.DB, sql string) string {
	t.Helper()
	var b strings.Builder
	err := db.Read(t.Context(), func(conn *sqlite.Conn) error {
		return sqlitex.ExecuteTransient(conn, sql, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
			for i := range s.ColumnCount() {
				if i > 0 {
					b.WriteByte('|')
				}
				b.WriteString(s.ColumnText(i))
			}
			b.WriteByte('\n')
			return nil
		}})
	})
	if err != nil {
		t.Error(err)
	}
	return b.String()
}
