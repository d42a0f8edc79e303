// Package marks remembers up to when something was looked at, by name. A mark
// is no fact: where one is lost, its owner looks further back once.
package marks

import (
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/infra/sqlitedb"
)

// Schema makes the table where it is missing.
const Schema = `
CREATE TABLE IF NOT EXISTS marks (
	name TEXT PRIMARY KEY,
	at   INTEGER NOT NULL
) WITHOUT ROWID;
`

// Marks are in a file that was opened with Schema. They are safe for concurrent
// use and have nothing to close.
type Marks struct{ db *sqlitedb.DB }

// New returns the marks in a file.
func New(db *sqlitedb.DB) *Marks { return &Marks{db} }

// Mark returns the mark with a name; zero if there is none.
func (m *Marks) Mark(ctx context.Context, name string) (at time.Time, err error) {
	err = m.db.Read(ctx, func(c *sqlite.Conn) error {
		return sqlitedb.Query(c, "SELECT at FROM marks WHERE name = ?1", func(s *sqlite.Stmt) { at = sqlitedb.Instant(s.ColumnInt64(0)) }, name)
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("read mark %s: %w", name, err)
	}
	return at, nil
}

// SetMark sets the mark with a name.
func (m *Marks) SetMark(ctx context.Context, name string, at time.Time) error {
	err := m.db.Write(ctx, func(c *sqlite.Conn) error {
		return sqlitedb.Exec(c, "INSERT INTO marks (name, at) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET at = ?2", name, sqlitedb.Nanos(at))
	})
	if err != nil {
		return fmt.Errorf("set mark %s: %w", name, err)
	}
	return nil
}
