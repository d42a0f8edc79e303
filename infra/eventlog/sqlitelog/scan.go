package sqlitelog

import (
	"zombiezen.com/go/sqlite"

	"handoff/events"
	"handoff/infra/eventlog"
)

// vocabulary keeps one copy of each short text that many facts of a page share.
type vocabulary map[string]string

// text returns a column's text from the vocabulary.
func (v vocabulary) text(s *sqlite.Stmt, col int) string {
	var short [48]byte
	n := s.ColumnBytes(col, short[:])
	if n == len(short) {
		return s.ColumnText(col)
	}
	if known, ok := v[string(short[:n])]; ok {
		return known
	}
	t := string(short[:n])
	v[t] = t
	return t
}

// scanFact reads a row of columns.
func (l *Log) scanFact(conn *sqlite.Conn, s *sqlite.Stmt, words vocabulary, r *events.Record) error {
	at, err := l.placeOf(conn, s.ColumnInt64(2))
	if err != nil {
		return err
	}
	r.Tenant, r.Connection = at.tenant, at.connection
	r.Position, r.Version = s.ColumnInt64(0), s.ColumnInt(1)
	s.ColumnBytes(3, r.Stream[:])
	r.Kind, r.Type = events.Kind(words.text(s, 4)), words.text(s, 5)
	r.Schema, r.Time = s.ColumnInt(6), s.ColumnInt64(7)
	r.Commit, r.Causation, r.Correlation = s.ColumnText(8), s.ColumnText(9), s.ColumnText(10)
	r.Actor = words.text(s, 11)
	r.Key, r.Trace = events.KeyID(s.ColumnText(12)), s.ColumnText(13)
	s.ColumnBytes(14, r.Hash[:])
	r.Clear = columnBytes(s, 15)
	if s.ColumnBytes(16, r.SealedSum[:]) > 0 {
		if b := columnBytes(s, 17); len(b) > 0 {
			r.Sealed = b
		}
	}
	return nil
}

// scanStream reads a row of streamColumns.
func (l *Log) scanStream(conn *sqlite.Conn, s *sqlite.Stmt) (id events.StreamID, snap eventlog.Snapshot, err error) {
	s.ColumnBytes(1, id[:])
	at, err := l.placeOf(conn, s.ColumnInt64(2))
	snap.Tenant, snap.Connection, snap.Kind = at.tenant, at.connection, events.Kind(s.ColumnText(3))
	snap.Version = s.ColumnInt(4)
	s.ColumnBytes(5, snap.Hash[:])
	snap.StateVersion, snap.State = s.ColumnInt(6), columnBytes(s, 7)
	return id, snap, err
}
