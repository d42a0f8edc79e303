package subscription

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/events"
	"handoff/infra/sqlitedb"
)

// Schema makes the tables of the subscriptions where they are missing.
//
// A row of aside is a fact that was put aside. It waits, and so do the facts of
// its stream that have rows after it, or it is parked. Times are nanoseconds
// since 1970; a fact that waits behind another one was never tried.
const Schema = `
CREATE TABLE IF NOT EXISTS subscriptions (
	name     TEXT PRIMARY KEY,
	version  INTEGER NOT NULL,
	position INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS aside (
	subscription TEXT NOT NULL,
	position     INTEGER NOT NULL,
	stream       BLOB NOT NULL,
	version      INTEGER NOT NULL,
	type         TEXT NOT NULL,
	parked       INTEGER NOT NULL,
	tries        INTEGER NOT NULL,
	since        INTEGER NOT NULL,
	next         INTEGER NOT NULL,
	code         TEXT NOT NULL,
	PRIMARY KEY (subscription, position)
) WITHOUT ROWID;
`

const (
	selectCheckpoint = `SELECT version, position FROM subscriptions WHERE name = ?1`
	writeCheckpoint  = `INSERT INTO subscriptions (name, version, position) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET version = excluded.version, position = excluded.position`

	asideColumns = `SELECT position, stream, version, type, parked, tries, since, next, code FROM aside `
	selectAside  = asideColumns + `WHERE subscription = ?1 ORDER BY position`
	selectParked = asideColumns + `WHERE subscription = ?1 AND position > ?2 AND parked ORDER BY position LIMIT ?3`
	selectOne    = asideColumns + `WHERE subscription = ?1 AND position = ?2`
	writeAside   = `INSERT OR REPLACE INTO aside (subscription, position, stream, version, type, parked, tries, since, next, code) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`
	deleteAside  = `DELETE FROM aside WHERE subscription = ?1 AND position = ?2`
	deleteAll    = `DELETE FROM aside WHERE subscription = ?1`
	countAside   = `SELECT subscription, parked, count(*) FROM aside GROUP BY subscription, parked`
)

// row is a fact that was put aside, as it is stored.
type row struct {
	Position    int64
	Stream      events.StreamID
	Version     int
	Type        string
	Parked      bool
	Tries       int
	Since, Next time.Time
	Code        string
}

// checkpoint is where a subscription begins.
type checkpoint struct {
	version  int
	position int64
	aside    []row // in order of position
}

// restore reads a checkpoint, zero where there is none.
func restore(ctx context.Context, db *sqlitedb.DB, name string) (c checkpoint, err error) {
	err = db.Read(ctx, func(conn *sqlite.Conn) error {
		byName := func(s *sqlite.Stmt) { s.BindText(1, name) }
		err := query(conn, selectCheckpoint, byName, func(s *sqlite.Stmt) {
			c.version, c.position = s.ColumnInt(0), s.ColumnInt64(1)
		})
		if err != nil {
			return err
		}
		return query(conn, selectAside, byName, func(s *sqlite.Stmt) { c.aside = append(c.aside, scan(s)) })
	})
	if err != nil {
		return c, fmt.Errorf("read the checkpoint of %s: %w", name, err)
	}
	return c, nil
}

// advance moves a checkpoint.
func advance(conn *sqlite.Conn, name string, version int, position int64) error {
	return query(conn, writeCheckpoint, func(s *sqlite.Stmt) {
		s.BindText(1, name)
		s.BindInt64(2, int64(version))
		s.BindInt64(3, position)
	}, nil)
}

// put writes what became of a fact that was put aside; nil removes it.
func put(conn *sqlite.Conn, name string, position int64, r *row) error {
	sql := writeAside
	if r == nil {
		sql = deleteAside
	}
	return query(conn, sql, func(s *sqlite.Stmt) {
		s.BindText(1, name)
		s.BindInt64(2, position)
		if r == nil {
			return
		}
		s.BindBytes(3, r.Stream[:])
		s.BindInt64(4, int64(r.Version))
		s.BindText(5, r.Type)
		s.BindBool(6, r.Parked)
		s.BindInt64(7, int64(r.Tries))
		s.BindInt64(8, sqlitedb.Nanos(r.Since))
		s.BindInt64(9, sqlitedb.Nanos(r.Next))
		s.BindText(10, r.Code)
	}, nil)
}

func scan(s *sqlite.Stmt) (r row) {
	r.Position = s.ColumnInt64(0)
	s.ColumnBytes(1, r.Stream[:])
	r.Version, r.Type, r.Parked, r.Tries = s.ColumnInt(2), s.ColumnText(3), s.ColumnBool(4), s.ColumnInt(5)
	r.Since, r.Next, r.Code = sqlitedb.Instant(s.ColumnInt64(6)), sqlitedb.Instant(s.ColumnInt64(7)), s.ColumnText(8)
	return r
}

// count returns how many facts wait and how many are parked, by subscription.
func count(ctx context.Context, db *sqlitedb.DB) (waiting, parked map[string]int, err error) {
	waiting, parked = make(map[string]int), make(map[string]int)
	err = db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, countAside, func(*sqlite.Stmt) {}, func(s *sqlite.Stmt) {
			to := waiting
			if s.ColumnBool(1) {
				to = parked
			}
			to[s.ColumnText(0)] = s.ColumnInt(2)
		})
	})
	return waiting, parked, err
}

// query runs a prepared statement to its end.
func query(conn *sqlite.Conn, sql string, bind, each func(*sqlite.Stmt)) error {
	s, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	bind(s)
	for {
		if more, err := s.Step(); err != nil || !more {
			return errors.Join(err, s.Reset())
		}
		if each != nil {
			each(s)
		}
	}
}
