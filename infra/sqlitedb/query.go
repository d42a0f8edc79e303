package sqlitedb

import (
	"errors"
	"time"

	"zombiezen.com/go/sqlite"
)

// Query runs a statement, which is prepared once for each connection, to its
// end and hands each row to each; a nil each is for statements that return
// none. An argument is a string, []byte, int, int64, bool, or a time, which is
// stored as Nanos. It panics on any other, which no input can cause.
func Query(conn *sqlite.Conn, sql string, each func(*sqlite.Stmt), args ...any) error {
	s, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	for i, a := range args {
		bind(s, i+1, a)
	}
	for {
		if more, err := s.Step(); err != nil || !more {
			return errors.Join(err, s.Reset())
		}
		if each != nil {
			each(s)
		}
	}
}

// Exec is Query for statements that return nothing.
func Exec(conn *sqlite.Conn, sql string, args ...any) error { return Query(conn, sql, nil, args...) }

func bind(s *sqlite.Stmt, i int, arg any) {
	switch a := arg.(type) {
	case string:
		s.BindText(i, a)
	case []byte:
		s.BindBytes(i, a)
	case int:
		s.BindInt64(i, int64(a))
	case int64:
		s.BindInt64(i, a)
	case bool:
		s.BindBool(i, a)
	case time.Time:
		s.BindInt64(i, Nanos(a))
	default:
		panic("sqlitedb: an argument is of no type that is stored")
	}
}

// Nanos returns how a time is stored: nanoseconds since 1970, 0 for the zero
// time.
func Nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Instant returns the time that was stored as Nanos, in UTC.
func Instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
