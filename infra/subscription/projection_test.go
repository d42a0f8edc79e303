package subscription_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"handoff/infra/eventlog"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/eventlog/sqlitelog"
	"handoff/infra/sqlitedb"
	"handoff/infra/subscription"
	"handoff/tests/eventlogtest"
)

// model is a read model that counts facts by type.
const model = `CREATE TABLE IF NOT EXISTS counts (type TEXT PRIMARY KEY, n INTEGER NOT NULL);`

func countTypes(version int) subscription.Projection {
	return subscription.Projection{
		Name: "counts", Version: version,
		Apply: func(conn *sqlite.Conn, r events.Record) error {
			return sqlitex.Execute(conn, "INSERT INTO counts VALUES (?, 1) ON CONFLICT DO UPDATE SET n = n+1", &sqlitex.ExecOptions{Args: []any{r.Type}})
		},
		Clear: func(conn *sqlite.Conn) error { return sqlitex.Execute(conn, "DELETE FROM counts", nil) },
	}
}

func (p *process) counted(t *testing.T, typ string) (n int) {
	t.Helper()
	err := p.db.Read(t.Context(), func(conn *sqlite.Conn) error {
		return sqlitex.Execute(conn, "SELECT n FROM counts WHERE type = ?", &sqlitex.ExecOptions{Args: []any{typ}, ResultFunc: func(s *sqlite.Stmt) error {
			n = s.ColumnInt(0)
			return nil
		}})
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func wantCount(t *testing.T, p *process, typ string, want int) {
	t.Helper()
	if got := p.counted(t, typ); got != want {
		t.Errorf("counted %s = %d, want %d", typ, got, want)
	}
}

func TestAProjectionCountsEachFactOnceOverCrashes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		for round := range 4 {
			p := m.start(t, nil, countTypes(1))
			for s := range 200 {
				m.add(t, stream(s), "A")
			}
			p.catchUp(t, m, "counts")
			wantCount(t, p, "A", 200*(round+1))
			m.add(t, stream(1), "B")
			p.crash(t)
		}
		p := m.start(t, nil, countTypes(1))
		p.catchUp(t, m, "counts")
		wantCount(t, p, "B", 4)
		p.stop(t)
	})
}

func TestAProjectionIsBuiltAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		p := m.start(t, nil, countTypes(1))
		m.add(t, stream(1), repeat("A", 600)...)
		p.catchUp(t, m, "counts")
		if err := p.Rebuild(t.Context(), "counts"); err != nil {
			t.Fatal(err)
		}
		p.catchUp(t, m, "counts")
		wantCount(t, p, "A", 600)
		if err := p.Rebuild(t.Context(), "none"); !fault.Is(err, "projection-not-found") {
			t.Errorf("Rebuild of an unknown projection = %v", err)
		}
		p.stop(t)
		newer := countTypes(2)
		newer.Types = []string{"B"}
		p = m.start(t, nil, newer)
		m.add(t, stream(1), "B")
		p.catchUp(t, m, "counts")
		wantCount(t, p, "A", 0)
		wantCount(t, p, "B", 1)
		p.stop(t)
	})
}

func TestAProjectionParksPoisonAndWaitsOutTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, sound := newMachine(t), countTypes(1)
		well := time.Now().Add(30 * time.Second)
		sick := sound
		sick.Apply = func(conn *sqlite.Conn, r events.Record) error {
			switch {
			case r.Type == "Poison":
				return fault.New(fault.Unprocessable, "fact-unreadable", "It can't be read.")
			case r.Type == "Trouble" && time.Now().Before(well):
				return errors.New("disk full")
			}
			return sound.Apply(conn, r)
		}
		p := m.start(t, nil, sick)
		m.add(t, stream(1), "A", "A", "Poison", "A", "Trouble", "A")
		ctx := t.Context()
		if err := p.CatchUp(ctx, "counts", 4); err != nil {
			t.Fatal(err)
		}
		wantCount(t, p, "A", 3)
		p.catchUp(t, m, "counts")
		if time.Now().Before(well) {
			t.Error("a fact was skipped that could not be applied for a while")
		}
		wantCount(t, p, "A", 4)
		wantCount(t, p, "Trouble", 1)
		parked, err := p.Parked(ctx, "counts", 0, 10)
		if err != nil || len(parked) != 1 || parked[0].Position != 3 || parked[0].Code != "fact-unreadable" {
			t.Errorf("parked = %+v, %v", parked, err)
		}
		if err := p.Retry(ctx, "counts", 3); !fault.Is(err, "subscription-not-a-function") {
			t.Errorf("Retry of a read model = %v", err)
		}
		p.stop(t)
	})
}

// TestSubscriptionsFollowALogInTheSameFile is the arrangement of the single
// program: log, read model and functions in one file, on a real clock.
func TestSubscriptionsFollowALogInTheSameFile(t *testing.T) {
	t.Parallel()
	const writers, commits = 8, 50
	db, err := sqlitedb.Open(t.Context(), filepath.Join(t.TempDir(), "handoff.db"), sqlitedb.Options{
		Schema: sqlitelog.Schema + subscription.Schema + model, UnsafeNoSync: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	log, err := sqlitelog.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	got := new(calls)
	var sum atomic.Int64
	functions := []subscription.Subscription{
		{Name: "one", Handle: func(_ context.Context, n events.Notification) error { got.note(n); return nil }},
		{Name: "two", Handle: func(_ context.Context, n events.Notification) error { sum.Add(n.Position); return nil }},
	}
	r, err := subscription.New(db, log, time.Now, functions, []subscription.Projection{countTypes(1)})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Runner: r, db: db, ended: make(chan error, 1)}
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(t.Context())
	go func() { p.ended <- r.Run(ctx) }()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			var head eventlog.Head
			for i := range commits {
				c := eventlogtest.Commit(stream(w), fmt.Sprint(w, "-", i), head, eventlogtest.Fact(i))
				var err error
				if head, err = log.Append(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, name := range []string{"one", "two", "counts"} {
		if err := p.CatchUp(ctx, name, writers*commits); err != nil {
			t.Fatal(err)
		}
	}
	for w := range writers {
		if n := len(got.of(stream(w))); n != commits {
			t.Errorf("calls for writer %d = %d, want %d", w, n, commits)
		}
	}
	if n := int64(writers * commits); sum.Load() != n*(n+1)/2 {
		t.Errorf("sum of positions = %d, want %d", sum.Load(), n*(n+1)/2)
	}
	wantCount(t, p, "EscalationRaised", writers*commits)
	p.stop(t)
}
