package embedded

import (
	"context"
	"errors"

	"handoff/infra/eventlog"
	"handoff/infra/eventlog/sqlitelog"
	"handoff/infra/keyring"
	"handoff/infra/keyring/sqlitekeys"
)

// WithKeyring calls do with the keyring of a data directory, for this process
// alone, before anything else is made there: keys that come from another
// keyring must be its first.
func WithKeyring(ctx context.Context, o Options, do func(*keyring.Keyring) error) (err error) {
	dir, err := OpenDataDir(o.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	master, err := keyring.MasterKeyFor(o.Dir, o.KeyFile)
	if err != nil {
		return err
	}
	keys, err := sqlitekeys.Open(ctx, o.Dir, master, o.Now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keys.Close()) }()
	return do(keys)
}

// History is the log of an open data directory, as the target of an import.
type History struct{ *sqlitelog.Log }

// Put appends commits one after the other. Functions are told of them when the
// directory is served the next time, and find what was done about them.
func (h History) Put(ctx context.Context, commits []eventlog.Commit) error {
	for _, c := range commits {
		if _, err := h.Append(ctx, c); err != nil {
			return err
		}
	}
	return nil
}
