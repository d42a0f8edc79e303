package sqlitelog

import (
	"slices"

	"zombiezen.com/go/sqlite"

	"handoff/events"
	"handoff/infra/eventlog"
)

// scanner reads rows of columns. It is used for one page.
type scanner struct {
	log  *Log
	conn *sqlite.Conn
	buf  []byte // what a row's columns are copied into first
	// words holds one copy of each text that many facts of a page share.
	words map[string]string
}

// fact reads the row that s is at into r: with one allocation for all its own
// text and one for both its parts, since a scan reads half a million a second.
func (c *scanner) fact(s *sqlite.Stmt, r *events.Record) error {
	at, err := c.log.placeOf(c.conn, s.ColumnInt64(2))
	if err != nil {
		return err
	}
	r.Tenant, r.Connection = at.tenant, at.connection
	r.Position, r.Version = s.ColumnInt64(0), s.ColumnInt(1)
	s.ColumnBytes(3, r.Stream[:])
	r.Kind, r.Type = events.Kind(c.word(s, 4)), c.word(s, 5)
	r.Schema, r.Time = s.ColumnInt(6), s.ColumnInt64(7)
	r.Actor = c.word(s, 11)
	s.ColumnBytes(14, r.Hash[:])
	c.texts(s, r)
	c.parts(s, r)
	return nil
}

// word returns a column's text, the same string for the same text.
func (c *scanner) word(s *sqlite.Stmt, col int) string {
	c.buf = appendColumn(c.buf[:0], s, col)
	w, ok := c.words[string(c.buf)]
	if !ok {
		w = string(c.buf)
		c.words[w] = w
	}
	return w
}

func (c *scanner) texts(s *sqlite.Stmt, r *events.Record) {
	var ends [5]int
	c.buf = c.buf[:0]
	for i, col := range [...]int{8, 9, 10, 12, 13} {
		c.buf = appendColumn(c.buf, s, col)
		ends[i] = len(c.buf)
	}
	t := string(c.buf)
	r.Commit, r.Causation, r.Correlation = t[:ends[0]], t[ends[0]:ends[1]], t[ends[1]:ends[2]]
	r.Key, r.Trace = events.KeyID(t[ends[2]:ends[3]]), t[ends[3]:]
}

func (c *scanner) parts(s *sqlite.Stmt, r *events.Record) {
	c.buf = appendColumn(c.buf[:0], s, 15)
	n := len(c.buf)
	if s.ColumnBytes(16, r.SealedSum[:]) > 0 {
		c.buf = appendColumn(c.buf, s, 17)
	}
	b := slices.Clone(c.buf)
	if r.Clear = b[:n:n]; len(b) > n {
		r.Sealed = b[n:len(b):len(b)]
	}
}

// appendColumn appends the bytes of a column to b.
func appendColumn(b []byte, s *sqlite.Stmt, col int) []byte {
	n := s.ColumnBytes(col, b[len(b):cap(b)])
	if len(b)+n == cap(b) { // there may be more
		n = s.ColumnLen(col)
		b = append(make([]byte, 0, 2*cap(b)+n+1), b...)
		s.ColumnBytes(col, b[len(b):len(b)+n])
	}
	return b[:len(b)+n]
}

// scanStream reads a row of streamColumns.
func (l *Log) scanStream(conn *sqlite.Conn, s *sqlite.Stmt) (Stream, error) {
	at, err := l.placeOf(conn, s.ColumnInt64(2))
	stream := Stream{number: s.ColumnInt64(0), Snapshot: eventlog.Snapshot{
		Head:   eventlog.Head{Version: s.ColumnInt(4)},
		Tenant: at.tenant, Connection: at.connection, Kind: events.Kind(s.ColumnText(3)),
		StateVersion: s.ColumnInt(6), State: appendColumn(nil, s, 7),
	}}
	s.ColumnBytes(1, stream.ID[:])
	s.ColumnBytes(5, stream.Hash[:])
	return stream, err
}
