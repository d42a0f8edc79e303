// Package embedded opens the adapters of one machine: a data directory with the
// event log and everything derived from it in handoff.db, the keys apart from
// it in keys.db, and the master key outside of both.
package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"handoff/events"
	"handoff/infra/directory"
	"handoff/infra/durable"
	"handoff/infra/eventlog"
	"handoff/infra/eventlog/sqlitelog"
	"handoff/infra/keyring"
	"handoff/infra/keyring/sqlitekeys"
	"handoff/infra/lanes"
	"handoff/infra/marks"
	"handoff/infra/sqlitedb"
	"handoff/infra/subscription"
	"handoff/infra/vault"
)

// Options say what to open.
type Options struct {
	Dir     string // data directory
	KeyFile string // master key; made if it is missing
	Tenant  string // made if it is missing
	Now     func() time.Time
	// UnsafeNoSync leaves out every fsync, for the test that must notice.
	UnsafeNoSync bool
}

// Engine is an open data directory. It is safe for concurrent use; whoever
// opened it closes it.
type Engine struct {
	Dir       *DataDir
	DB        *sqlitedb.DB
	Log       *sqlitelog.Log
	Keyring   *keyring.Keyring
	Vault     *vault.Vault
	Ledger    *eventlog.Ledger
	Directory *directory.Directory
}

// schema is everything that handoff.db holds.
const schema = sqlitelog.Schema + subscription.Schema + directory.Schema + lanes.Schema + marks.Schema

// Open opens a data directory for this process alone.
func Open(ctx context.Context, o Options) (e *Engine, err error) {
	e = new(Engine)
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
			e = nil
		}
	}()
	if e.Dir, err = OpenDataDir(o.Dir); err != nil {
		return e, err
	}
	master, err := keyring.MasterKeyFor(o.Dir, o.KeyFile)
	if err != nil {
		return e, err
	}
	if e.Keyring, err = sqlitekeys.Open(ctx, o.Dir, master, o.Now); err != nil {
		return e, err
	}
	if err = e.Keyring.EnsureTenant(ctx, o.Tenant); err != nil {
		return e, err
	}
	return e, e.openLog(ctx, o)
}

func (e *Engine) openLog(ctx context.Context, o Options) (err error) {
	path := filepath.Join(o.Dir, LogFile)
	if err := durable.Touch(path); err != nil {
		return fmt.Errorf("make event log: %w", err)
	}
	if err = makeFile(path); err != nil {
		return fmt.Errorf("make event log: %w", err)
	}
	if e.DB, err = sqlitedb.Open(ctx, path, sqlitedb.Options{Schema: schema, UnsafeNoSync: o.UnsafeNoSync}); err != nil {
		return fmt.Errorf("open event log: %w", err)
	}
	if e.Log, err = sqlitelog.NewSole(ctx, e.DB); err != nil {
		return err
	}
	e.Vault = vault.New(e.Keyring)
	e.Ledger = eventlog.NewLedger(e.Log, events.Register(), e.Keyring, o.Now, rand.Text)
	e.Directory = directory.New(e.DB, events.Register())
	return nil
}

// Close lets go of the data directory. What was handed in to be written is
// written before.
func (e *Engine) Close() error {
	var errs []error
	if e.DB != nil {
		errs = append(errs, e.DB.Close())
	}
	if e.Keyring != nil {
		errs = append(errs, e.Keyring.Close())
	}
	if e.Dir != nil {
		errs = append(errs, e.Dir.Close())
	}
	return errors.Join(errs...)
}

// OpenLog opens the log of a data directory for reading only, beside the
// process that writes to it. What is private stays sealed.
func OpenLog(ctx context.Context, dir string) (*sqlitelog.Log, func() error, error) {
	db, err := sqlitedb.Open(ctx, filepath.Join(dir, LogFile), sqlitedb.Options{ReadOnly: true})
	if err != nil {
		return nil, nil, fmt.Errorf("open event log: %w", err)
	}
	log, err := sqlitelog.New(ctx, db)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return log, db.Close, nil
}
