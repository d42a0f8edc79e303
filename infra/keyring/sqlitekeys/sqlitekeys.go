// Package sqlitekeys stores the keyring of one machine in the file keys.db,
// apart from the event log and its backups, under a master key from a file
// elsewhere.
//
// A destroyed key is in no byte of any file of the keyring. Two secrets of each
// tenant are wrapped under the master key; everything else under them.
//
// One process at a time may have a keyring open, since another would not hear
// of a key that was destroyed.
package sqlitekeys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/infra/durable"
	"handoff/infra/keyring"
	"handoff/infra/sqlitedb"
)

// Times are nanoseconds since 1970; 0 is never. A conversation's wrapped key
// never moves in its file: rows are only ever added at the end, and destroying
// a key overwrites its row with as many bytes. So there is no older copy of it
// in some page that was split or merged.
const schema = `
CREATE TABLE IF NOT EXISTS system_secrets (
	name TEXT PRIMARY KEY, wrapped BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tenants (
	id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, naming BLOB NOT NULL, wrapping BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS conversation_keys (
	id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, key TEXT NOT NULL, wrapped BLOB NOT NULL, erased INTEGER NOT NULL,
	UNIQUE (tenant, key)
);
CREATE TABLE IF NOT EXISTS secrets (
	tenant INTEGER NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, created INTEGER NOT NULL, sealed BLOB NOT NULL,
	PRIMARY KEY (tenant, name, version)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS api_keys (
	id TEXT PRIMARY KEY, tenant TEXT NOT NULL, role TEXT NOT NULL, connection TEXT NOT NULL, name TEXT NOT NULL,
	sum BLOB NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL, revoked INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS api_keys_by_connection ON api_keys (tenant, connection);
`

// tenantID is the number of the tenant whose name is the first argument.
const tenantID = "(SELECT id FROM tenants WHERE name = ?1)"

// store is a keyring.Store in a file.
type store struct {
	db     *sqlitedb.DB
	master keyring.MasterKey
}

// Open opens the keyring in the data directory dir, or makes one. It returns
// keyring.ErrWrongMasterKey for a keyring of another master key. Whoever opened
// it closes it.
func Open(ctx context.Context, dir string, master keyring.MasterKey, now func() time.Time) (*keyring.Keyring, error) {
	path := filepath.Join(dir, keyring.FileName)
	k, s, err := open(ctx, path, master, now)
	if err != nil {
		return nil, fmt.Errorf("open the keyring %s: %w", path, err)
	}
	// What a crash kept DestroyConversationKey from overwriting is overwritten now.
	if err := s.truncate(ctx); err != nil {
		slog.WarnContext(ctx, "keyring not tidied", "path", path, "error", err)
	}
	return k, nil
}

func open(ctx context.Context, path string, master keyring.MasterKey, now func() time.Time) (*keyring.Keyring, *store, error) {
	if master.IsZero() {
		return nil, nil, errors.New("there is no master key")
	}
	if err := durable.Touch(path); err != nil {
		return nil, nil, err
	}
	db, err := sqlitedb.Open(ctx, path, sqlitedb.Options{Schema: schema, SecureDelete: true})
	if err != nil {
		return nil, nil, err
	}
	s := &store{db: db, master: master}
	tenants, err := s.Tenants(ctx)
	if err == nil {
		var k *keyring.Keyring
		if k, err = keyring.New(ctx, s, keyring.Options{Now: now, Tenants: tenants, Create: true}); err == nil {
			return k, s, nil
		}
	}
	return nil, nil, errors.Join(err, db.Close())
}

// Close closes the file.
func (s *store) Close() error { return s.db.Close() }

// read runs f on a reading connection. SQLite reports only that it was
// interrupted where ctx has ended.
func (s *store) read(ctx context.Context, f func(*sqlite.Conn) error) error {
	err := s.db.Read(ctx, f)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

func exec(c *sqlite.Conn, sql string, args ...any) error {
	return sqlitex.Execute(c, sql, &sqlitex.ExecOptions{Args: args})
}

func query(c *sqlite.Conn, sql string, row func(*sqlite.Stmt) error, args ...any) error {
	return sqlitex.Execute(c, sql, &sqlitex.ExecOptions{Args: args, ResultFunc: row})
}

func blob(s *sqlite.Stmt, column int) []byte {
	b := make([]byte, s.ColumnLen(column))
	s.ColumnBytes(column, b)
	return b
}
