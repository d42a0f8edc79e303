package keyring

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"handoff/infra/durable"
	"handoff/infra/keyring/seal"
)

// ErrWrongMasterKey is returned for a keyring of another master key.
var ErrWrongMasterKey = errors.New("it was made with another master key: start with the key file that belongs to this data directory " +
	"(HANDOFF_KEY_FILE), or put it back from a backup; without it nothing that is sealed can be read")

// MasterKey opens a keyring. The zero value opens none. Formatting one shows
// nothing of it.
type MasterKey struct{ secret seal.Secret }

// NewMasterKey returns the master key that consists of b, 32 random bytes.
func NewMasterKey(b []byte) (MasterKey, error) {
	s, err := seal.SecretFrom(b)
	if err != nil {
		return MasterKey{}, fmt.Errorf("master key: %w", err)
	}
	return MasterKey{secret: s}, nil
}

// IsZero reports whether m is the zero value.
func (m MasterKey) IsZero() bool { return m.secret.IsZero() }

// Format implements fmt.Formatter: no verb shows anything.
func (m MasterKey) Format(f fmt.State, verb rune) { m.secret.Format(f, verb) }

// DefaultMasterKeyPath returns where the master key is kept unless the
// administrator says otherwise, below the user's configuration directory: not
// in the data directory, so that a copy of the data opens nothing.
func DefaultMasterKeyPath(configDir string) string {
	return filepath.Join(configDir, "handoff", "master.key")
}

// MasterKeyFor returns the master key at path for the data directory dir. It
// makes a new one only where dir has no keyring yet: with a new key, a keyring
// that exists could never be opened.
func MasterKeyFor(dir, path string) (MasterKey, error) {
	_, err := os.Stat(filepath.Join(dir, FileName))
	switch {
	case err == nil:
		return LoadMasterKey(path)
	case errors.Is(err, fs.ErrNotExist):
		return LoadOrCreateMasterKey(path)
	default:
		return MasterKey{}, fmt.Errorf("look for %s: %w", FileName, err)
	}
}

// LoadMasterKey reads the master key at path. It refuses a file that others may
// read or that is not 32 bytes long; the error says what to do.
func LoadMasterKey(path string) (key MasterKey, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return MasterKey{}, fmt.Errorf("there is no master key at %s: put back the key file of this data directory, from a backup or another machine, or name it in HANDOFF_KEY_FILE: %w", path, err)
	}
	if err != nil {
		return MasterKey{}, fmt.Errorf("open the master key: %w", err)
	}
	defer func() { _ = f.Close() }()
	if err := checkKeyFile(path, f); err != nil {
		return MasterKey{}, err
	}
	b, err := io.ReadAll(io.LimitReader(f, seal.SecretSize+1))
	if err != nil {
		return MasterKey{}, fmt.Errorf("read the master key: %w", err)
	}
	return NewMasterKey(b)
}

// checkKeyFile looks at the open file, not at its path, which may change.
func checkKeyFile(path string, f *os.File) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("look at the master key: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("the master key %s is no file: name the key file itself in HANDOFF_KEY_FILE", path)
	case info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows": // where the bits mean nothing
		return fmt.Errorf("others may read the master key %s (mode %#o): make it yours alone with chmod 600, and think about whether somebody has read it", path, info.Mode().Perm())
	case info.Size() != seal.SecretSize:
		return fmt.Errorf("the master key %s has %d bytes, not %d: name another file in HANDOFF_KEY_FILE, or put the right one back from a backup", path, info.Size(), seal.SecretSize)
	}
	return nil
}

// LoadOrCreateMasterKey reads the master key at path, or makes one. A new key
// is on disk before it is returned, whole, in a file of mode 0600; directories
// that are missing are made with mode 0700. Where two do so at once both get
// the same key.
func LoadOrCreateMasterKey(path string) (MasterKey, error) {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return LoadMasterKey(path)
	}
	if err := createMasterKey(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return MasterKey{}, fmt.Errorf("make a master key at %s: %w", path, err)
	}
	return LoadMasterKey(path)
}

// createMasterKey makes the file, and never replaces a key that another process
// made meanwhile.
func createMasterKey(path string) error {
	if err := durable.MakeDir(filepath.Dir(path)); err != nil {
		return err
	}
	return durable.Create(path, seal.NewSecret().Bytes())
}
