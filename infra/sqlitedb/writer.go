package sqlitedb

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// write is the writer's goroutine. It ends after Close, with no job left.
func (d *DB) write(conn *sqlite.Conn) {
	defer close(d.done)
	for open := true; open; {
		select {
		case j := <-d.jobs:
			if j.taken.CompareAndSwap(false, true) {
				d.carryOut(conn, j)
			}
		case <-d.closing:
			open = false
		}
	}
	for j := d.waiting(); j != nil; j = d.waiting() {
		d.carryOut(conn, j)
	}
	d.closed = conn.Close()
}

// waiting takes a job that was handed in already, or returns nil.
func (d *DB) waiting() *job {
	for {
		select {
		case j := <-d.jobs:
			if j.taken.CompareAndSwap(false, true) {
				return j
			}
		default:
			return nil
		}
	}
}

// carryOut commits j and whatever else waits, then tells every caller. A job
// that must run outside of a transaction ends the group before it.
func (d *DB) carryOut(conn *sqlite.Conn, j *job) {
	for j != nil {
		if j.outside {
			j.err = call(conn, j)
			close(j.ended)
			return
		}
		j = d.group(conn, j)
	}
}

// group commits first and what waits in one transaction, and returns a job that
// was taken and does not fit in.
func (d *DB) group(conn *sqlite.Conn, first *job) (next *job) {
	var group []*job
	bytes := 0
	err := run(conn, "BEGIN IMMEDIATE")
	for next = first; next != nil && !next.outside && len(group) < maxGroup && bytes < maxGroupBytes; next = d.waiting() {
		group, bytes = append(group, next), bytes+next.bytes
		if err == nil {
			err = attempt(conn, next)
		}
		if err != nil {
			next = nil
			break
		}
	}
	if err == nil {
		err = run(conn, "COMMIT")
	}
	if err != nil && !conn.AutocommitEnabled() {
		_ = run(conn, "ROLLBACK") // err is the one to report
	}
	for _, j := range group {
		if err != nil {
			j.err = fmt.Errorf("commit to %s: %w", d.path, err)
		}
		close(j.ended)
	}
	return next
}

// attempt runs j so that it succeeds or leaves nothing behind. It returns an
// error only where that ended the transaction: a full disk, for one, makes
// SQLite roll all of it back (sqlite.org/lang_transaction.html, section 3.2).
func attempt(conn *sqlite.Conn, j *job) error {
	if err := run(conn, "SAVEPOINT job"); err != nil {
		return err
	}
	j.err = call(conn, j)
	if conn.AutocommitEnabled() {
		return errors.Join(errors.New("the transaction was rolled back"), j.err)
	}
	if j.err != nil {
		if err := run(conn, "ROLLBACK TO job"); err != nil {
			return err
		}
	}
	return run(conn, "RELEASE job")
}

func call(conn *sqlite.Conn, j *job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("sqlitedb: a write panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return j.run(conn)
}

func run(conn *sqlite.Conn, sql string) error {
	return sqlitex.Execute(conn, sql, nil)
}

// Truncate copies the write-ahead log into the file and empties it, so that
// nothing that was overwritten is left in either. A long read is in its way;
// then it fails soon, since nobody can write meanwhile, and can be tried again.
func (d *DB) Truncate(ctx context.Context) error {
	return d.submit(ctx, &job{outside: true, ended: make(chan struct{}), run: func(conn *sqlite.Conn) error {
		conn.SetBusyTimeout(truncateTimeout)
		defer conn.SetBusyTimeout(busyTimeout)
		busy := false
		err := sqlitex.ExecuteTransient(conn, "PRAGMA wal_checkpoint(TRUNCATE)", &sqlitex.ExecOptions{
			ResultFunc: func(s *sqlite.Stmt) error { busy = s.ColumnInt(0) != 0; return nil },
		})
		if err == nil && busy {
			err = ErrBusy
		}
		if err != nil {
			err = fmt.Errorf("truncate the write-ahead log of %s: %w", d.path, err)
		}
		return err
	}})
}
