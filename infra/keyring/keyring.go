// Package keyring keeps the keys of one machine in the file keys.db, apart from
// the event log and its backups, under a master key from a file elsewhere.
//
// It promises:
//
//   - What is sealed opens again, at the same place only, until its key is
//     destroyed. A key is on disk before anything sealed under it is returned.
//   - After Destroy the key is in no byte of any file of the keyring, and it is
//     never made again. What was sealed under it is noise from then on,
//     wherever a copy of it may be. Copies of keys.db that were made before are
//     the one thing that undoes this: keep them for less long than the log's.
//   - Names of streams, and refs, tell nobody without the keyring what they
//     stand for.
//   - Of a token only a hash is stored; of a secret only sealed bytes.
//
// The master key wraps two secrets of each tenant: one from which names are
// derived, one that wraps its conversations' keys and its secrets. How, is said
// in package seal. Keys in memory are not protected from whoever may read the
// memory of the process.
//
// One process at a time may have a keyring open, since another would not hear
// of a key that was destroyed.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"handoff/events"
	"handoff/infra/durable"
	"handoff/infra/keyring/seal"
	"handoff/infra/lru"
	"handoff/infra/sqlitedb"
)

// FileName is the keyring's file in the data directory.
const FileName = "keys.db"

// cached is how many keys stay unwrapped in memory, about 1 KiB each.
const cached = 10_000

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

// ErrWrongMasterKey is returned by Open for a keyring of another master key.
var ErrWrongMasterKey = errors.New("it was made with another master key: start with the key file that belongs to this data directory " +
	"(HANDOFF_KEY_FILE), or put it back from a backup; without it nothing that is sealed can be read")

// Keyring holds the keys of all tenants. It is safe for concurrent use; whoever
// opened it closes it.
type Keyring struct {
	db     *sqlitedb.DB
	master seal.Secret
	system *seal.Namer
	packer *seal.Packer
	now    func() time.Time
	keys   *lru.Cache[slot, *seal.Key]
	api    *APIKeys

	mu      sync.RWMutex
	tenants map[string]*tenant
}

// Open opens the keyring in the data directory dir, or makes one. It returns
// ErrWrongMasterKey for a keyring of another master key.
func Open(ctx context.Context, dir string, master MasterKey, now func() time.Time) (*Keyring, error) {
	path := filepath.Join(dir, FileName)
	k, err := open(ctx, path, master, now)
	if err != nil {
		return nil, fmt.Errorf("open the keyring %s: %w", path, err)
	}
	// What a crash kept Destroy from overwriting is overwritten now.
	if err := k.truncate(ctx); err != nil {
		slog.WarnContext(ctx, "keyring not tidied", "path", path, "error", err)
	}
	return k, nil
}

func open(ctx context.Context, path string, master MasterKey, now func() time.Time) (*Keyring, error) {
	if master.secret.IsZero() {
		return nil, errors.New("there is no master key")
	}
	packer, err := seal.NewPacker()
	if err != nil {
		return nil, err
	}
	if err := durable.Touch(path); err != nil {
		return nil, err
	}
	db, err := sqlitedb.Open(ctx, path, sqlitedb.Options{Schema: schema, SecureDelete: true})
	if err != nil {
		return nil, err
	}
	k := &Keyring{
		db: db, master: master.secret, packer: packer, now: now,
		keys: lru.New[slot, *seal.Key](cached), tenants: map[string]*tenant{},
	}
	k.api = &APIKeys{ring: k, cache: lru.New[string, stored](cached)}
	if err = k.loadSystem(ctx); err == nil {
		err = k.loadTenants(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return k, nil
}

// loadSystem loads the secret that belongs to no tenant, or makes it in a new
// keyring. It is the check of the master key too: it opens under one only.
func (k *Keyring) loadSystem(ctx context.Context) error {
	const name = "system-naming"
	var wrapped []byte
	err := k.db.Write(ctx, func(c *sqlite.Conn) error {
		fresh := k.master.Wrap(name, seal.NewSecret().Bytes())
		if err := exec(c, "INSERT INTO system_secrets (name, wrapped) VALUES (?, ?) ON CONFLICT DO NOTHING", name, fresh); err != nil {
			return err
		}
		return query(c, "SELECT wrapped FROM system_secrets WHERE name = ?", func(s *sqlite.Stmt) error {
			wrapped = blob(s, 0)
			return nil
		}, name)
	})
	if err != nil {
		return err
	}
	secret, err := unwrapSecret(k.master, name, wrapped)
	if err != nil {
		return ErrWrongMasterKey
	}
	k.system = seal.NewNamer(secret)
	return nil
}

// ID names this keyring, so that a log can say which one it was written with.
func (k *Keyring) ID() string { return k.system.Ref("keyring", "id") }

// SystemStreamID returns the id of a stream that belongs to no tenant, such as
// a reservation, which must be the same for all of them.
func (k *Keyring) SystemStreamID(kind events.Kind, parts ...string) events.StreamID {
	return k.system.Stream(string(kind), parts...)
}

// APIKeys returns the keys by which callers prove who they are.
func (k *Keyring) APIKeys() *APIKeys { return k.api }

// Close forgets the keys in memory and closes the file.
func (k *Keyring) Close() error {
	err := k.db.Close()
	k.keys.Clear()
	k.api.cache.Clear()
	return err
}

// read runs f on a reading connection. SQLite reports only that it was
// interrupted where ctx has ended.
func (k *Keyring) read(ctx context.Context, f func(*sqlite.Conn) error) error {
	err := k.db.Read(ctx, f)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

func unwrapSecret(by seal.Secret, name string, wrapped []byte) (seal.Secret, error) {
	b, err := by.Unwrap(name, wrapped)
	if err != nil {
		return seal.Secret{}, err
	}
	return seal.SecretFrom(b)
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
