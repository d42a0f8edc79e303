package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/events"
	"handoff/functions/api"
	"handoff/functions/appregistered"
	"handoff/functions/channelenabled"
	"handoff/functions/connectionrequested"
	"handoff/functions/contexterased"
	"handoff/functions/disconnected"
	"handoff/functions/escalationraised"
	"handoff/infra/genericdesk"
	"handoff/infra/rulebook"
)

// edit changes a file of the data directory while nobody has it open.
func (w *world) edit(file string, scripts ...string) {
	w.t.Helper()
	edit(w.t, w.dir, file, scripts...)
}

func edit(t *testing.T, dir, file string, scripts ...string) {
	t.Helper()
	c, err := sqlite.OpenConn(filepath.Join(dir, "data", file), sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range scripts {
		if err := sqlitex.ExecuteScript(c, sql, nil); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// rewind has every function told of every fact once more, after a restart.
func (w *world) rewind() {
	w.t.Helper()
	w.stop()
	w.edit("handoff.db", `UPDATE subscriptions SET position = 0; DELETE FROM aside`)
	w.run()
}

// fork starts a system on a copy of the data directory of this one, which is
// stopped, as a crash after a commit would have left it. What is derived from
// the log is gone. Both share desk and clock.
func (w *world) fork(t *testing.T, position int64) *world {
	t.Helper()
	dir := copied(t, w.dir)
	edit(t, dir, "handoff.db", `
		DELETE FROM facts WHERE pos > `+itoa(position)+`;
		DELETE FROM streams WHERE sid NOT IN (SELECT sid FROM facts);
		UPDATE streams SET state_version = 0,
			head = (SELECT max(version) FROM facts f WHERE f.sid = streams.sid),
			head_hash = (SELECT hash FROM facts f WHERE f.sid = streams.sid ORDER BY version DESC LIMIT 1);
		DELETE FROM subscriptions; DELETE FROM aside; DELETE FROM lane_items; DELETE FROM lane_endpoints;`)
	f := &world{t: t, dir: dir, admin: w.admin, desk: w.desk, clock: w.clock, client: w.client, waits: w.waits, org: w.org, change: w.change}
	f.run()
	t.Cleanup(f.stop)
	return f
}

// commits returns the positions at which commits end.
func (w *world) commits() (ends []int64) {
	w.t.Helper()
	err := w.sys.DB.Read(w.t.Context(), func(c *sqlite.Conn) error {
		return sqlitex.Execute(c, `SELECT max(pos) FROM facts GROUP BY sid, commit_id ORDER BY 1`, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
			ends = append(ends, s.ColumnInt64(0))
			return nil
		}})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return ends
}

// copied returns a copy of the data directory and its keys.
func copied(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	// CopyFS gives directories the mode 0777 before umask.
	for name, mode := range map[string]os.FileMode{"data": 0o700, "keys": 0o700, "keys/master.key": 0o600} {
		if err := os.Chmod(filepath.Join(to, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// contents returns the files of the data directory.
func (w *world) contents() map[string][]byte {
	w.t.Helper()
	all := make(map[string][]byte)
	dir := filepath.Join(w.dir, "data")
	entries, err := os.ReadDir(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // SQLite took it away meanwhile
		}
		if err != nil {
			w.t.Fatal(err)
		}
		all[e.Name()] = b
	}
	return all
}

// absent fails the test where one of the texts stands in a file.
func (w *world) absent(when string, texts ...string) {
	w.t.Helper()
	for name, b := range w.contents() {
		for _, text := range texts {
			if bytes.Contains(b, []byte(text)) {
				w.t.Errorf("%s: %q stands in %s", when, text, name)
			}
		}
	}
}

// told calls the functions once more for facts that are in the log, many at
// once and in no order, beside those of the running system.
func (w *world) told(rounds int) {
	w.t.Helper()
	var notes []events.Notification
	for r, err := range w.sys.Log.ReadAll(w.t.Context(), 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		for range rounds {
			notes = append(notes, events.Notify(r))
		}
	}
	rand.Shuffle(len(notes), func(i, j int) { notes[i], notes[j] = notes[j], notes[i] })
	handle := w.functions()
	var wg sync.WaitGroup
	work := make(chan events.Notification)
	for range 8 {
		wg.Go(func() {
			for n := range work {
				if f := handle[n.Type]; f == nil {
					continue
				} else if err := f(context.Background(), n); err != nil {
					w.t.Errorf("told of %s %s once more: %v", n.Type, n.ID, err)
				}
			}
		})
	}
	for _, n := range notes {
		work <- n
	}
	close(work)
	wg.Wait()
}

// functions are those that answer facts, by the type of fact.
func (w *world) functions() map[string]func(context.Context, events.Notification) error {
	s, desk := w.sys, genericdesk.Provider{}
	requested := &connectionrequested.Handler{Ledger: s.Ledger, Applications: desk, Streams: s.Keyring}
	raised := &escalationraised.Handler{Ledger: s.Ledger, Streams: s.Keyring, Router: rulebook.New(s.Ledger), Now: w.clock.now, Drain: api.DefaultDrain}
	return map[string]func(context.Context, events.Notification) error{
		"ConnectionRequested": requested.Handle,
		"AppRegistered":       (&appregistered.Handler{Ledger: s.Ledger, Channels: desk}).Handle,
		"ChannelEnabled":      (&channelenabled.Handler{Ledger: s.Ledger, Hub: desk}).Handle,
		"EscalationRaised":    raised.Handle,
		"Disconnected":        (&disconnected.Handler{Ledger: s.Ledger, Escalations: open{w}, Settler: raised, Applications: requested}).Handle,
		"ContextErased":       (&contexterased.Handler{Ledger: s.Ledger, Destroyer: s.Keyring}).Handle,
	}
}

// open lists open escalations as the system does.
type open struct{ *world }

// Open implements disconnected.Escalations.
func (o open) Open(ctx context.Context, tenant, connection string, _ int64) iter.Seq2[events.StreamID, error] {
	return func(yield func(events.StreamID, error) bool) {
		if err := o.sys.Settled(ctx); err != nil {
			yield(events.StreamID{}, err)
			return
		}
		for e, err := range o.sys.Directory.Open(ctx, tenant, connection) {
			if !yield(e.Stream, err) {
				return
			}
		}
	}
}
