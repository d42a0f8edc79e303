package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"handoff/domain/fault"
	"handoff/infra/durable"
)

// The files of a data directory.
const (
	LogFile  = "handoff.db"
	KeysFile = "keys.db"
	lockFile = "lock"
)

// DataDir is a data directory that this process alone writes to. Close it to
// let another process have it; it is let go of by a crash too.
type DataDir struct {
	Path string
	// New says that there was no log in it.
	New  bool
	lock *os.File
}

// OpenDataDir opens a data directory, and makes it if there is none. It refuses
// one that another process writes to, with a Conflict fault data-directory-busy,
// and one that other users of the machine may enter.
func OpenDataDir(path string) (*DataDir, error) {
	if err := durable.MakeDir(path); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	if err := checkPrivate(path); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open data directory: %w", err)
	}
	if err := acquire(lock); err != nil {
		_ = lock.Close() // the reason to refuse is the one to report
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("lock data directory: %w", err)
		}
		return nil, fault.Newf(fault.Conflict, "data-directory-busy",
			"Another handoff works on %s. Stop it first, or choose another data directory (HANDOFF_DATA_DIR).", path)
	}
	_, err = os.Stat(filepath.Join(path, LogFile))
	return &DataDir{Path: path, New: errors.Is(err, os.ErrNotExist), lock: lock}, nil
}

// Close lets go of the directory.
func (d *DataDir) Close() error { return d.lock.Close() }

// makeFile makes a file for its owner alone, however a copy of it will lie
// around; SQLite gives the files beside it the same mode.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

var errLocked = errors.New("embedded: locked")
