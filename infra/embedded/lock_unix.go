//go:build unix

package embedded

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"handoff/domain/fault"
)

// acquire takes a lock that ends with the process, however it ends.
func acquire(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errLocked
	}
	return err
}

func checkPrivate(path string) error {
	i, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("open data directory: %w", err)
	}
	if mode := i.Mode().Perm(); mode&0o077 != 0 {
		return fault.Newf(fault.Forbidden, "data-directory-open",
			"Other users of this machine may enter %s (mode %#o). Close it to them: chmod 700 %s", path, mode, path)
	}
	return nil
}
