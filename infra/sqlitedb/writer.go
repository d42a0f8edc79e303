package sqlitedb

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// write is the writer's goroutine. It ends after Close, with no job left.
func (d *DB) write(conn *sqlite.Conn) {
	defer close(d.done)
	for open := true; open; {
		select {
		case j := <-d.jobs:
			d.carryOut(conn, j)
		case <-d.closing:
			open = false
		}
	}
	for j := d.waiting(); j != nil; j = d.waiting() {
		d.carryOut(conn, j)
	}
	d.closed = conn.Close()
}

// waiting returns a job that was handed in already, or nil.
func (d *DB) waiting() *job {
	select {
	case j := <-d.jobs:
		return j
	default:
		return nil
	}
}

// carryOut commits j and whatever else waits, then tells every caller. A job
// that must run outside of a transaction ends the group before it.
func (d *DB) carryOut(conn *sqlite.Conn, j *job) {
	for j != nil && !j.outside {
		j = d.group(conn, j)
	}
	if j != nil {
		j.err = j.run(conn)
		close(j.ended)
	}
}

func (d *DB) group(conn *sqlite.Conn, first *job) (next *job) {
	var group []*job
	bytes := 0
	err := run(conn, "BEGIN IMMEDIATE")
	for next = first; err == nil && next != nil && !next.outside && len(group) < maxGroup && bytes < maxGroupBytes; next = d.waiting() {
		next.err = attempt(conn, next)
		group, bytes = append(group, next), bytes+next.bytes
	}
	if err == nil {
		err = commit(conn)
	} else {
		group, next = append(group, first), nil
	}
	for _, j := range group {
		if err != nil {
			j.err = fmt.Errorf("commit to %s: %w", d.path, err)
		}
		close(j.ended)
	}
	return next
}

func commit(conn *sqlite.Conn) error {
	err := run(conn, "COMMIT")
	if err != nil && !conn.AutocommitEnabled() {
		_ = run(conn, "ROLLBACK") // the commit's error is the one to report
	}
	return err
}

func attempt(conn *sqlite.Conn, j *job) (err error) {
	if err = run(conn, "SAVEPOINT job"); err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("sqlitedb: a write panicked: %v", p)
		}
		if err != nil {
			_ = run(conn, "ROLLBACK TO job") // err is the one to report
		}
		if e := run(conn, "RELEASE job"); err == nil {
			err = e
		}
	}()
	return j.run(conn)
}

func run(conn *sqlite.Conn, sql string) error {
	return sqlitex.Execute(conn, sql, nil)
}

// Truncate copies the write-ahead log into the file and empties it, so that
// nothing that was overwritten is left in either. A long read is in its way;
// then it fails and can be tried again.
func (d *DB) Truncate(ctx context.Context) error {
	return d.submit(ctx, &job{outside: true, ended: make(chan struct{}), run: func(conn *sqlite.Conn) error {
		busy := false
		err := sqlitex.ExecuteTransient(conn, "PRAGMA wal_checkpoint(TRUNCATE)", &sqlitex.ExecOptions{
			ResultFunc: func(s *sqlite.Stmt) error { busy = s.ColumnInt(0) != 0; return nil },
		})
		if err == nil && busy {
			err = fmt.Errorf("truncate the write-ahead log of %s: a reader is in the way", d.path)
		}
		return err
	}})
}
