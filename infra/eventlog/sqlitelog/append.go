package sqlitelog

import (
	"fmt"

	"zombiezen.com/go/sqlite"

	"handoff/events"
	"handoff/infra/eventlog"
)

const (
	insertBlock = `INSERT INTO place_blocks (place, block) VALUES (?1, ?2) ON CONFLICT DO NOTHING`
	insertPlace = `INSERT INTO places (tenant, connection) VALUES (?1, ?2) ON CONFLICT DO NOTHING`
	selectPlace = `SELECT place FROM places WHERE tenant = ?1 AND connection = ?2`
	selectHead  = `SELECT sid, place, kind, head, head_hash FROM streams WHERE key = ?1`

	insertStream = `INSERT INTO streams (head, head_hash, state_version, state, key, place, kind) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`
	updateStream = `UPDATE streams SET head = ?1, head_hash = ?2, state_version = ?3, state = ?4 WHERE sid = ?5`

	insertFact = `INSERT INTO facts (sid, version, place, stream, kind, type, schema, time, commit_id, causation, correlation, actor, key_id, trace, hash, clear, sealed_sum, sealed)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)`
	insertBlob = `INSERT INTO blobs (sum, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING`

	selectCommits = `SELECT version, commit_id, hash FROM facts WHERE sid = ?1 AND version > ?2 ORDER BY version`
)

// appending is one commit on its way into the file.
type appending struct {
	*eventlog.Commit
	place int64         // its number; 0 before it is known
	block int64         // of positions that is known to hold a fact of the place
	head  eventlog.Head // after the commit, once it is stored
	pos   int64         // of the last fact, 0 if the commit was there already
}

// blockOf returns the block of positions that place_blocks has for a position.
func blockOf(pos int64) int64 { return pos >> 8 }

// size estimates the bytes that the commit writes.
func (a *appending) size() int {
	n := len(a.State) + 512
	for i := range a.Facts {
		n += len(a.Facts[i].Clear) + len(a.Facts[i].Sealed) + 512
	}
	return n
}

// run is the writer's job. It may leave rows behind when it fails: the writer
// undoes them.
func (a *appending) run(conn *sqlite.Conn) (err error) {
	if a.place == 0 {
		if a.place, err = findPlace(conn, place{a.Tenant, a.Connection}); err != nil {
			return err
		}
	}
	sid, err := a.findStream(conn)
	if err != nil || a.head.Version > 0 { // refused, or here already
		return err
	}
	if sid, err = a.writeStream(conn, sid); err != nil {
		return err
	}
	for i := range a.Facts {
		if err := a.writeFact(conn, sid, &a.Facts[i]); err != nil {
			return err
		}
		a.pos = conn.LastInsertRowID()
		if err := a.noteBlock(conn); err != nil {
			return err
		}
	}
	a.head = a.Head()
	return nil
}

// noteBlock makes the fact at a.pos be found by its place.
func (a *appending) noteBlock(conn *sqlite.Conn) error {
	if a.block == blockOf(a.pos) {
		return nil
	}
	a.block = blockOf(a.pos)
	return query(conn, insertBlock, func(s *sqlite.Stmt) {
		s.BindInt64(1, a.place)
		s.BindInt64(2, a.block)
	}, nil)
}

// findStream returns the stream's number, 0 for a new one, if the commit may be
// appended. If it is there already it sets a.head.
func (a *appending) findStream(conn *sqlite.Conn) (sid int64, err error) {
	var head eventlog.Head
	var at int64
	var kind events.Kind
	err = query(conn, selectHead, func(s *sqlite.Stmt) { s.BindBytes(1, a.Stream[:]) }, func(s *sqlite.Stmt) error {
		sid, at, kind = s.ColumnInt64(0), s.ColumnInt64(1), events.Kind(s.ColumnText(2))
		head.Version = s.ColumnInt(3)
		s.ColumnBytes(4, head.Hash[:])
		return nil
	})
	if err != nil {
		return 0, err
	}
	if head == a.After {
		if sid != 0 && (kind != a.Kind || at != a.place) {
			return 0, fmt.Errorf("stream %s is another tenant's, connection's or kind's", a.Stream)
		}
		return sid, nil
	}
	if a.head, err = a.findCommit(conn, sid); err == nil && a.head.Version == 0 {
		err = &eventlog.ConflictError{Stream: a.Stream, Expected: a.After, Actual: head}
	}
	return sid, err
}

// findCommit returns the head after the commit with a's id that follows a.After,
// zero if another one does.
func (a *appending) findCommit(conn *sqlite.Conn, sid int64) (head eventlog.Head, err error) {
	err = query(conn, selectCommits, func(s *sqlite.Stmt) {
		s.BindInt64(1, sid)
		s.BindInt64(2, int64(a.After.Version))
	}, func(s *sqlite.Stmt) error {
		version := s.ColumnInt(0)
		if s.ColumnText(1) != a.ID || head.Version == 0 && version != a.After.Version+1 {
			return errEnough
		}
		head.Version = version
		s.ColumnBytes(2, head.Hash[:])
		return nil
	})
	return head, err
}

func findPlace(conn *sqlite.Conn, p place) (n int64, err error) {
	bind := func(s *sqlite.Stmt) {
		s.BindText(1, p.tenant)
		s.BindText(2, p.connection)
	}
	if err = query(conn, insertPlace, bind, nil); err == nil {
		err = query(conn, selectPlace, bind, func(s *sqlite.Stmt) error {
			n = s.ColumnInt64(0)
			return nil
		})
	}
	return n, err
}

// writeStream makes or moves the stream's head and returns its number.
func (a *appending) writeStream(conn *sqlite.Conn, sid int64) (int64, error) {
	sql := updateStream
	if sid == 0 {
		sql = insertStream
	}
	err := query(conn, sql, func(s *sqlite.Stmt) {
		head := a.Head()
		s.BindInt64(1, int64(head.Version))
		s.BindBytes(2, head.Hash[:])
		s.BindInt64(3, int64(a.StateVersion))
		s.BindBytes(4, a.State)
		if sid != 0 {
			s.BindInt64(5, sid)
			return
		}
		s.BindBytes(5, a.Stream[:])
		s.BindInt64(6, a.place)
		s.BindText(7, string(a.Kind))
	}, nil)
	if sid == 0 {
		sid = conn.LastInsertRowID()
	}
	return sid, err
}

func (a *appending) writeFact(conn *sqlite.Conn, sid int64, r *events.Record) error {
	sealed := r.Sealed
	if len(sealed) > eventlog.InlineLimit {
		err := query(conn, insertBlob, func(s *sqlite.Stmt) {
			s.BindBytes(1, r.SealedSum[:])
			s.BindBytes(2, sealed)
		}, nil)
		if err != nil {
			return err
		}
		sealed = nil
	}
	return query(conn, insertFact, func(s *sqlite.Stmt) {
		s.BindInt64(1, sid)
		s.BindInt64(2, int64(r.Version))
		s.BindInt64(3, a.place)
		s.BindBytes(4, r.Stream[:])
		s.BindText(5, string(r.Kind))
		s.BindText(6, r.Type)
		s.BindInt64(7, int64(r.Schema))
		s.BindInt64(8, r.Time)
		s.BindText(9, r.Commit)
		s.BindText(10, r.Causation)
		s.BindText(11, r.Correlation)
		s.BindText(12, r.Actor)
		s.BindText(13, string(r.Key))
		s.BindText(14, r.Trace)
		s.BindBytes(15, r.Hash[:])
		s.BindBytes(16, r.Clear)
		if r.HasSealed() {
			s.BindBytes(17, r.SealedSum[:])
		}
		if len(sealed) > 0 {
			s.BindBytes(18, sealed)
		}
	}, nil)
}
