// Package sqlitedb opens a SQLite file the one way Handoff uses SQLite: a
// single writing connection that commits in groups, and a few reading ones.
//
// Everything written by jobs that wait at the same time goes into one
// transaction with one fsync, so many callers share its cost, yet each job
// succeeds or fails alone: it runs inside a savepoint, and its caller hears of
// it only after the group is on disk. The file can be read at any time by
// other processes, such as `sqlite3 -readonly`.
package sqlitedb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	lib "modernc.org/sqlite/lib"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// minVersion is the first SQLite without the WAL-reset bug, which corrupts a
// file that two connections write or checkpoint at once
// (sqlite.org/wal.html#walresetbug: fixed in 3.51.3).
const minVersion = 3051003

const (
	maxGroup      = 512     // jobs in one transaction
	maxGroupBytes = 4 << 20 // bytes in one transaction, by the jobs' own estimate
	busyTimeout   = 10 * time.Second

	truncateTimeout = 200 * time.Millisecond
)

// ErrClosed is returned once Close has begun.
var ErrClosed = errors.New("sqlitedb: closed")

// ErrReadOnly is returned for a write to a file that was opened read-only.
var ErrReadOnly = errors.New("sqlitedb: opened read-only")

// ErrBusy is returned by Truncate while somebody reads.
var ErrBusy = errors.New("sqlitedb: a reader is in the way")

// Options say how to open a file. The zero value is safe and durable.
type Options struct {
	// Schema is executed once at opening; write it with IF NOT EXISTS.
	Schema string
	// Readers is how many connections read at once; 0 means 8.
	Readers int
	// SecureDelete overwrites deleted content with zeros.
	SecureDelete bool
	// ReadOnly opens without a writer and changes nothing.
	ReadOnly bool
	// UnsafeNoSync leaves out every fsync. It exists so that the durability
	// test can show that it would notice; no setting reaches it otherwise.
	UnsafeNoSync bool
}

// DB is an open file. It is safe for concurrent use; whoever opened it closes
// it.
type DB struct {
	path    string
	reading bool // there is no writer
	readers *sqlitex.Pool
	jobs    chan *job
	closing chan struct{}
	done    chan struct{}
	once    sync.Once
	closed  error
}

type job struct {
	run     func(*sqlite.Conn) error
	bytes   int
	outside bool        // run it between transactions
	taken   atomic.Bool // by the writer, or by a caller who gave up first
	err     error
	ended   chan struct{}
}

// Open opens or makes the file at path.
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	if lib.SQLITE_VERSION_NUMBER < minVersion {
		return nil, fmt.Errorf("open %s: SQLite %s has the WAL-reset bug, 3.51.3 or later is needed", path, lib.SQLITE_VERSION)
	}
	d := &DB{path: path, reading: o.ReadOnly, jobs: make(chan *job, maxGroup), closing: make(chan struct{}), done: make(chan struct{})}
	if o.ReadOnly {
		close(d.done)
	} else {
		conn, err := openWriter(path, o)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", path, err)
		}
		go d.write(conn)
	}
	n := o.Readers
	if n == 0 {
		n = 8
	}
	pool, err := sqlitex.NewPool(path, sqlitex.PoolOptions{
		Flags: sqlite.OpenReadOnly, PoolSize: n, PrepareConn: prepareReader,
	})
	if err == nil {
		d.readers = pool
		err = d.Read(ctx, func(c *sqlite.Conn) error {
			return sqlitex.ExecuteTransient(c, "SELECT count(*) FROM sqlite_schema", nil)
		})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), d.Close())
	}
	return d, nil
}

func openWriter(path string, o Options) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return nil, err
	}
	conn.SetBusyTimeout(busyTimeout)
	sync, secure := "FULL", "OFF"
	if o.UnsafeNoSync {
		sync = "OFF"
	}
	if o.SecureDelete {
		secure = "ON"
	}
	for _, p := range []string{
		"PRAGMA page_size=8192", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=" + sync, "PRAGMA secure_delete=" + secure,
		"PRAGMA wal_autocheckpoint=1000", "PRAGMA journal_size_limit=67108864", "PRAGMA foreign_keys=OFF", "PRAGMA temp_store=MEMORY",
		"PRAGMA cache_size=-32768",
	} {
		if err = sqlitex.ExecuteTransient(conn, p, nil); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	if err = sqlitex.ExecuteScript(conn, o.Schema, nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func prepareReader(c *sqlite.Conn) error {
	c.SetBusyTimeout(busyTimeout)
	return sqlitex.ExecuteTransient(c, "PRAGMA query_only=ON", nil)
}

// Read runs f on a reading connection. Nothing that f began may outlive it. f
// sees every Write that returned before. Keep it short: a long read keeps the
// write-ahead log from being reset.
func (d *DB) Read(ctx context.Context, f func(*sqlite.Conn) error) error {
	conn, err := d.readers.Take(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", d.path, err)
	}
	defer d.readers.Put(conn)
	return f(conn)
}

// Write runs f in the next group and returns after the group is on disk. If f
// fails, what it wrote is undone and its error returned; its neighbours in the
// group are not touched. f must not call Write.
//
// Where ctx ends before f was begun, f is never run. Once it was begun, Write
// waits for the end, so that f may use what its caller owns and the caller
// knows how it went.
func (d *DB) Write(ctx context.Context, f func(*sqlite.Conn) error) error {
	return d.WriteSized(ctx, 0, f)
}

// WriteSized is Write with an estimate of how many bytes f writes, by which
// groups are kept small.
func (d *DB) WriteSized(ctx context.Context, bytes int, f func(*sqlite.Conn) error) error {
	return d.submit(ctx, &job{run: f, bytes: bytes, ended: make(chan struct{})})
}

func (d *DB) submit(ctx context.Context, j *job) error {
	if d.reading {
		return fmt.Errorf("write %s: %w", d.path, ErrReadOnly)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-d.closing: // firmly: below, a select may choose the queue all the same
		return ErrClosed
	default:
	}
	select {
	case <-d.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	case d.jobs <- j:
		return d.await(ctx, j)
	}
}

// await returns how a job that was handed in went.
func (d *DB) await(ctx context.Context, j *job) error {
	select {
	case <-j.ended:
		return j.err
	case <-d.done:
	case <-ctx.Done():
		if j.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
	}
	select { // begun, or handed in while the writer ended
	case <-j.ended:
		return j.err
	case <-d.done:
	}
	select { // it may have ended in the last group
	case <-j.ended:
		return j.err
	default:
		return ErrClosed
	}
}

// Close carries out the jobs that were handed in, then closes the file.
func (d *DB) Close() error {
	d.once.Do(func() {
		close(d.closing)
		<-d.done
		if d.readers != nil {
			d.closed = errors.Join(d.closed, d.readers.Close())
		}
	})
	return d.closed
}
