package sqlitedb_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/infra/sqlitedb"
)

// busy is a file whose writer is held up in a group, so that everything handed
// in meanwhile waits for the next one.
type busy struct {
	*sqlitedb.DB
	let  chan struct{}
	held chan error
}

// whileBusy runs test in a bubble on a file whose writer is held up.
func whileBusy(t *testing.T, test func(t *testing.T, db busy)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	synctest.Test(t, func(t *testing.T) {
		db := busy{reopen(t, path, sqlitedb.Options{}), make(chan struct{}), make(chan error, 1)}
		go func() {
			db.held <- db.WriteSized(t.Context(), 64<<20, func(*sqlite.Conn) error { <-db.let; return nil })
		}()
		synctest.Wait()
		test(t, db)
	})
}

// write hands a job in and returns where its error will be.
func (db busy) write(ctx context.Context, bytes int, f func(*sqlite.Conn) error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- db.WriteSized(ctx, bytes, f) }()
	synctest.Wait()
	return done
}

// release lets the writer go on and waits until it has nothing left to do.
func (db busy) release(t *testing.T) {
	t.Helper()
	close(db.let)
	synctest.Wait()
	if err := <-db.held; err != nil {
		t.Errorf("the write that held the writer up = %v", err)
	}
}

// watched is a note that also tells what readers see while its group is open.
func (db busy) watched(t *testing.T, n int, seen *string) func(*sqlite.Conn) error {
	t.Helper()
	return func(c *sqlite.Conn) (err error) {
		if err := note(n)(c); err != nil {
			return err
		}
		*seen, err = list(t.Context(), db.DB)
		return err
	}
}

func TestJobsThatWaitShareOneCommit(t *testing.T) {
	t.Parallel()
	whileBusy(t, func(t *testing.T, db busy) {
		var seen [5]string
		var ends [5]<-chan error
		for n := range ends {
			ends[n] = db.write(t.Context(), 0, db.watched(t, n, &seen[n]))
		}
		db.release(t)
		for n, end := range ends {
			if err := <-end; err != nil || seen[n] != "" {
				t.Errorf("write %d = %v; a reader saw %q of its open group", n, err, seen[n])
			}
		}
		if got := notes(t, db.DB); got != "0 1 2 3 4" {
			t.Errorf("the file holds %q, want all five", got)
		}
	})
}

func TestAGroupIsNoLargerThanItsBytesAllow(t *testing.T) {
	t.Parallel()
	whileBusy(t, func(t *testing.T, db busy) {
		var seen [3]string
		for n := range seen {
			db.write(t.Context(), 5<<20, db.watched(t, n, &seen[n]))
		}
		db.release(t)
		if got := strings.Join(seen[:], ","); got != ",0,0 1" {
			t.Errorf("readers saw %q, want each large write alone in its group", got)
		}
	})
}

func TestAFailingJobHarmsNoNeighbour(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for sentence, fail := range map[string]func(*sqlite.Conn) error{
		"an error":            func(*sqlite.Conn) error { return refused },
		"a broken constraint": note(0),
		"a panic":             func(*sqlite.Conn) error { panic("at the disco") },
		"an unfinished query": func(c *sqlite.Conn) error {
			s, err := c.Prepare("SELECT n FROM notes")
			if err == nil {
				_, err = s.Step()
			}
			return errors.Join(err, refused)
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			whileBusy(t, func(t *testing.T, db busy) {
				before := db.write(t.Context(), 0, note(0))
				failing := db.write(t.Context(), 0, func(c *sqlite.Conn) error {
					if err := note(1)(c); err != nil {
						return err
					}
					return fail(c)
				})
				after := db.write(t.Context(), 0, note(2))
				db.release(t)
				if err := errors.Join(<-before, <-after); err != nil {
					t.Errorf("the neighbours' writes = %v", err)
				}
				if err := <-failing; err == nil {
					t.Error("the failing write = nil")
				}
				if got := notes(t, db.DB); got != "0 2" {
					t.Errorf("the file holds %q, want %q", got, "0 2")
				}
			})
		})
	}
}

func TestALostTransactionFailsItsWholeGroup(t *testing.T) {
	t.Parallel()
	whileBusy(t, func(t *testing.T, db busy) {
		var lost []<-chan error
		for _, f := range []func(*sqlite.Conn) error{note(0), func(c *sqlite.Conn) error { return sqlitex.Execute(c, "ROLLBACK", nil) }} {
			lost = append(lost, db.write(t.Context(), 0, f))
		}
		next := db.write(t.Context(), 0, note(1))
		db.release(t)
		for i, end := range lost {
			if err := <-end; err == nil {
				t.Errorf("write %d of a group that was rolled back = nil", i)
			}
		}
		if err := <-next; err != nil {
			t.Errorf("the write after it = %v", err)
		}
		if got := notes(t, db.DB); got != "1" {
			t.Errorf("the file holds %q, want %q", got, "1")
		}
	})
}

func TestAJobWhoseCallerGaveUpIsNotRun(t *testing.T) {
	t.Parallel()
	whileBusy(t, func(t *testing.T, db busy) {
		ctx, cancel := context.WithCancel(t.Context())
		end := db.write(ctx, 0, note(1))
		cancel()
		if err := <-end; !errors.Is(err, context.Canceled) {
			t.Errorf("Write = %v, want %v", err, context.Canceled)
		}
		db.release(t)
		if err := <-db.write(ctx, 0, note(2)); !errors.Is(err, context.Canceled) {
			t.Errorf("Write = %v, want %v", err, context.Canceled)
		}
		if got := notes(t, db.DB); got != "" {
			t.Errorf("the file holds %q, want nothing", got)
		}
	})
}

func TestAJobThatWasBegunIsWaitedFor(t *testing.T) {
	t.Parallel()
	whileBusy(t, func(t *testing.T, db busy) {
		let := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		end := db.write(ctx, 0, func(c *sqlite.Conn) error { <-let; return note(1)(c) })
		db.release(t)
		cancel()
		synctest.Wait()
		select {
		case err := <-end:
			t.Errorf("Write = %v before its job ended", err)
		default:
		}
		close(let)
		if err := <-end; err != nil {
			t.Errorf("Write = %v", err)
		}
		if got := notes(t, db.DB); got != "1" {
			t.Errorf("the file holds %q, want %q", got, "1")
		}
	})
}

func TestCloseCarriesOutWhatWaits(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	synctest.Test(t, func(t *testing.T) {
		file := reopen(t, path, sqlitedb.Options{})
		db := busy{file, make(chan struct{}), make(chan error, 1)}
		go func() { db.held <- file.Write(t.Context(), func(*sqlite.Conn) error { <-db.let; return nil }) }()
		synctest.Wait()
		var ends [20]<-chan error
		for n := range ends {
			ends[n] = db.write(t.Context(), 3<<20, note(n))
		}
		closed := make(chan error, 1)
		go func() { closed <- file.Close() }()
		synctest.Wait()
		if err := <-db.write(t.Context(), 0, note(99)); !errors.Is(err, sqlitedb.ErrClosed) {
			t.Errorf("Write while closing = %v, want %v", err, sqlitedb.ErrClosed)
		}
		db.release(t)
		for n, end := range ends {
			if err := <-end; err != nil {
				t.Errorf("write %d = %v", n, err)
			}
		}
		if err := <-closed; err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	if got := notes(t, reopen(t, path, sqlitedb.Options{})); !strings.HasSuffix(got, " 19") || strings.Contains(got, "99") {
		t.Errorf("the file holds %q, want 0 to 19", got)
	}
}
