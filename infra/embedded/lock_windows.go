package embedded

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// acquire takes a lock that ends with the process, however it ends.
func acquire(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}

// checkPrivate checks nothing: on Windows a new directory inherits the access
// list of the user's profile.
func checkPrivate(string) error { return nil }
